"""The Pareto front against its definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import pareto_front
from reports.stats.pareto import front_membership, marks

_small = st.none() | st.integers(0, 6)
_points = st.lists(st.tuples(_small, _small), max_size=30)


def _beats(a, b, sign):
    better = (b[0] - a[0], sign * (a[1] - b[1]))
    return min(better) >= 0 and max(better) > 0


@given(_points, st.booleans())
def test_agrees_with_brute_force(points, higher_is_better):
    sign = 1 if higher_is_better else -1
    known = [point for point in points if None not in point]
    expected = [None not in p and not any(_beats(other, p, sign) for other in known) for p in points]
    assert pareto_front(points, higher_is_better=higher_is_better) == expected


def test_ties():
    points = [(1, 0.5), (1, 0.5), (1, 0.4), (2, 0.5), (2, 0.6)]
    assert pareto_front(points) == [True, True, False, False, True]


def test_nothing():
    assert pareto_front([]) == []
    assert pareto_front([(None, 0.5), (3, None)]) == [False, False]


def test_membership_by_hand():
    # The cheap one is always on the front. The dear one scores 1, 2 or 9 against 2 throughout: its mean over
    # a draw of three must be above 2. The moved mean is 4 + √(3/2) (mean − 4), above 2 from a sum of 7.1
    # on: of 27 draws these hold a 9, 27 − 8 = 19.
    shares = front_membership([1, 2], [[2, 2, 2], [1, 2, 9]])
    assert shares == pytest.approx([1, 19 / 27])


def test_membership_agrees_with_every_draw_written_out():
    scores = np.random.default_rng(0).normal(size=(4, 4))
    costs = [3, 1, 2, 4]
    hits = np.zeros(4)
    for draw in itertools.product(range(4), repeat=4):
        means = scores.mean(1) + math.sqrt(4 / 3) * (scores[:, draw].mean(1) - scores.mean(1))
        hits += pareto_front(list(zip(costs, means, strict=True)), higher_is_better=False)
    assert front_membership(costs, scores, higher_is_better=False) == pytest.approx(hits / 4**4)


def test_membership_of_many_seeds_is_drawn_and_repeats():
    rng = np.random.default_rng(0)
    scores = np.stack([rng.normal(0, 1, 12), rng.normal(0.2, 1, 12)])
    first = front_membership([1, 2], scores)
    assert first == front_membership([1, 2], scores) != front_membership([1, 2], scores, seed=1)
    assert first[0] == pytest.approx(1)
    assert 0.05 < first[1] < 0.95


def test_resampled_means_vary_as_means_of_new_seeds_do():
    # Two methods of equal truth: the dear one is on the front of new seeds half of the time.
    rng = np.random.default_rng(0)
    shares = [front_membership([1, 2], [[0.0] * 5, rng.normal(size=5)])[1] for _ in range(400)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


def test_membership_of_equal_methods_is_shared():
    scores = [[0.1, 0.2, 0.4]] * 2
    assert front_membership([1, 1], scores) == [1, 1]
    assert front_membership([1, 2], scores) == [1, 0]


def test_too_little_has_no_share():
    nan = math.nan
    assert front_membership([1, 2], [[0.1, 0.2], [0.3, 0.4]]) == [None, None]
    assert front_membership([], np.zeros((0, 3))) == []
    scores = [[0.1, 0.2, 0.3], [0.3, nan, 0.4], [0.5, 0.5, 0.5]]
    assert front_membership([1, 2, None], scores) == [1, None, None]
    assert front_membership([1, 2], [[1, 2, 3, nan], [nan, 1, 2, 3]]) == [None, None]


def test_marks_say_how_sure_a_place_is():
    on_front, shares = [True, True, False, False, True, False], [0.97, 0.6, 0.3, 0.01, None, None]
    assert marks(on_front, shares) == [
        *("front", "not settled", "not settled", "dominated"),
        *("not settled", "dominated"),
    ]


def test_other_examples_make_a_place_less_sure():
    """Equal scores with every seed, and examples that would move the dear one's by 0.1 either way."""
    scores = [[0.5, 0.5, 0.5], [0.51, 0.51, 0.51]]
    assert front_membership([1, 2], scores) == [1, 1]
    noise = np.random.default_rng(0).normal(0, [0.0, 0.1], (1000, 2))
    cheap, dear = front_membership([1, 2], scores, noise=noise)
    assert cheap == pytest.approx(1)
    assert dear == pytest.approx(0.54, abs=0.04)

"""The sign-flip test against every sign pattern and scipy, its interval against the test, Holm by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports.stats import flips as flips_module
from reports.stats.flips import DRAWS, ENUMERATED, Flips, flipped, holm, p_value, sign_flip_test


def brute_force(strata) -> float:
    """Two-sided p by the definition: the share of patterns on the smaller side, ties included, twice."""
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in strata])
    weighted = [round(w * d * 1e6) for w, d in zip(weights, np.concatenate(strata), strict=True)]
    sums = [
        sum(sign * value for sign, value in zip(signs, weighted, strict=True))
        for signs in itertools.product((1, -1), repeat=len(weighted))
    ]
    sides = [sum(s >= sum(weighted) for s in sums), sum(s <= sum(weighted) for s in sums)]
    return min(1.0, 2 * min(sides) / len(sums))


_differences = st.lists(st.integers(-4, 4), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(_differences, min_size=1, max_size=3))
def test_sign_flips_agree_with_every_pattern_ties_included(strata):
    # Strata of one, two or three differences: sixths keep every sum exact for the brute force.
    strata = [np.array(part) * 6 / 100 for part in strata]
    assert sign_flip_test(strata) == pytest.approx(brute_force(strata))


@pytest.mark.parametrize("pairs", [6, 12, 18, ENUMERATED])
def test_every_pattern_is_counted_as_scipy_counts_them(pairs):
    differences = np.random.default_rng(pairs).normal(0.4, 1, pairs)
    exact = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert sign_flip_test([differences]) == pytest.approx(exact.pvalue, abs=1e-12)
    assert sign_flip_test([differences], seed=7) == sign_flip_test([differences])  # nothing is drawn


def test_three_seeds_on_one_task_never_get_below_a_quarter():
    assert sign_flip_test([[0.1, 0.2, 0.3]]) == 0.25
    assert sign_flip_test([[0.1]]) == 1
    assert sign_flip_test([[0.0, 0.0, 0.0]]) == 1


def test_many_pairs_draw_a_million_patterns_and_tell_the_error():
    differences = np.random.default_rng(0).normal(0.3, 1, 24)
    flips = Flips.of([differences])
    assert not flips.exact
    assert DRAWS >= 1_000_000
    t = abs(differences.sum()) / np.sqrt((differences**2).sum())
    assert flips.p() == pytest.approx(2 * stats.norm.sf(t), abs=0.02)  # near the central limit
    again = Flips.of([differences], seed=1).p()
    assert abs(flips.p() - again) < 8 * flips.monte_carlo_error
    assert sign_flip_test([np.full(24, 0.1)]) == 2 / (DRAWS + 1) == flips.smallest_p


def test_another_draw_turns_no_verdict():
    """The ends are widened by four errors of the draw: what one draw excludes another does not hold."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        differences = rng.normal(0.5, 1, 22)
        ends = [Flips.of([differences], seed).interval(0.05) for seed in range(3)]
        plain = [Flips.of([differences], seed).p() <= 0.05 for seed in range(3)]
        decided = [low > 0 or high < 0 for low, high in ends]
        assert len(set(decided)) == 1 or len(set(plain)) > 1
        assert all(seen for seen in plain) or not any(decided)


_floats = st.lists(st.floats(-1, 1).map(lambda v: round(v, 3)), min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(_floats, min_size=1, max_size=3), st.sampled_from([0.05, 0.2, 0.5]))
def test_the_interval_holds_0_exactly_where_the_test_does_not_reject(strata, alpha):
    flips = Flips.of(strata)
    ends = flips.interval(alpha)
    if ends is None:
        assert flips.smallest_p > alpha
        return
    low, high = ends
    assert low <= high
    # At an end itself the test just rejects or just does not: the pattern of that end is a tie there.
    if not (low == 0 or high == 0):
        assert (flips.p() <= alpha) == (low > 0 or high < 0)


def test_the_ends_are_what_the_test_does_not_reject_when_shifted():
    differences = np.random.default_rng(3).normal(0.2, 1, 9)
    low, high = Flips.of([differences]).interval(0.1)
    for shift, held in ((low - 1e-6, False), (low + 1e-6, True), (high - 1e-6, True), (high + 1e-6, False)):
        assert (sign_flip_test([differences - shift]) > 0.1) == held


def test_the_test_rejects_one_in_twenty_when_methods_are_equal():
    rng = np.random.default_rng(0)
    found = np.array([sign_flip_test(rng.normal(size=(2, 4))) for _ in range(800)])
    for alpha in (0.05, 0.2):
        assert (found <= alpha).mean() == pytest.approx(alpha, abs=0.025)


def test_holm_by_hand():
    # Of four: 0.01 · 4, 0.02 · 3, max(0.06, 0.03 · 2) and max(0.06, 0.2 · 1), back in their places.
    assert holm([0.2, 0.01, 0.03, 0.02]) == pytest.approx([0.2, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1, 1]
    assert holm([]) == []


def test_p_values_are_short():
    assert [p_value(value) for value in (0.25, 0.01234, 0.00005)] == ["0.25", "0.012", "< 0.0001"]


def test_many_comparisons_at_once_are_what_each_is_alone():
    """Also where they differ in size, and so in which bits of the patterns are theirs; some are counted."""
    rng = np.random.default_rng(0)
    sizes = ((3, 3), (11, 10), (5, 5, 5, 5, 5), (24,))
    several = [Flips.of([rng.normal(0.01, 0.02, size) for size in of]) for of in sizes]
    alone = [(flips.p(), flips.interval(0.01)) for flips in several]
    assert flipped(several, 0.01) == alone
    assert [found for _, found in flipped(several, None)] == [None] * 4


def test_the_lowest_of_a_stream_are_those_of_all_of_it():
    rng = np.random.default_rng(1)
    for count in (1, 7, 300):
        parts = [np.round(rng.normal(size=200), 1) for _ in range(10)]
        lowest = flips_module._Lowest(count)
        for part in parts:
            lowest.add(part)
        assert lowest.last == np.sort(np.concatenate(parts))[count - 1]

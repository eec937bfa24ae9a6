"""Average ranks against scipy's, and their intervals against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.ranking import average_ranks

from ..grids import table


def test_ranks_by_hand_with_ties():
    # Seed by seed on task 0: a b c = 1 2 3, 1.5 1.5 3, 2 1 3; on task 1 always 3 2 1.
    scores = [
        [[0.9, 0.8, 0.7], [0.1, 0.1, 0.1]],
        [[0.8, 0.8, 0.8], [0.2, 0.2, 0.2]],
        [[0.7, 0.7, 0.6], [0.3, 0.3, 0.3]],
    ]
    found = average_ranks(table(scores))
    assert [rank.value for rank in found.ranks] == pytest.approx([(1.5 + 3) / 2, (1.5 + 2) / 2, 2])
    assert sum(rank.value for rank in found.ranks) == 6
    reverse = average_ranks(table(scores, higher=False))
    assert [rank.value for rank in reverse.ranks] == pytest.approx([4 - r.value for r in found.ranks])


def test_one_task_agrees_with_scipys_ranks_and_a_worked_interval():
    scores = np.random.default_rng(0).normal(size=(4, 1, 5))
    ranks = stats.rankdata(-scores[:, 0, :], axis=0)
    found = average_ranks(table(scores))
    assert [rank.value for rank in found.ranks] == pytest.approx(ranks.mean(axis=1))
    variance = (((ranks[0] - ranks[0].mean()) ** 2).sum() + (4**2 - 1) / 12) / 5
    half = stats.t.ppf(0.975, 5) * math.sqrt(variance / 5)
    low, high = found.ranks[0].interval
    assert (low, high) == pytest.approx((ranks[0].mean() - half, ranks[0].mean() + half))


def test_always_first_is_not_first_for_certain():
    found = average_ranks(table(np.array([0.9, 0.5, 0.1])[:, None, None] + np.zeros((3, 1, 3))))
    first = found.ranks[0]
    assert first.value == 1
    assert first.interval.low < 1  # not cut to look sure
    assert first.interval.high > 1.5


def test_a_method_that_failed_has_no_interval():
    scores = np.random.default_rng(0).normal(size=(3, 1, 4))
    learned = np.ones(scores.shape, dtype=bool)
    learned[1, 0, 2] = False
    found = average_ranks(table(scores, learned)).ranks
    assert [rank.interval is None for rank in found] == [False, True, False]
    assert "learned nothing" in found[1].note


def test_examples_widen_the_interval():
    scores = np.random.default_rng(0).normal(0.8, 0.01, (3, 1, 4))
    examples = {
        (method, "task 0"): np.random.default_rng(index).normal(0, 0.4, (4, 200))
        for index, method in enumerate("abc")
    }
    alone = average_ranks(table(scores)).ranks[0]
    both = average_ranks(table(scores, examples=examples)).ranks[0]
    assert (alone.over_examples, both.over_examples) == (False, True)
    assert both.interval.high > alone.interval.high


def test_missing_cells_leave_the_block_out():
    scores = np.random.default_rng(0).normal(size=(3, 3, 4))
    scores[1, 0, :] = math.nan
    scores[2, 1, 3] = math.nan
    found = average_ranks(table(scores))
    assert (found.tasks, found.left_out) == (("task 1", "task 2"), ("task 0",))
    assert found.ranks[0].n == 7
    scores[0] = math.nan
    empty = average_ranks(table(scores))
    assert empty.tasks == ()
    assert empty.ranks[1].value is None
    assert average_ranks(table(scores[1:, 2:, :2])).ranks[0].interval is None


@pytest.mark.parametrize("apart", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("tasks", "seeds"), [(1, 5), (4, 3)])
def test_intervals_cover_the_rank_to_expect(apart, tasks, seeds):
    rng = np.random.default_rng(tasks)
    centres = apart * np.arange(6)[:, None, None]
    truth = stats.rankdata(-(rng.normal(size=(6, 40_000)) + centres[:, 0]), axis=0).mean(axis=1)
    held = []
    for _ in range(400):
        ranks = average_ranks(table(rng.normal(size=(6, tasks, seeds)) + centres)).ranks
        held += [
            rank.interval.low <= true <= rank.interval.high for rank, true in zip(ranks, truth, strict=True)
        ]
    assert np.mean(held) >= 0.935
    if apart == 0:  # far apart, ranks hardly vary and the intervals are wider than they need to be
        assert np.mean(held) <= 0.965

"""Average ranks against scipy's, and their intervals against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.grid import Grid
from reports.stats.ranking import average_ranks


def table(scores, higher=True) -> Grid:
    scores = np.array(scores, dtype=float)
    count, tasks, seeds = scores.shape
    return Grid(
        methods=tuple("abcdefgh"[:count]),
        tasks=tuple(f"task {number}" for number in range(tasks)),
        seeds=tuple(range(seeds)),
        scores=scores,
        higher_is_better=(higher,) * tasks,
        floors=(None,) * tasks,
        tops=(None,) * tasks,
    )


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
    assert (low, high) == pytest.approx((max(1, ranks[0].mean() - half), min(4, ranks[0].mean() + half)))


def test_always_first_is_not_first_for_certain():
    found = average_ranks(table(np.array([0.9, 0.5, 0.1])[:, None, None] + np.zeros((3, 1, 3))))
    first = found.ranks[0]
    assert first.value == 1
    assert first.interval.low == 1
    assert first.interval.high > 1.5


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

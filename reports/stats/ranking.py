"""Average ranks of methods over tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from reports.stats.estimate import MIN_SEEDS, NORMAL, Estimate, around, no_interval, quantile
from reports.stats.grid import Grid

PRIOR_FREEDOM: Final = 1


@dataclass(frozen=True)
class Ranking:
    """The average rank of each method, 1 the best, over the tasks that all of them have."""

    methods: tuple[str, ...]
    ranks: tuple[Estimate, ...]
    tasks: tuple[str, ...]
    left_out: tuple[str, ...]
    """Tasks on which the methods share no seed."""


def average_ranks(grid: Grid) -> Ranking:
    """Rank the methods within each seed of each task, and average over seeds, then over tasks.

    Demšar 2006 (JMLR 7, 1) ranks methods on each data set, ties sharing the mean of their ranks, and
    averages; here a block is one seed on one task, so that the average is the rank to expect of one run.
    Only blocks in which every method has a score count: a rank among fewer is no rank among all.

    The interval is average ± t · √(s² / N) over the N blocks. s² is the variance within tasks, moderated as
    in Smyth 2004 (doi 10.2202/1544-6115.1027) by one degree of freedom with the variance that equal methods
    would have, (k² − 1) / 12 (Friedman 1937): three first places out of three do not prove that the fourth
    run would be first. Every task needs three shared seeds for an interval. Where the answers were kept, the
    spread of the average over other samples of examples is joined with that of the seeds. A method of which a
    seed learned nothing has no interval: its ranks are of two kinds.
    """
    from scipy import stats

    count = len(grid.methods)
    blocks = []
    for task in range(len(grid.tasks)):
        table = grid.signed[:, task, :]
        blocks.append(table[:, ~np.isnan(table).any(axis=0)])
    used = [index for index, table in enumerate(blocks) if table.size]
    ranked = [stats.rankdata(-blocks[index], axis=0) for index in used]
    others = _over_examples(grid, blocks, used)
    lost = [bool((~grid.learned[method] & ~np.isnan(grid.scores[method])).any()) for method in range(count)]
    return Ranking(
        methods=grid.methods,
        ranks=tuple(
            _average([ranks[method] for ranks in ranked], count, others[method], lost[method])
            for method in range(count)
        ),
        tasks=tuple(grid.tasks[index] for index in used),
        left_out=tuple(name for index, name in enumerate(grid.tasks) if index not in used),
    )


def _over_examples(grid: Grid, blocks: list[np.ndarray], used: list[int]) -> list[float | None]:
    """The standard deviation of every average rank over samples of examples; None where it is unknown."""
    from scipy import stats

    noise = grid.noise
    if noise is None or not used:
        return [None] * len(grid.methods)
    # (draws, methods, tasks) of ranks, averaged over the seeds of each task
    moved = [
        stats.rankdata(-(blocks[index][None] + noise[:, :, index, None]), axis=1).mean(axis=2)
        for index in used
    ]
    return [float(sd) for sd in np.mean(moved, axis=0).std(axis=0, ddof=1)]


def _average(strata: list[np.ndarray], count: int, over_examples: float | None, lost: bool) -> Estimate:
    """Average of one method's ranks, given for each task by seed, among so many methods."""
    n = sum(len(ranks) for ranks in strata)
    if not n:
        return Estimate(None, None, 0, "no rank: the methods share no seed on any task")
    value = float(np.mean([ranks.mean() for ranks in strata]))
    fewest = min(len(ranks) for ranks in strata)
    if fewest < MIN_SEEDS:
        return Estimate(value, None, n, no_interval(fewest))
    if lost:
        return Estimate(value, None, n, "no interval: some seed learned nothing")
    freedom = n - len(strata) + PRIOR_FREEDOM
    squares = sum(float(((ranks - ranks.mean()) ** 2).sum()) for ranks in strata)
    moderated = (squares + PRIOR_FREEDOM * (count**2 - 1) / 12) / freedom
    shares = sum(1 / len(ranks) for ranks in strata) / len(strata) ** 2
    half = math.hypot(quantile(freedom) * math.sqrt(moderated * shares), NORMAL * (over_examples or 0.0))
    return Estimate(value, around(value, half), n, over_examples=over_examples is not None)

"""Which points no other point beats, and how sure that is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.stats.estimate import MIN_SEEDS

Point = tuple[float | None, float | None]
"""(cost, score); a point with an unknown part is never on the front and beats nobody."""


def pareto_front(points: Sequence[Point], *, higher_is_better: bool = True) -> list[bool]:
    """For each (cost, score): is there no other point that is as good in both and better in one?

    Cost is minimised. Points equal in both are on the front together. One sort, O(n log n).
    """
    sign = -1.0 if higher_is_better else 1.0
    known = [
        (cost, sign * score, index)
        for index, (cost, score) in enumerate(points)
        if cost is not None and score is not None
    ]
    front = [False] * len(points)
    best_cost, best_score = None, None
    for cost, score, index in sorted(known):
        if best_score is None or score < best_score:
            best_cost, best_score = cost, score
        front[index] = (cost, score) == (best_cost, best_score)
    return front


MAX_ENUMERATED: Final = 8
"""Seeds up to which every resample is counted (6,435 different ones of eight seeds)."""


def front_membership(
    costs: Sequence[float | None],
    scores: ArrayLike,
    *,
    higher_is_better: bool = True,
    resamples: int = 4000,
    seed: int = 0,
) -> list[float | None]:
    """How often each method is on the front when the seeds are drawn again: a share of resamples.

    A bootstrap (Efron 1979, Annals of Statistics 7, 1) over seeds, the same draw for all methods because
    they share their seeds; a method's score is its mean over the draw, moved away from its mean over all
    seeds by √(S / (S − 1)) so that it varies as much as a mean of S new seeds would. Costs stay fixed. A
    share near 0 or 1 is a front that the seeds agree on; it is not the probability that a method is truly
    on the front. Up to eight seeds every resample is counted, so that nothing is random.

    Args:
        costs: one per method; None is unknown.
        scores: shape [methods, seeds]; NaN is a seed without a score.
        higher_is_better: direction of the scores.
        resamples: draws with more than eight seeds.
        seed: of these draws.

    Returns:
        One share per method; None for a method of unknown cost or with fewer than three scores, which is
        left out, and for all when the others share fewer than three seeds.
    """
    table = np.asarray(scores, dtype=float)
    enough = (~np.isnan(table)).sum(axis=1) >= MIN_SEEDS
    kept = [index for index, cost in enumerate(costs) if cost is not None and enough[index]]
    shared = table[kept][:, ~np.isnan(table[kept]).any(axis=0)]
    shares: list[float | None] = [None] * len(costs)
    seeds = shared.shape[1]
    if not kept or seeds < MIN_SEEDS:
        return shares
    counts, weights = _resamples(seeds, resamples, seed)
    centre = shared.mean(axis=1)
    means = centre + math.sqrt(seeds / (seeds - 1)) * (counts @ shared.T / seeds - centre)
    fronts = [
        pareto_front(
            [(costs[index], score) for index, score in zip(kept, row, strict=True)],
            higher_is_better=higher_is_better,
        )
        for row in np.round(means, 12).tolist()
    ]
    for place, share in zip(kept, weights @ np.array(fronts, dtype=float), strict=True):
        shares[place] = float(np.clip(share, 0, 1))
    return shares


def _resamples(seeds: int, resamples: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How often each seed is drawn in each resample, shape [resamples, seeds], and how likely that is."""
    if seeds > MAX_ENUMERATED:
        drawn = np.random.default_rng(seed).multinomial(seeds, [1 / seeds] * seeds, size=resamples)
        return drawn, np.full(resamples, 1 / resamples)
    draws = itertools.combinations_with_replacement(range(seeds), seeds)
    counts = np.array([np.bincount(draw, minlength=seeds) for draw in draws])
    ways = [math.factorial(seeds) / math.prod(map(math.factorial, row)) for row in counts.tolist()]
    return counts, np.array(ways) / seeds**seeds

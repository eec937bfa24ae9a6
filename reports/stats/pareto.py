"""Which points no other point beats, and how sure that is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.stats.estimate import MIN_SEEDS

Mark = Literal["front", "not settled", "dominated"]
"""What the seeds say of a point: on the front of nearly every resample, of some, or of hardly any."""

SETTLED: Final = 0.95
"""Share of resamples from which a point counts as on the front, or off it."""

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


def marks(on_front: Sequence[bool], shares: Sequence[float | None]) -> list[Mark]:
    """How each point is marked: where too few seeds say how sure its place is, it is not settled."""
    return [_mark(front, share) for front, share in zip(on_front, shares, strict=True)]


def _mark(on_front: bool, share: float | None) -> Mark:
    if share is None:
        return "not settled" if on_front else "dominated"
    if share >= SETTLED:
        return "front"
    return "not settled" if share > 1 - SETTLED else "dominated"


MAX_ENUMERATED: Final = 8
"""Seeds up to which every resample is counted (6,435 different ones of eight seeds)."""


def front_membership(
    costs: Sequence[float | None],
    scores: ArrayLike,
    *,
    higher_is_better: bool = True,
    noise: NDArray[np.float64] | None = None,
    spread: Sequence[float] | None = None,
    resamples: int = 4000,
    seed: int = 0,
) -> list[float | None]:
    """How often each method is on the front when the seeds are drawn again: a share of resamples.

    A bootstrap (Efron 1979, Annals of Statistics 7, 1) over seeds, the same draw for all methods because
    they share their seeds; a method's score is its mean over the draw, moved away from its mean over all
    seeds by √(S / (S − 1)) so that it varies as much as a mean of S new seeds would. Costs that are counted
    stay fixed, those that are measured are drawn as well: times vary log-normally. A share near 0 or 1 is a
    front that the seeds agree on; it is not the probability that a method is truly
    on the front. Up to eight seeds every resample is counted, so that nothing is random; where the answers
    were kept, each gets what another sample of examples would add.

    Args:
        costs: one per method; None is unknown.
        scores: shape [methods, seeds]; NaN is a seed without a score.
        higher_is_better: direction of the scores.
        noise: what other examples would add to each method's score, (draws, methods).
        spread: the standard error of the logarithm of each cost; None where costs are exact.
        resamples: draws with more than eight seeds, or with noise or spread.
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
    counts, weights = _resamples(seeds, resamples, seed, drawn=noise is not None or spread is not None)
    centre = shared.mean(axis=1)
    means = centre + math.sqrt(seeds / (seeds - 1)) * (counts @ shared.T / seeds - centre)
    if noise is not None:
        means = means + noise[np.arange(len(means)) % len(noise)][:, kept]
    sign = 1.0 if higher_is_better else -1.0
    prices = np.array([costs[index] for index in kept], dtype=float)[None]
    if spread is not None:
        off = np.random.default_rng(seed + 1).normal(size=(len(means), len(kept)))
        prices = prices * np.exp(off * np.array([spread[index] for index in kept]))
    fronts = _fronts(prices, np.round(sign * means, 12))
    for place, share in zip(kept, weights @ fronts, strict=True):
        shares[place] = float(np.clip(share, 0, 1))
    return shares


def _fronts(costs: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """For costs and scores of shape [draws or 1, methods]: which methods no other beats."""
    on_front = np.empty(scores.shape, dtype=bool)
    for method in range(scores.shape[1]):
        mine, price = scores[:, [method]], costs[:, [method]]
        beaten = (costs <= price) & (scores >= mine) & ((costs < price) | (scores > mine))
        on_front[:, method] = ~beaten.any(axis=1)
    return on_front


def _resamples(
    seeds: int, resamples: int, seed: int, *, drawn: bool
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How often each seed is drawn in each resample, shape [resamples, seeds], and how likely that is."""
    if drawn or seeds > MAX_ENUMERATED:
        found = np.random.default_rng(seed).multinomial(seeds, [1 / seeds] * seeds, size=resamples)
        return found, np.full(resamples, 1 / resamples)
    draws = itertools.combinations_with_replacement(range(seeds), seeds)
    counts = np.array([np.bincount(draw, minlength=seeds) for draw in draws])
    ways = [math.factorial(seeds) / math.prod(map(math.factorial, row)) for row in counts.tolist()]
    return counts, np.array(ways) / seeds**seeds

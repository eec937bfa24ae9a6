"""Are two methods different? Paired differences over seeds and tasks, tested by flipping their signs.

A pair is the same seed on the same task, so that what a seed or a task does to both methods cancels.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports import text
from reports.errors import RecordError
from reports.stats.estimate import Estimate, stratified_mean
from reports.stats.grid import Grid

ALPHA: Final = 0.05
RESAMPLES: Final = 19_999
"""Sign patterns drawn when there are more than this many; up to 14 pairs all of them are enumerated."""

Decision = Literal["distinguishable", "not distinguishable", "too few pairs"]


@dataclass(frozen=True)
class Verdict:
    """What the seeds say of two methods."""

    first: str
    second: str
    difference: Estimate
    """Score of the first less that of the second, positive where the first is better; mean over tasks."""
    p: float | None
    """Of the sign-flip test; null without a pair."""
    adjusted_p: float | None
    """After Holm's correction over all comparisons made together."""
    smallest_p: float | None
    """The least p that so many pairs can give, whatever their differences."""
    pairs: int
    tasks: int
    comparisons: int
    """Made together, this one included."""
    decision: Decision

    @property
    def sentence(self) -> str:
        """The verdict, said with what it rests on."""
        first, second = text.clean(self.first), text.clean(self.second)
        if self.p is None or self.adjusted_p is None or self.smallest_p is None:
            return f"{first} and {second} share no seed on any task, so nothing can be said."
        value = self.difference.value or 0.0
        better, worse = (first, second) if value >= 0 else (second, first)
        gap = f"{better} is better than {worse} by {text.score(abs(value))}" if value else "no difference"
        interval = self.difference.interval
        if interval:
            ends = sorted(interval if value >= 0 else (-interval.low, -interval.high))
            gap += f", 95 % interval {text.score(ends[0])} to {text.score(ends[1])}"
        basis = f"{text.plural(self.pairs, 'pair')} on {text.plural(self.tasks, 'task')}"
        test = f"p = {p_value(self.p)}"
        if self.comparisons > 1:
            test += f", {p_value(self.adjusted_p)} after Holm's correction for {self.comparisons} comparisons"
        if self.decision == "distinguishable":
            return f"{first} and {second} are distinguishable: {gap} ({basis}; {test})."
        if self.decision == "not distinguishable":
            return (
                f"{first} and {second} are not distinguishable: {gap} ({basis}; {test}). "
                "That is no proof that they are equal."
            )
        among = f" among {self.comparisons} comparisons" if self.comparisons > 1 else ""
        return (
            f"{first} and {second} cannot be told apart by so few seeds, whatever their scores: "
            f"{gap} ({basis}; {test}). The smallest p that {text.plural(self.pairs, 'pair')} can give is "
            f"{p_value(self.smallest_p)}; it takes {pairs_needed(self.comparisons)} pairs{among}."
        )


def sign_flip_test(strata: Sequence[ArrayLike], *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Two-sided p of the mean paired difference, by flipping the sign of each difference.

    Fisher 1935 (The Design of Experiments, section 21). If the two methods score alike, the two scores of
    a pair may be swapped, which flips the sign of their difference; p is the share of sign patterns whose
    mean is at least as far from 0 as the one seen. All 2ⁿ patterns are counted when they are no more than
    ``resamples``; otherwise as many random ones, with p = (b + 1) / (m + 1) on each side (Phipson & Smyth
    2010, arXiv 1603.05766), which is never 0. Ties in the mean count as at least as far.

    Args:
        strata: the differences of each task; every task weighs the same in the mean.
        resamples: random patterns where there are more than these.
        seed: of the random patterns.
    """
    groups = [np.asarray(stratum, dtype=float).ravel() for stratum in strata]
    weighted = np.concatenate([group / (len(groups) * len(group)) for group in groups])
    if len(weighted) == 1:
        return 1.0
    # What is equal on paper must be equal here: rounding errors would break ties.
    seen = round(float(weighted.sum()), 12)
    sums = np.round(_signs(len(weighted), resamples, seed) @ weighted, 12)
    drawn = int(2 ** len(weighted) > resamples)  # the pattern seen counts as one of those drawn
    sides = [int((sums >= seen).sum()), int((sums <= seen).sum())]
    return min(1.0, 2 * (min(sides) + drawn) / (len(sums) + drawn))


# Many comparisons have the same number of pairs, and drawing the patterns takes most of the time.
@lru_cache(maxsize=4)
def _signs(pairs: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Sign patterns, shape [patterns, pairs]: all of them, or as many random ones as ``resamples``."""
    if 2**pairs <= resamples:
        bits = np.arange(2**pairs)[:, None] >> np.arange(pairs) & 1
    else:
        bits = np.random.default_rng(seed).integers(0, 2, size=(resamples, pairs))
    return (2 * bits - 1).astype(np.float64)


def smallest_p(pairs: int, resamples: int = RESAMPLES) -> float:
    """The least two-sided p that the sign-flip test can give: 2 / 2ⁿ, or 2 / (m + 1) when drawing m."""
    return min(1.0, 2.0 / 2**pairs if 2**pairs <= resamples else 2.0 / (resamples + 1))


def pairs_needed(comparisons: int = 1, alpha: float = ALPHA) -> int:
    """The fewest pairs with which one of so many comparisons can be significant after Holm's correction."""
    return 1 + math.ceil(math.log2(comparisons / alpha))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment, which holds the chance of any false claim among all of them.

    Holm 1979 (Scandinavian Journal of Statistics 6, 65): with p₍₁₎ ≤ … ≤ p₍ₘ₎ the adjusted value of the
    i-th is the largest of min(1, (m − j + 1) p₍ⱼ₎) over j ≤ i.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def paired_verdicts(
    grid: Grid, pairs: Sequence[tuple[str, str]] | None = None, *, alpha: float = ALPHA, seed: int = 0
) -> list[Verdict]:
    """Compare methods two by two over the seeds and tasks that both have.

    The difference is the mean over tasks of the mean over seeds, its interval that of ``stratified_mean``,
    p that of ``sign_flip_test`` with tasks as strata, corrected by ``holm`` over all the comparisons asked
    for. Two methods are distinguishable when the adjusted p is at most ``alpha``; there are too few pairs
    when it could not have been, even if every comparison had come out as extreme as its pairs allow.

    Args:
        grid: the scores.
        pairs: which methods to compare; every two of them by default. Fewer comparisons, chosen before
            looking, leave each more power.
        alpha: the chance of any false claim.
        seed: of the test's random sign patterns.

    Raises:
        RecordError: for a method that the grid does not hold.
    """
    chosen = list(itertools.combinations(grid.methods, 2)) if pairs is None else list(pairs)
    strata = [_differences(grid, first, second) for first, second in chosen]
    tested = [index for index, groups in enumerate(strata) if groups]
    counts = [sum(len(group) for group in groups) for groups in strata]
    p = {index: sign_flip_test(strata[index], seed=seed) for index in tested}
    least = {index: smallest_p(counts[index]) for index in tested}
    adjusted = dict(zip(tested, holm([p[index] for index in tested]), strict=True))
    reachable = dict(zip(tested, holm([least[index] for index in tested]), strict=True))

    def decide(index: int) -> Decision:
        if index not in p or reachable[index] > alpha:
            return "too few pairs"
        return "distinguishable" if adjusted[index] <= alpha else "not distinguishable"

    return [
        Verdict(
            first=first,
            second=second,
            difference=stratified_mean(strata[index]),
            p=p.get(index),
            adjusted_p=adjusted.get(index),
            smallest_p=least.get(index),
            pairs=counts[index],
            tasks=len(strata[index]),
            comparisons=len(tested),
            decision=decide(index),
        )
        for index, (first, second) in enumerate(chosen)
    ]


def _differences(grid: Grid, first: str, second: str) -> list[NDArray[np.float64]]:
    """For each task with a shared seed, the differences of the two methods, positive where the first wins."""
    for name in (first, second):
        if name not in grid.methods:
            raise RecordError(
                f"there is no method {name!r:.60} to compare; there are {', '.join(grid.methods)}."
            )
    rows: Any = grid.signed[grid.methods.index(first)] - grid.signed[grid.methods.index(second)]
    known = [row[~np.isnan(row)] for row in rows]
    return [row for row in known if len(row)]


def p_value(value: float) -> str:
    """`0.25`, `0.012`, `0.0005`: two significant digits, and below 0.0001 only that it is."""
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"

"""Sign flips: a test of paired differences, and the interval that agrees with it, from the same patterns.

Fisher 1935 (The Design of Experiments, section 21). If two methods score alike, the two scores of a pair may
be swapped, which flips the sign of their difference d_i. With weights w_i, a pattern that flips the set N
changes the sum by -2 times the sum over N of w_i d_i; so the patterns whose sum is at least the one seen are
those with sum over N of w_i d_i <= 0, and a difference of delta is not rejected from above as long as enough
sets N have a weighted mean of at most delta. The ends of the interval are order statistics of the means of
all subsets of the differences (Hartigan 1969, JASA 64, 1303), and 0 lies outside exactly where the test
rejects. Both are exact for differences that are symmetric about a common centre, whatever their distribution
and however it differs from task to task.

All 2^n patterns are taken up to n = 20. Above that, ``DRAWS`` random ones are: p is then (b + 1) / (m + 1)
(Phipson & Smyth 2010, arXiv 1603.05766), and the interval is widened by four standard errors of the draw, so
that another draw does not turn a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

ENUMERATED: Final = 20
"""Differences up to which every pattern is counted."""
DRAWS: Final = 1_000_000
MONTE_CARLO_ERRORS: Final = 4.0
DIGITS: Final = 12
"""What is equal on paper must be equal here: rounding errors would break ties."""
BLOCK: Final = 1 << 12
"""Random patterns that are worked on at a time: what they take stays in the processor's cache."""

Values = NDArray[np.float64]
Ends = tuple[float, float]


@dataclass(frozen=True)
class Flips:
    """The subset sums of some differences.

    Args:
        strata: the differences of each task; every task weighs the same in the mean.
        seed: of the random patterns, where they are drawn.
    """

    strata: tuple[Values, ...]
    seed: int = 0

    @classmethod
    def of(cls, strata: Sequence[ArrayLike], seed: int = 0) -> Flips:
        """From anything like arrays."""
        return cls(tuple(np.asarray(stratum, dtype=float).ravel() for stratum in strata), seed)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Differences in each stratum."""
        return tuple(len(stratum) for stratum in self.strata)

    @property
    def exact(self) -> bool:
        """Whether every pattern is counted."""
        return sum(self.sizes) <= ENUMERATED

    @property
    def patterns(self) -> int:
        """How many patterns are counted, the one seen among them."""
        return 2 ** sum(self.sizes) if self.exact else DRAWS + 1

    @property
    def monte_carlo_error(self) -> float:
        """The largest standard error that drawing leaves in a p of 0.05; 0 where every pattern is counted."""
        return 0.0 if self.exact else math.sqrt(0.05 * 0.95 / DRAWS)

    def p(self) -> float:
        """Two-sided p of the mean being 0."""
        return flipped([self], None)[0][0]

    @property
    def smallest_p(self) -> float:
        """The least p that so many differences can give, whatever they are."""
        return min(1.0, 2 / self.patterns)

    def can_reject(self, alpha: float) -> bool:
        """Whether so many differences can reject anything at a two-sided level."""
        return self._allowed(alpha) >= 1

    def _allowed(self, alpha: float) -> float:
        """How many patterns may lie beyond an end of the interval."""
        allowed = alpha / 2 * self.patterns
        return allowed if self.exact else allowed - MONTE_CARLO_ERRORS * math.sqrt(allowed)

    def interval(self, alpha: float) -> Ends | None:
        """The differences that a two-sided test at level ``alpha`` does not reject.

        None where so few differences cannot reject any.
        """
        return flipped([self], alpha)[0][1]

    def beyond(self, alpha: float | None) -> int:
        """How many means of subsets lie beyond the interval on each side; 0 where there is none."""
        return 0 if alpha is None or not self.can_reject(alpha) else math.floor(self._allowed(alpha))

    @property
    def weighted(self) -> tuple[Values, Values]:
        """The differences and the weights of their mean, (differences,) each."""
        weighted = [stratum / (len(self.strata) * len(stratum)) for stratum in self.strata]
        weights = [np.full(size, 1 / (len(self.sizes) * size)) for size in self.sizes]
        return np.concatenate(weighted), np.concatenate(weights)


def flipped(several: Sequence[Flips], alpha: float | None) -> list[tuple[float, Ends | None]]:
    """p, and the interval at level ``alpha`` where one is asked for, of each.

    Random patterns are drawn once for all of them: a million for each of many comparisons take their time.
    They must share the seed.
    """
    drawn = [flips for flips in several if not flips.exact]
    with threadpool_limits(1, user_api="blas"):  # threads of so small a product wait for one another
        found = iter(_by_drawing(drawn, alpha) if drawn else ())
    return [_by_counting(flips, alpha) if flips.exact else next(found) for flips in several]


def sign_flip_test(strata: Sequence[ArrayLike], seed: int = 0) -> float:
    """Two-sided p of the mean of paired differences being 0; see :class:`Flips`."""
    return Flips.of(strata, seed).p()


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


def p_value(value: float) -> str:
    """`0.25`, `0.012`, `0.0005`: two significant digits, and below 0.0001 only that it is."""
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def _by_counting(flips: Flips, alpha: float | None) -> tuple[float, Ends | None]:
    sums, weights = map(_subset_sums, flips.weighted)
    rounded = np.round(sums, DIGITS)
    sides = int((rounded <= 0).sum()), int((rounded >= 0).sum())  # the empty set, 0, is on both
    p = min(1.0, 2 * min(sides) / flips.patterns)
    beyond = flips.beyond(alpha)
    if not beyond:
        return p, None
    means = sums[1:] / weights[1:]  # without the empty set, the first
    part = np.partition(means, sorted({beyond - 1, len(means) - beyond}))
    low, high = np.round([part[beyond - 1], part[len(means) - beyond]], DIGITS)
    return p, (float(low), float(high))


def _by_drawing(several: Sequence[Flips], alpha: float | None) -> list[tuple[float, Ends | None]]:
    """A pattern is a row of bits; the sums of all comparisons under a block of patterns are one product."""
    most = max(sum(flips.sizes) for flips in several)
    table = np.zeros((len(several), most))
    sizes = list(dict.fromkeys(flips.sizes for flips in several))
    weights = np.zeros((len(sizes), most))
    for index, flips in enumerate(several):
        values, weighing = flips.weighted
        table[index, : len(values)] = values
        weights[sizes.index(flips.sizes), : len(values)] = weighing
    # A byte for each eight differences, so that a comparison of fewer has the patterns it would have alone.
    shape = (math.ceil(most / 8), DRAWS)
    drawn = np.random.default_rng(several[0].seed).integers(0, 256, size=shape, dtype=np.uint8)
    sides = np.zeros((2, len(several)), dtype=int)
    ends = [(_Lowest(beyond), _Lowest(beyond)) for beyond in (flips.beyond(alpha) for flips in several)]
    own = [sizes.index(flips.sizes) for flips in several]
    for start in range(0, DRAWS, BLOCK):
        bytes_ = np.ascontiguousarray(drawn[:, start : start + BLOCK].T)
        patterns = np.unpackbits(bytes_, axis=1, count=most, bitorder="little").astype(float).T
        sums, weighed = table @ patterns, weights @ patterns
        rounded = np.round(sums, DIGITS)
        sides += (rounded <= 0).sum(axis=1), (rounded >= 0).sum(axis=1)
        for index, (low, high) in enumerate(ends):
            if not low.count:
                continue
            weight = weighed[own[index]]
            some = weight > 0
            means = sums[index] / weight if some.all() else sums[index][some] / weight[some]
            low.add(means)
            high.add(-means)
    found: list[tuple[float, Ends | None]] = []
    for flips, least, (low, high) in zip(several, sides.min(axis=0), ends, strict=True):
        p = min(1.0, 2 * (int(least) + 1) / flips.patterns)  # the pattern seen counts as one of those drawn
        found.append((p, (low.last, -high.last) if low.count else None))
    return found


class _Lowest:
    """The so many lowest of numbers that come in parts."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.kept: list[Values] = []
        self.held = 0
        self.bound = math.inf
        """No number above it is among them."""

    def add(self, values: Values) -> None:
        """Look at more numbers."""
        low = values[values < self.bound]
        self.kept.append(low)
        self.held += len(low)
        if self.held > 4 * self.count:
            self._sift()

    @property
    def last(self) -> float:
        """The highest of them, rounded."""
        self._sift()
        return float(np.round(self.bound, DIGITS))

    def _sift(self) -> None:
        low = np.partition(np.concatenate(self.kept), self.count - 1)[: self.count]
        self.kept, self.held, self.bound = [low], len(low), float(low[-1])


def _subset_sums(values: Values) -> Values:
    """The sum of every subset of the values, that of the empty one first."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums

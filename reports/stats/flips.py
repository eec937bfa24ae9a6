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
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

ENUMERATED: Final = 20
"""Differences up to which every pattern is counted."""
DRAWS: Final = 1_000_000
MONTE_CARLO_ERRORS: Final = 4.0
DIGITS: Final = 12
"""What is equal on paper must be equal here: rounding errors would break ties."""

Values = NDArray[np.float64]


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
        sums = np.round(self._sums(), DIGITS)
        sides = [int((sums <= 0).sum()), int((sums >= 0).sum())]  # the empty set, 0, is on both
        drawn = int(not self.exact)  # the pattern seen counts as one of those drawn
        return min(1.0, 2 * (min(sides) + drawn) / self.patterns)

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

    def interval(self, alpha: float) -> tuple[float, float] | None:
        """The differences that a two-sided test at level ``alpha`` does not reject.

        None where so few differences cannot reject any.
        """
        if not self.can_reject(alpha):
            return None
        kept = math.floor(self._allowed(alpha)) - 1
        with np.errstate(invalid="ignore"):
            means = self._sums() / _sums_of_weights(self.sizes, self.seed)
        means = np.round(means[np.isfinite(means)], DIGITS)  # without the empty set
        last = len(means) - 1 - kept
        part = np.partition(means, sorted({kept, last}))
        return float(part[kept]), float(part[last])

    def _sums(self) -> Values:
        weighted = [stratum / (len(self.strata) * len(stratum)) for stratum in self.strata]
        return _subset_sums(np.concatenate(weighted), self.seed)


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


@lru_cache(maxsize=8)  # the same for all pairs of methods that share their seeds
def _sums_of_weights(sizes: tuple[int, ...], seed: int) -> Values:
    weights = np.concatenate([np.full(size, 1 / (len(sizes) * size)) for size in sizes])
    return _subset_sums(weights, seed)


def _subset_sums(values: Values, seed: int) -> Values:
    """The sum of every subset of the values, or of as many random ones as are drawn."""
    if len(values) <= ENUMERATED:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums, sums + value])
        return sums
    tables = [_subset_sums(values[start : start + 8], seed) for start in range(0, len(values), 8)]
    drawn = _drawn(len(tables), seed)
    return np.sum([table[one & (len(table) - 1)] for table, one in zip(tables, drawn, strict=True)], axis=0)


@lru_cache(maxsize=2)
def _drawn(groups: int, seed: int) -> NDArray[np.uint8]:
    """Random subsets of so many groups of eight, a byte for each, (groups, draws)."""
    return np.random.default_rng(seed).integers(0, 256, size=(groups, DRAWS), dtype=np.uint8)

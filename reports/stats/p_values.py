"""p values: the sign-flip test of paired differences, Holm's correction, and how one is written.

No verdict on two methods rests on a p (``verdict.py``); rules of claims may ask for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

ENUMERATED: Final = 16
"""Differences up to which every pattern is counted, 65,536 of them."""
DRAWS: Final = 200_000


def sign_flip_test(strata: Sequence[ArrayLike], seed: int = 0) -> float:
    """Two-sided p of the mean of paired differences being 0; every stratum (a task, say) weighs the same.

    Fisher 1935 (The Design of Experiments, section 21). If two scores of a pair come from one distribution
    they may be swapped, which flips the sign of their difference. All 2^n patterns are counted up to n = 16;
    above that they are drawn, and p is (b + 1) / (m + 1) (Phipson & Smyth 2010, arXiv 1603.05766). It asks
    whether all differences are symmetric about 0: strata that lie on both sides of it are noise to the test.

    Args:
        strata: the differences of each.
        seed: of the random patterns, where they are drawn.
    """
    from scipy import stats

    parts = [np.asarray(stratum, dtype=float).ravel() for stratum in strata]
    weighted = np.concatenate([part / len(part) for part in parts])
    if len(weighted) < 2:  # of two patterns both are at least as far as the one seen
        return 1.0
    exact = len(weighted) <= ENUMERATED
    size = np.abs(weighted).sum() or 1.0

    def total(values: np.ndarray, axis: int) -> np.ndarray:
        """Equal where sums differ by rounding alone: scipy tolerates a share of the sum seen, maybe 0."""
        return np.round(np.sum(values, axis=axis) / size, 12)

    found = stats.permutation_test(
        (weighted,),
        total,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf if exact else DRAWS,
        batch=1 << 14,
        rng=seed,
    )
    return float(found.pvalue)


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

"""The interval of a weighted sum of numbers that each have one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.stats.estimate import Estimate, Interval


def weighted(terms: Sequence[tuple[float, float, Interval]], n: int) -> Estimate:
    """Σ weight · value with MOVER's interval (Zou & Donner 2008, Statistics in Medicine 27, 1693).

    The distance from the sum to each end is the root of the sum of the terms' squared ones.

    Args:
        terms: weight, value and 95 % interval of each.
        n: what they rest on, all together.
    """
    value = math.fsum(weight * each for weight, each, _ in terms)
    below, above = 0.0, 0.0
    for weight, each, ends in terms:
        down, up = weight * (each - ends.low), weight * (ends.high - each)
        if weight < 0:
            down, up = -up, -down
        below, above = math.hypot(below, down), math.hypot(above, up)
    return Estimate(value, Interval(value - below, value + above), n)

"""The difference of two methods, with one interval that is the test as well.

Two samples are behind it. The *seeds*: paired differences of runs that both learned, task by task. The
*examples*: another reported split of as many examples would have given other scores, to both methods alike
where they err alike. The interval of the seeds' part is found by sign flips (``flips.py``), exact where so
few differences can reject anything at the level that is asked, and by Student's t on the strata otherwise (a
single task with three seeds, say). The examples' part is normal. The two are joined as the squares of their
half-widths (the method of variance estimates recovery, Zou & Donner 2008, doi 10.1002/sim.3095).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from reports.stats.estimate import (
    MIN_SEEDS,
    Interval,
    examples_variance,
    normal_quantile,
    quantile,
    sample_variance,
)
from reports.stats.flips import Ends, Flips, flipped

POWER: Final = 0.8
"""With which chance the smallest difference that a design could have found would have been found."""

Values = NDArray[np.float64]
Way = Literal["sign flips", "t", "none"]


@dataclass(frozen=True)
class Stratum:
    """Two methods on one task."""

    differences: Values
    """One for each seed with which both learned, (n,); positive where the first is better."""
    examples: Values | None = None
    """The differences of the examples' influences, (n, examples); None where the answers were not kept."""


@dataclass(frozen=True)
class Difference:
    """The mean over tasks of the mean over seeds, and the interval that holds the true one."""

    value: float
    interval: Interval | None
    """At the level that was asked; None where the data give none."""
    way: Way
    """How the seeds' part of the interval was found."""
    detectable: float | None
    """The smallest true difference that this design would have told from 0 in four cases of five."""
    p: float | None
    """Of the seeds' part alone, of one comparison: the sign-flip test."""
    monte_carlo_error: float
    """Of p, and so of the ends of the interval; 0 where every pattern was counted."""
    pairs: int
    tasks: int
    tasks_with_examples: int


def difference(strata: Sequence[Stratum], alpha: float, seed: int = 0) -> Difference | None:
    """Compare two methods; see :func:`differences`."""
    return differences([strata], alpha, seed)[0]


def differences(several: Sequence[Sequence[Stratum]], alpha: float, seed: int = 0) -> list[Difference | None]:
    """Compare methods two by two; None where two share no seed.

    Args:
        several: of every two methods their tasks; one without a shared seed says nothing and is passed over.
        alpha: of each interval, two-sided; for one of m comparisons, its share of the whole.
        seed: of the random sign patterns, where there are too many to count.
    """
    designs = [_design(strata, alpha, seed) for strata in several]
    found = iter(flipped([design[1] for design in designs if design], alpha))
    return [_difference(*design, *next(found), alpha) if design else None for design in designs]


def _design(strata: Sequence[Stratum], alpha: float, seed: int) -> tuple[Sequence[Stratum], Flips] | None:
    """The tasks that say something."""
    used = [stratum for stratum in strata if len(stratum.differences)]
    if not used:
        return None
    flips = Flips.of([stratum.differences for stratum in used], seed)
    enough = [stratum for stratum in used if len(stratum.differences) >= MIN_SEEDS]
    if enough and not flips.can_reject(alpha):  # by t, which a task with fewer pairs has none of
        return enough, Flips.of([stratum.differences for stratum in enough], seed)
    return used, flips


def _difference(
    used: Sequence[Stratum], flips: Flips, p: float, ends: Ends | None, alpha: float
) -> Difference:
    value = float(np.mean([stratum.differences.mean() for stratum in used]))
    seeds, way, error = _seeds(flips, ends, value, alpha)
    spread = math.sqrt(sum(_of_examples(stratum) for stratum in used)) / len(used)
    if seeds is None:
        interval, detectable = None, None
    else:
        z = normal_quantile(1 - alpha / 2)
        low = value - math.hypot(value - seeds.low, z * spread)
        high = value + math.hypot(seeds.high - value, z * spread)
        interval = Interval(low, high) if low < high else None
        more = normal_quantile(POWER) * math.hypot(error, spread)
        detectable = max(value - low, high - value) + more if interval else None
    return Difference(
        value=value,
        interval=interval,
        way=way if interval else "none",
        detectable=detectable,
        p=p,
        monte_carlo_error=flips.monte_carlo_error,
        pairs=sum(flips.sizes),
        tasks=len(used),
        tasks_with_examples=sum(stratum.examples is not None for stratum in used),
    )


def _seeds(
    flips: Flips, found: Ends | None, value: float, alpha: float
) -> tuple[Interval | None, Way, float]:
    """The seeds' part: its interval, how it was found, and its standard error."""
    sizes, parts = flips.sizes, flips.strata
    known = [sample_variance(part) / len(part) for part in parts if len(part) > 1]
    variance = np.array(known) / len(parts) ** 2
    # A task with one pair has no spread of its own: it is taken to have the mean of the others'.
    error = math.sqrt(float(variance.sum()) * len(parts) / len(known)) if known else 0.0
    if found is not None:
        return Interval(*found), "sign flips", error
    if min(sizes) < MIN_SEEDS or not variance.sum() > 0:
        return None, "none", error
    freedom = np.array([size - 1 for size in sizes])
    effective = float(variance.sum()) ** 2 / float((variance**2 / freedom).sum())
    half = quantile(effective, 1 - alpha / 2) * error
    return Interval(value - half, value + half), "t", error


def _of_examples(stratum: Stratum) -> float:
    """The variance of one task's mean difference over samples of examples."""
    return 0.0 if stratum.examples is None else examples_variance(stratum.examples)

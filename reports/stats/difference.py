"""The difference of two methods, with one interval that decides.

It is the mean over *these tasks*, the ones that were measured: that a method gains on one task and loses on
another is what the tasks are, not noise. Two samples are behind it. The *seeds*: paired differences of runs
that both learned, task by task; their part is Student's t on the tasks as strata. The *examples*: another
reported split of as many examples would have given other scores, to both methods alike where they err alike;
their part is normal. The two are joined as the squares of their half-widths (the method of variance estimates
recovery, Zou & Donner 2008, doi 10.1002/sim.3095).

How much a score varies is known poorly from five seeds, and the level of one of 36 comparisons is far out in
the tail. With the degrees of freedom that a pair's own variances give, a task that is ten times as noisy as
the others would turn 5 % of false verdicts into 8 to 14 (``docs/statistics.md``): the noisy task's variance
comes out small by chance, and with it the share that it is taken to have. So no pair has more degrees than
the variances of all comparisons together would give it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reports.stats.estimate import (
    MIN_SEEDS,
    Interval,
    examples_variance,
    normal_quantile,
    quantile,
    sample_variance,
    satterthwaite,
)

POWER: Final = 0.8
"""With which chance the smallest difference that a design could have found would have been found."""

Values = NDArray[np.float64]


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
    detectable: float | None
    """The smallest true difference that this design would have told from 0 in four cases of five."""
    p: float | None
    """Of the seeds' part alone, of one comparison: Student's t."""
    pairs: int
    by_task: Mapping[str, float]
    """The mean over seeds on each task."""
    tasks_with_examples: int

    @property
    def tasks(self) -> int:
        """On how many tasks the two are compared."""
        return len(self.by_task)

    @property
    def ahead(self) -> int:
        """On how many of them the first is ahead, by however little."""
        return sum(value > 0 for value in self.by_task.values())

    @property
    def swapped(self) -> Difference:
        """The same, seen from the second method."""
        ends = self.interval and Interval(-self.interval.high, -self.interval.low)
        by_task = {task: -value for task, value in self.by_task.items()}
        return replace(self, value=-self.value, interval=ends, by_task=by_task)


def difference(strata: Mapping[str, Stratum], alpha: float) -> Difference | None:
    """Compare two methods; see :func:`differences`."""
    return differences([strata], alpha)[0]


def differences(several: Sequence[Mapping[str, Stratum]], alpha: float) -> list[Difference | None]:
    """Compare methods two by two; None where two share no seed.

    A task with fewer than three pairs tells no spread, and is left out where another has more.

    Args:
        several: of every two methods their tasks.
        alpha: of each interval, two-sided; for one of m comparisons, its share of the whole.
    """
    used = [_used(strata) for strata in several]
    noise = _noise(used)
    return [_difference(strata, noise, alpha) if strata else None for strata in used]


def _used(strata: Mapping[str, Stratum]) -> Mapping[str, Stratum]:
    """The tasks that say something."""
    some = {task: stratum for task, stratum in strata.items() if len(stratum.differences)}
    return {task: stratum for task, stratum in some.items() if len(stratum.differences) >= MIN_SEEDS} or some


def _noise(several: Sequence[Mapping[str, Stratum]]) -> Mapping[str, float]:
    """The variance of a difference on each task, as the mean over all comparisons."""
    found: dict[str, list[float]] = {}
    for strata in several:
        for task, stratum in strata.items():
            if len(stratum.differences) >= MIN_SEEDS:
                found.setdefault(task, []).append(sample_variance(stratum.differences))
    return {task: float(np.mean(variances)) for task, variances in found.items()}


def _difference(strata: Mapping[str, Stratum], noise: Mapping[str, float], alpha: float) -> Difference:
    by_task = {task: float(stratum.differences.mean()) for task, stratum in strata.items()}
    value = float(np.mean(list(by_task.values())))
    pairs = np.array([len(stratum.differences) for stratum in strata.values()])
    spread = math.sqrt(sum(_of_examples(stratum) for stratum in strata.values())) / len(strata)
    interval = detectable = p = None
    if pairs.min() >= MIN_SEEDS:
        common = np.array([noise[task] for task in strata])
        own = np.array([sample_variance(stratum.differences) for stratum in strata.values()])
        error = math.sqrt(float((own / pairs).sum())) / len(strata)
        if error > 0:
            freedom = _freedom(own, common, pairs)
            half = math.hypot(
                quantile(freedom, 1 - alpha / 2) * error, normal_quantile(1 - alpha / 2) * spread
            )
            interval = Interval(value - half, value + half)
            detectable = half + normal_quantile(POWER) * math.hypot(error, spread)
            p = _two_sided(freedom, value / error)
    return Difference(
        value=value,
        interval=interval,
        detectable=detectable,
        p=p,
        pairs=int(pairs.sum()),
        by_task=by_task,
        tasks_with_examples=sum(stratum.examples is not None for stratum in strata.values()),
    )


def _freedom(own: Values, common: Values, pairs: NDArray[np.int_]) -> float:
    """The degrees of freedom of a mean over strata.

    With v_t = s_t² / n_t the variances of the strata's means, (Σ v_t)² / Σ (v_t² / (n_t + 1)) − 2 (Welch
    1947, Biometrika 34, 28), of which Satterthwaite's fall short where strata vary alike; for one stratum
    both are n − 1. At most Satterthwaite's by the common variances of all comparisons: of one alone, its own.
    """
    return min(satterthwaite(own / pairs, pairs + 2) - 2, satterthwaite(common / pairs, pairs))


def _two_sided(freedom: float, t: float) -> float:
    from scipy import special

    return float(2 * special.stdtr(freedom, -abs(t)))


def _of_examples(stratum: Stratum) -> float:
    """The variance of one task's mean difference over samples of examples."""
    return 0.0 if stratum.examples is None else examples_variance(stratum.examples)

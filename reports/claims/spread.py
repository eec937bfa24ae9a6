"""Do some methods vary more over seeds than others? The ratio of their standard deviations."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, field_validator

from reports.claims.finding import Finding, Plot, Point, undecided
from reports.claims.region import Region
from reports.claims.select import SCORES, Group, Pool, check_expression
from reports.records.schema import Record
from reports.stats.estimate import Estimate, Interval, mean_interval, quantile

LEAST_SEEDS = 5
"""Fewer say next to nothing of a spread."""


class Rule(Region):
    """The standard deviation over seeds of some groups, divided by that of others; geometric means of each.

    Its interval is the jackknife's of the log variance (:func:`log_sd_ratio`), which does not take scores to
    vary normally, as the F interval does; but where some runs learned nothing it misses the truth in up to a
    third of samples, and there none stands. Every group and task is a sample of its own.
    """

    kind: Literal["spread"]
    measure: str = "score"
    what: str = Field(description="the ratio, to begin a sentence with")
    of: list[Group] = Field(min_length=1, description="groups that are said to vary more")
    than: list[Group] = Field(min_length=1, description="groups that they are compared with")

    @field_validator("measure")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return value if value in SCORES else check_expression(value)


def evaluate(rule: Rule, pool: Pool) -> Finding:
    """Decide a :class:`Rule`."""
    samples: dict[str, list[list[float]]] = {"of": [], "than": []}
    points, count = [], 0
    used: list[Record] = []
    for side, terms in (("of", rule.of), ("than", rule.than)):
        for term in terms:
            records = pool.pick(term.where)
            count += len(records)
            used += records
            by_task: dict[str, list[float]] = defaultdict(list)
            for (task, _), value in pool.values(records, rule.measure).items():
                by_task[task].append(value)
            if not by_task:
                return undecided(f"{rule.what}: no trial of {term.name} has been measured.", count)
            samples[side] += by_task.values()
            points += [
                Point(
                    term.name if len(by_task) == 1 else f"{term.name}, {task}",
                    pool.steady(_sd(values), records, rule.measure),
                )
                for task, values in by_task.items()
            ]
    plot = Plot("", "standard deviation over seeds", {"with its 95 % interval": points})
    estimate = pool.steady(log_sd_ratio(samples["of"], samples["than"]), used, rule.measure)
    return Finding(rule.decide(estimate), rule.told(estimate, rule.what), estimate, count, plot)


def log_sd_ratio(of: list[list[float]], than: list[list[float]]) -> Estimate:
    """The ratio of standard deviations of two lists of samples, with a 95 % interval.

    Each sample's log variance is jackknifed (Miller 1968, Annals of Mathematical Statistics 39, 567): with s²
    of all n scores and s²₋ᵢ without the i-th, the pseudo-values n ln s² − (n − 1) ln s²₋ᵢ are nearly
    independent, so that their mean has a t interval. Means of the samples on each side are taken, the
    variances added, the degrees of freedom are Satterthwaite's, and the log of the ratio is half of it.
    """
    fewest = min(len(sample) for sample in (*of, *than))
    total = sum(len(sample) for sample in (*of, *than))
    if fewest < LEAST_SEEDS:
        note = f"a spread takes {LEAST_SEEDS} seeds of every group, and one has {fewest}"
        return Estimate(None, None, total, note)
    value, variance, freedom = 0.0, 0.0, 0.0
    for side, sign in ((of, 1), (than, -1)):
        for sample in side:
            pseudo = jackknifed(sample)
            if pseudo is None:
                note = "a group scored the same with every seed, or with all but one: its spread has no log"
                return Estimate(None, None, total, note)
            weight, n = sign / len(side), len(pseudo)
            part = weight**2 * float(np.var(pseudo, ddof=1)) / n
            value += weight * float(np.mean(pseudo))
            variance += part
            freedom += part**2 / (n - 1)
    half = quantile(variance**2 / freedom) * math.sqrt(variance) if variance > 0 else 0.0
    low, high = (math.exp((value + side) / 2) for side in (-half, half))
    return Estimate(math.exp(value / 2), Interval(low, high), total)


def jackknifed(sample: ArrayLike) -> NDArray[np.float64] | None:
    """Pseudo-values of the log variance; None where a variance, whole or without one score, is 0."""
    scores = np.asarray(sample, dtype=float)
    n = len(scores)
    without = np.array([np.var(np.delete(scores, i), ddof=1) for i in range(n)])
    if not without.all():
        return None
    return n * math.log(np.var(scores, ddof=1)) - (n - 1) * np.log(without)


def _sd(values: list[float]) -> Estimate:
    """A standard deviation with the jackknife's interval."""
    if len(values) < LEAST_SEEDS:
        return Estimate(float(np.std(values, ddof=1)) if len(values) > 1 else None, None, len(values))
    pseudo = jackknifed(values)
    if pseudo is None:
        return Estimate(float(np.std(values, ddof=1)), None, len(values))
    log = mean_interval(pseudo)
    ends = [math.exp(end / 2) for end in log.interval or (log.value or 0.0,) * 2]
    return Estimate(math.exp((log.value or 0.0) / 2), Interval(*ends), len(values))

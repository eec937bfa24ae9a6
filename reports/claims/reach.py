"""How much of something does it take to reach a share of a reference's score? With 90 % of full: d90."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

from pydantic import Field, field_validator

from reports.claims.finding import Finding, Plot, undecided
from reports.claims.region import Region, number
from reports.claims.select import SCORES, Pool, Where, check_expression, told
from reports.claims.trend import by_value, curve
from reports.stats.estimate import Estimate, mean_interval
from reports.stats.reach import shortfall, smallest


class Rule(Region):
    """The smallest value of a setting at which the score reaches a share of the reference's.

    At each value the difference score − share · reference is paired by seed. The value is the smallest with a
    mean difference of at least 0. It surely suffices where the whole t interval is at least 0, and surely
    does not where all of it is below 0; these two bound the interval, which is no finer than what was tried.
    """

    kind: Literal["reach"]
    measure: str = "score"
    what: str = Field(description="the smallest value, to begin a sentence with")
    where: Where
    over: str = Field(description="the setting, such as options.rank")
    choose: str | None = Field(None, description="setting to choose by the selection split")
    reference: Where
    share: float = Field(0.9, gt=0)

    @field_validator("measure", "over", "choose")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        return value if value is None or value in SCORES else check_expression(value)


def evaluate(rule: Rule, pool: Pool) -> Finding:
    """Decide a :class:`Rule`."""
    at = by_value(pool, rule.where, rule.over, rule.choose)
    against = pool.pick(rule.reference, rule.choose)
    reference = pool.values(against, rule.measure)
    count = sum(len(records) for records in at.values()) + len(against)
    plot = Plot(
        f"{told(rule.over)} (log scale)",
        SCORES.get(rule.measure, rule.measure),
        {rule.where.label: curve(pool, at, rule.measure)},
        log_x=True,
        level=_threshold(rule, list(reference.values())),
    )
    if not at or not reference:
        absent = rule.where.label if not at else rule.reference.label
        return undecided(f"{rule.what}: no trial of {absent} has been measured.", count, plot)
    gaps: dict[float, Estimate] = {}
    for x, records in at.items():
        by_task: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for key, value in pool.values(records, rule.measure).items():
            if key in reference:
                by_task[key[0]].append((value, reference[key]))
        gaps[x] = shortfall(by_task, rule.share)
    estimate = smallest(gaps)
    said = rule.told(estimate, rule.what)
    threshold = number(plot.level or 0.0)
    beside = f"{said} {rule.share:.0%} of {rule.reference.label} is {threshold}; tried: "
    return Finding(
        rule.decide(estimate),
        beside + ", ".join(number(x) for x in at) + ".",
        estimate,
        count,
        plot,
    )


def _threshold(rule: Rule, scores: list[float]) -> float | None:
    mean = mean_interval(scores).value
    return None if mean is None else rule.share * mean

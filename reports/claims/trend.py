"""Does a number rise or fall with a setting? The slope over doublings of it, one slope for each seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from reports.claims.finding import Finding, Plot, Point, undecided
from reports.claims.region import Region
from reports.claims.select import SCORES, Group, Pool, Where, check_expression, number_of, told
from reports.records.schema import Record
from reports.stats.estimate import stratified_mean

LEAST_VALUES = 3
"""Different values of the setting without which there is no trend."""


class Rule(Region):
    """The least-squares slope of the measure over log2 of a setting, per doubling; its t interval decides."""

    kind: Literal["trend"]
    measure: str = "score"
    what: str = Field(description="what rises or falls, to begin a sentence with")
    over: str = Field(description="the setting on the x axis, such as options.rank")
    where: Where
    choose: str | None = Field(None, description="setting to choose by the selection split at every x")
    beside: list[Group] = Field(default_factory=list, description="groups to draw for comparison")

    @field_validator("measure", "over", "choose")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        return value if value is None or value in SCORES else check_expression(value)


def evaluate(rule: Rule, pool: Pool) -> Finding:
    """Decide a :class:`Rule`."""
    at = by_value(pool, rule.where, rule.over, rule.choose)
    plot = _plot(rule, pool, at)
    count = sum(len(records) for records in at.values())
    if len(at) < LEAST_VALUES:
        reason = f"{rule.over} has {len(at)} measured values above 0, and a trend takes {LEAST_VALUES}."
        return undecided(f"{rule.what}: {reason}", count, plot)
    curves: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for x, records in at.items():
        for key, value in pool.values(records, rule.measure).items():
            curves[key].append((math.log2(x), value))
    slopes: dict[str, list[float]] = defaultdict(list)
    for (task, _), points in curves.items():
        if len(points) == len(at):  # a seed that lacks a value would bend its slope
            x, y = np.array(points).T
            slopes[task].append(float(np.polyfit(x, y, 1)[0]))
    if not slopes:
        return undecided(f"{rule.what}: no seed has every value of {rule.over}.", count, plot)
    used = [record for records in at.values() for record in records]
    estimate = pool.steady(stratified_mean(list(slopes.values())), used, rule.measure)
    what = f"{rule.what}: the change per doubling of {told(rule.over)}"
    return Finding(rule.decide(estimate), rule.told(estimate, what), estimate, count, plot)


def by_value(pool: Pool, where: Where, over: str, choose: str | None = None) -> dict[float, list[Record]]:
    """Records by the value of a setting, those where it is unknown or not above 0 left out; ascending."""
    found: dict[float, list[Record]] = defaultdict(list)
    for record in pool.pick(where):
        x = number_of(record, over)
        if x is not None and x > 0:
            found[x].append(record)
    return {x: pool.chosen(records, choose) for x, records in sorted(found.items())}


def curve(pool: Pool, at: dict[float, list[Record]], measure: str) -> list[Point]:
    """The mean at every value of the setting, with its interval over seeds."""
    means = {x: pool.mean(records, measure) for x, records in at.items()}
    return [Point(x, found) for x, found in means.items() if found.value is not None]


def _plot(rule: Rule, pool: Pool, at: dict[float, list[Record]]) -> Plot:
    series: dict[str, Sequence[Point]] = {rule.where.label: curve(pool, at, rule.measure)}
    for term in rule.beside:
        around = by_value(pool, term.where, rule.over, rule.choose)
        if around:
            series[term.name] = curve(pool, around, rule.measure)
        else:  # it has no such setting: a level line
            level = pool.mean(pool.pick(term.where, rule.choose), rule.measure)
            series[term.name] = [Point(x, level) for x in (min(at, default=1.0), max(at, default=1.0))]
    return Plot(
        f"{told(rule.over)} (log scale)",
        SCORES.get(rule.measure, rule.measure),
        series,
        log_x=True,
    )

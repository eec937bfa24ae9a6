"""Does the best setting stay the best when something else changes? What it loses to the best one there."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, field_validator

from reports.claims.finding import Finding, Plot, Point, undecided
from reports.claims.region import Region, number
from reports.claims.select import SCORES, Pool, Where, check_expression, number_of, told
from reports.records.schema import Record
from reports.stats.estimate import Estimate, stratified_mean

Cells = dict[float, dict[float, list[Record]]]
"""Records by the value of what changes, then by the setting."""


class Rule(Region):
    """The score lost by keeping the setting that is best at one value of something, at each other value.

    Best is by the mean score on the selection split, the loss is on the reported split, paired by seed. The
    claim holds when it holds at every other value, and does not when it fails at one.
    """

    kind: Literal["transfer"]
    measure: str = "score"
    what: str = Field(description="what is kept, to begin a sentence with")
    where: Where
    setting: str = Field(description="what is kept, such as protocol.learning_rate, or a product")
    across: str = Field(description="what changes, such as options.rank")
    reference: float = Field(description="the value of it at which the setting is chosen")

    @field_validator("measure", "setting", "across")
    @classmethod
    def _is_known(cls, value: str) -> str:
        return value if value in SCORES else check_expression(value)


@dataclass(frozen=True)
class Loss:
    """What the kept setting loses at one value of what changes."""

    at: float
    own: float
    """The setting that is best there."""
    estimate: Estimate


def evaluate(rule: Rule, pool: Pool) -> Finding:
    """Decide a :class:`Rule`."""
    cells = _cells(rule, pool)
    count = sum(len(records) for row in cells.values() for records in row.values())
    plot = _plot(rule, pool, cells)
    home = _nearest(cells, rule.reference)
    if home is None or len(cells) < 2:
        reason = f"it takes trials at {rule.across} = {number(rule.reference)} and at another value."
        return undecided(f"{rule.what}: {reason}", count, plot)
    kept = _best(pool, cells[home])
    losses = [_loss(rule, pool, at, row, kept) for at, row in cells.items() if at != home]
    verdicts = [rule.decide(loss.estimate) for loss in losses]
    worst = max(losses, key=lambda loss: -math.inf if loss.estimate.value is None else loss.estimate.value)
    if "not supported" not in verdicts:  # what could not be measured is then what leaves it open
        worst = next((loss for loss in losses if loss.estimate.value is None), worst)
    name, changed = told(rule.setting), told(rule.across)
    own = ", ".join(f"{number(loss.own)} at {changed} {number(loss.at)}" for loss in losses)
    said = (
        f"Chosen at {changed} {number(home)}: {name} {number(kept)}; the others' own best: {own}. "
        + rule.told(worst.estimate, f"{rule.what}: the largest loss, at {changed} {number(worst.at)},")
    )
    if "not supported" in verdicts:
        return Finding("not supported", said, worst.estimate, count, plot)
    held = all(verdict == "supported" for verdict in verdicts)
    return Finding("supported" if held else "not decided", said, worst.estimate, count, plot)


def _cells(rule: Rule, pool: Pool) -> Cells:
    found: Cells = defaultdict(lambda: defaultdict(list))
    for record in pool.pick(rule.where):
        at, setting = number_of(record, rule.across), number_of(record, rule.setting)
        if at is not None and setting is not None:
            # Products of decimal settings that are equal on paper are equal here.
            found[at][float(f"{setting:.9g}")].append(record)
    return {at: dict(sorted(row.items())) for at, row in sorted(found.items())}


def _nearest(cells: Cells, value: float) -> float | None:
    return next((at for at in cells if math.isclose(at, value, rel_tol=1e-9)), None)


def _best(pool: Pool, row: dict[float, list[Record]]) -> float:
    return max(row, key=lambda setting: pool.selected(row[setting]))


def _loss(rule: Rule, pool: Pool, at: float, row: dict[float, list[Record]], kept: float) -> Loss:
    own = _best(pool, row)
    if kept not in row:
        note = f"{number(kept)} was not tried at {number(at)}"
        return Loss(at, own, Estimate(None, None, 0, note))
    best, held = (pool.values(row[setting], rule.measure) for setting in (own, kept))
    by_task: dict[str, list[float]] = defaultdict(list)
    for key in sorted(best.keys() & held.keys()):
        by_task[key[0]].append(best[key] - held[key])
    if own == kept:
        # It loses nothing to itself; how sure it is that it is the best there, no sample of losses says.
        note = "no interval: the same setting was chosen there"
        return Loss(at, own, Estimate(0.0, None, sum(map(len, by_task.values())), note))
    found = stratified_mean(list(by_task.values()))
    return Loss(at, own, pool.steady(found, row[own] + row[kept], rule.measure))


def _plot(rule: Rule, pool: Pool, cells: Cells) -> Plot:
    changed = told(rule.across)
    series = {
        f"{changed} {number(at)}": [
            Point(setting, mean)
            for setting, records in row.items()
            if (mean := pool.mean(records, rule.measure)).value is not None
        ]
        for at, row in cells.items()
    }
    return Plot(
        f"{told(rule.setting)} (log scale)", SCORES.get(rule.measure, rule.measure), series, log_x=True
    )

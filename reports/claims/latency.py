"""A weighted sum of latency ratios: the overhead of a method, or how it changes between two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reports import text
from reports.claims.finding import Finding, Plot, Point, undecided
from reports.claims.mover import weighted
from reports.claims.region import Region
from reports.records.latency_schema import LatencyEntry, LatencyRecord
from reports.stats.estimate import Estimate
from reports.stats.latency import interval, trusted


class Cell(BaseModel):
    """One contender on one input."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weight: float = 1.0
    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    merged: bool = False
    batch: int
    length: int

    @property
    def name(self) -> str:
        """`lora, merged, 8 × 128 tokens`."""
        set_to = [f"{key} {value}" for key, value in self.options.items()]
        parts = [self.method, *set_to, *(["merged"] if self.merged else [])]
        return f"{', '.join(parts)}, {self.batch} × {self.length} tokens"

    def find(self, records: Sequence[LatencyRecord]) -> tuple[LatencyRecord, LatencyEntry] | None:
        """The comparison and the row that it means; the first of several."""
        for record in records:
            if (record.batch_size, record.sequence_length) != (self.batch, self.length):
                continue
            for entry in record.entries:
                same = all(entry.options.get(key) == value for key, value in self.options.items())
                if entry.method == self.method and entry.merged == self.merged and same:
                    return record, entry
        return None


class Rule(Region):
    """Σ weight · ratio to the untouched base, over rows of comparisons.

    The interval is put together from those of the ratios (MOVER, Zou & Donner 2008, Statistics in Medicine
    27, 1693): the distance from the value to each end is the root of the sum of the terms' squared ones.
    A comparison whose base differs from itself (A/A) decides nothing.
    """

    kind: Literal["latency"]
    what: str = Field(description="what the sum is, to begin a sentence with")
    cells: list[Cell] = Field(min_length=1)


def evaluate(rule: Rule, records: Sequence[LatencyRecord]) -> Finding:
    """Decide a :class:`Rule`."""
    found = [cell.find(records) for cell in rule.cells]
    pairs = [(cell, *hit) for cell, hit in zip(rule.cells, found, strict=True) if hit]
    points = [
        Point(cell.name, Estimate(row.ratio, interval(row), record.rounds)) for cell, record, row in pairs
    ]
    plot = Plot("", "time / the base's time", {"median, 95 % interval": points}, level=1.0)
    used = {(record.batch_size, record.sequence_length): record for _, record, _ in pairs}
    missing = [cell.name for cell, hit in zip(rule.cells, found, strict=True) if not hit]
    if missing:
        return undecided(f"{rule.what}: {missing[0]} has not been measured.", len(used), plot)
    estimate = combined([(cell.weight, row) for cell, _, row in pairs], sum(r.rounds for r in used.values()))
    said = rule.told(estimate, rule.what)
    doubtful = [record for record in used.values() if not trusted(record.control)]
    if doubtful:
        first = doubtful[0]
        reason = (
            f"In {text.plural(len(doubtful), 'comparison')} the base differs from itself (A/A), the first at "
            f"{first.batch_size} × {first.sequence_length} tokens, so the numbers cannot be trusted."
        )
        return Finding("not decided", f"{said} {reason}", estimate, len(used), plot)
    return Finding(rule.decide(estimate), said, estimate, len(used), plot)


def combined(terms: Sequence[tuple[float, LatencyEntry]], rounds: int) -> Estimate:
    """The weighted sum of ratios with MOVER's interval."""
    return weighted([(weight, row.ratio, interval(row)) for weight, row in terms], rounds)

"""A weighted sum of what records of serving many tasks say: of times, memory, or of one over another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from reports import text
from reports.claims.finding import Finding, Plot, Point, undecided
from reports.claims.mover import weighted
from reports.claims.region import Region
from reports.records.serving_schema import Mix, ServedBatch, ServingRecord, Took
from reports.stats.estimate import Estimate, Interval
from reports.stats.latency import interval, trusted
from reports.stats.serving import rows_per_second

WAYS: Final = ("mixed", "one_task", "in_turn", "merged", "merged_in_turn")
UNITS: Final = ("ms_p50", "rows_per_second")
OF_A_BATCH: Final = (*WAYS, *(f"{way}.{unit}" for way in ("base", *WAYS) for unit in UNITS))
OF_TASKS: Final = (
    *("add.ms_p50", "add_from_disk.ms_p50", "switch.ms_p50", "evict.ms_p50"),
    *("memory_bytes", "allocated_bytes", "tensor_bytes"),
)
OF_A_RECORD: Final = (
    *("base_memory_bytes", "task_tensor_bytes", "task_disk_bytes", "merged_kept_bytes"),
    *("merged_switch.ms_p50", "merged_switch_from_disk.ms_p50"),
)
LEAST: Final = 1e-9
"""What is less, of ms or rows a second, is told from 0 by nothing."""
_PAIRS: Final = {
    ("mixed", "in_turn"): "mixed_to_in_turn",
    ("mixed", "merged_in_turn"): "mixed_to_merged_in_turn",
    ("one_task", "merged"): "one_task_to_merged",
}
_SHARED: Final = ("method", "options", "mix", "tasks", "batch", "length")


class Quantity(BaseModel):
    """A number of a record: a way's time over the base's (``mixed``), its time in ms or rows a second
    (``mixed.ms_p50``, ``mixed.rows_per_second``), a time of single tasks, or bytes (``tensor_bytes`` are the
    tensors of as many tasks)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    of: str
    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    mix: Mix = "uniform"
    tasks: int | None = None
    batch: int | None = None
    length: int | None = None

    @field_validator("of")
    @classmethod
    def _is_known(cls, of: str) -> str:
        known = (*OF_A_BATCH, *OF_TASKS, *OF_A_RECORD)
        if of not in known:
            raise ValueError(f"there is no quantity {of!a:.80}, expected one of {', '.join(known)}")
        return of

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        needed = ("tasks", "batch", "length") if self.of in OF_A_BATCH else ("tasks",)
        lacking = [name for name in needed if getattr(self, name) is None]
        if self.of not in OF_A_RECORD and lacking:
            raise ValueError(f"{self.of} needs {text.listing(lacking)}")
        return self

    @property
    def unit(self) -> str:
        """Of a batch's time: empty for the ratio to the base."""
        return self.of.partition(".")[2]

    @property
    def way(self) -> str:
        """How a batch is served, or `base`."""
        return self.of.partition(".")[0]

    @property
    def said(self) -> str:
        """`in turn, ms`."""
        unit = {"": "", "ms_p50": ", ms", "rows_per_second": ", rows a second"}[self.unit]
        return self.way.removesuffix("_bytes").replace("_", " ") + unit

    @property
    def place(self) -> str:
        """`lora, rank 8, 8 × 16 tokens, 4 tasks`."""
        parts = [self.method, *(f"{key} {value}" for key, value in self.options.items())]
        parts += [f"{self.batch} × {self.length} tokens"] if self.of in OF_A_BATCH else []
        parts += [text.plural(self.tasks, "task")] if self.of not in OF_A_RECORD else []
        return ", ".join(parts)


class Term(Quantity):
    """A quantity, or how often another one is in it; what `over` does not say is as in the term."""

    weight: float = 1.0
    over: Quantity | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("over") is None:
            return data
        over = data["over"] if isinstance(data["over"], dict) else {"of": data["over"]}
        another = {"options"} if "method" in over else set()
        same = {name: data[name] for name in _SHARED if name in data and name not in another}
        return data | {"over": same | over}

    @property
    def name(self) -> str:
        """`lora, 8 × 16 tokens, 4 tasks: mixed / in turn`."""
        if self.over is None:
            return f"{self.place}: {self.said}"
        other = (
            "" if self.over.place == self.place or self.over.of in OF_A_RECORD else f" ({self.over.place})"
        )
        return f"{self.place}: {self.said} / {self.over.said}{other}"


class Rule(Region):
    """Σ weight · quantity, or quantity over another, of records of serving many tasks.

    A way is compared with the base, and with another way where the record has that, by the ratio of their
    times in the same rounds of one batch. Other quantities are compared by their quotient, whose interval on
    the logarithm is MOVER's (Zou & Donner 2008), as that of the sum is. The interval of a time of a batch is
    that of its ratio to the base, scaled; bytes are exact. A batch whose base differs from itself (A/A)
    decides nothing.
    """

    kind: Literal["serving"]
    what: str = Field(description="what the sum is, to begin a sentence with")
    terms: list[Term] = Field(min_length=1)

    def told(self, estimate: Estimate, what: str, same: str = "exactly") -> str:
        """A sentence; bytes are what they are."""
        return super().told(estimate, what, same)


@dataclass(frozen=True)
class Read:
    """A number as records have it."""

    value: float
    ends: Interval
    n: int = 1
    """Rounds, or times."""
    records: tuple[ServingRecord, ...] = ()
    batches: tuple[ServedBatch, ...] = ()
    """Whose controls it rests on."""


def evaluate(rule: Rule, records: Sequence[ServingRecord]) -> Finding:
    """Decide a :class:`Rule`."""
    reads = [_term(term, records) for term in rule.terms]
    pairs = [(t, read) for t, read in zip(rule.terms, reads, strict=True) if isinstance(read, Read)]
    points = [Point(term.name, Estimate(read.value, read.ends, read.n)) for term, read in pairs]
    relative = all(term.over or term.of in WAYS for term in rule.terms)
    level = 1.0 if relative else None
    plot = Plot("", "ratio" if relative else "value", {"95 % interval": points}, level=level)
    used = len({id(record) for _, read in pairs for record in read.records})
    reasons = [read for read in reads if isinstance(read, str)]
    if reasons:
        return undecided(f"{rule.what}: {reasons[0]}.", used, plot)
    n = sum(read.n for _, read in pairs)
    estimate = weighted([(term.weight, read.value, read.ends) for term, read in pairs], n)
    said = rule.told(estimate, rule.what)
    batches = {id(batch): batch for _, read in pairs for batch in read.batches}
    doubtful = [batch for batch in batches.values() if not trusted(batch.control)]
    if doubtful:
        first = doubtful[0]
        reason = (
            f"In {text.plural(len(doubtful), 'comparison')} the base differs from itself (A/A), the first at "
            f"{first.batch_size} × {first.sequence_length} tokens and {text.plural(first.tasks, 'task')}, so "
            "the numbers cannot be trusted."
        )
        return Finding("not decided", f"{said} {reason}", estimate, used, plot)
    return Finding(rule.decide(estimate), said, estimate, used, plot)


def _term(term: Term, records: Sequence[ServingRecord]) -> Read | str:
    """What a term is, or why that cannot be said."""
    one = _read(term, records)
    if one is None:
        return f"{term.place}: {term.said} has not been measured"
    if term.over is None:
        return one
    other = _read(term.over, records)
    if other is None:
        return f"{term.over.place}: {term.over.said} has not been measured"
    if one.batches and one.batches == other.batches and term.unit == term.over.unit:
        ends = _paired(one.batches[0], term.way, term.over.way)
        if ends:
            value, between = ends if term.unit != "rows_per_second" else _inverse(*ends)
            return Read(value, between, one.n, one.records, one.batches)
    return _quotient(one, other, f"{term.over.place}: {term.over.said}")


def _quotient(one: Read, other: Read, name: str) -> Read | str:
    """One over the other, measured apart; logarithms are subtracted."""
    if min(one.ends.low, other.ends.low) < LEAST:
        return f"{name}: it, or what is divided by it, cannot be told from 0"
    value = one.value / other.value
    logs = weighted(
        [(sign, math.log(read.value), _log(read.ends)) for sign, read in ((1.0, one), (-1.0, other))], 1
    )
    low, high = logs.interval or (0.0, 0.0)
    ends = Interval(math.exp(low), math.exp(high)) if high > low else Interval(value, value)
    return Read(value, ends, one.n + other.n, one.records + other.records, one.batches + other.batches)


def _log(ends: Interval) -> Interval:
    return Interval(math.log(ends.low), math.log(ends.high))


def _inverse(value: float, ends: Interval) -> tuple[float, Interval]:
    return 1 / value, Interval(1 / ends.high, 1 / ends.low)


def _paired(batch: ServedBatch, way: str, other: str) -> tuple[float, Interval] | None:
    """The ratio of two times of the same rounds; None where the record has none."""
    if other == "base":
        row = batch.control if way == "base" else getattr(batch, way)
        return row.ratio, interval(row)
    if (way, other) in _PAIRS:
        pair = getattr(batch, _PAIRS[way, other])
        return (pair.ratio, interval(pair)) if pair else None
    turned = _paired(batch, other, way) if (other, way) in _PAIRS or way == "base" else None
    return _inverse(*turned) if turned else None


def _read(quantity: Quantity, records: Sequence[ServingRecord]) -> Read | None:
    """The number in the first record that has it."""
    for record in records:
        same = all(record.options.get(key) == value for key, value in quantity.options.items())
        if (record.method, record.mix) == (quantity.method, quantity.mix) and same:
            found = _of_batches(quantity, record) if quantity.of in OF_A_BATCH else _alone(quantity, record)
            if found:
                return found
    return None


def _of_batches(quantity: Quantity, record: ServingRecord) -> Read | None:
    """A time of a batch."""
    place = (quantity.batch, quantity.length, quantity.tasks)
    for batch in record.batches:
        if (batch.batch_size, batch.sequence_length, batch.tasks) != place:
            continue
        row = batch.control if quantity.way == "base" else getattr(batch, quantity.way)
        if row is None:
            return None
        value, ends = row.ratio, interval(row)
        if quantity.unit:
            ms = batch.base_ms_p50 if quantity.way == "base" else row.latency_ms_p50
            value, ends = ms, Interval(ms * ends.low / row.ratio, ms * ends.high / row.ratio)
        if quantity.unit == "rows_per_second":
            value = rows_per_second(batch, ms)
            ends = Interval(*(rows_per_second(batch, end) for end in reversed(ends)))
        return Read(value, ends, batch.rounds, (record,), (batch,))
    return None


def _alone(quantity: Quantity, record: ServingRecord) -> Read | None:
    """A time of single tasks, or bytes, which are exact."""
    of: Any = record
    if quantity.of in OF_TASKS:
        of = next((one for one in record.stored if one.tasks == quantity.tasks), None)
        if of is None:
            return None
    if quantity.of == "tensor_bytes":
        value: Any = of.tasks * record.task_tensor_bytes
    else:
        value = getattr(of, quantity.way)
    if isinstance(value, Took):
        return Read(value.ms_p50, Interval(value.ms_low, value.ms_high), value.times, (record,))
    return None if value is None else Read(value, Interval(value, value), records=(record,))

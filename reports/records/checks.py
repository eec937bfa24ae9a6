"""Consistency of one record beyond the types: each fault is one sentence with its JSON path."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from reports.errors import RecordError
from reports.records.bounds import step
from reports.records.identity import identity, is_search
from reports.records.schema import Record, Tuning

RANGES = {"fraction": (0.0, 1.0), "correlation": (-1.0, 1.0)}
UNITS = (*RANGES, "points")
"""Of metrics; points begin at 0, and have no end that is told."""
TOLERANCE = 1e-6  # a metric may leave its range by float rounding

MEASURED: Final = (
    *("task.data_sha256", "task.dropped_train_examples", "parameters.stored"),
    *("task.sizes.train", "task.sizes.selection", "task.sizes.report"),
    *("memory.parameters_bytes", "memory.sequence_length", "training.padding_share"),
    *("environment.paretune_version", "environment.python", "environment.threads"),
)
"""What only a record of another suite may leave null."""


def check_record(record: Record) -> None:
    """Refuse a record whose parts contradict each other or miss what its status promises."""
    for fault in record_faults(record):
        raise RecordError(fault)


def record_faults(record: Record) -> Iterator[str]:
    """What a record contradicts itself in, so that it cannot be used; nothing for a usable one."""
    try:
        identity(record)
    except RecordError as error:
        yield str(error)
    if record.status in ("completed", "pruned"):
        for part in ("model", "task", "parameters", "scores", "training"):
            if getattr(record, part) is None:
                yield f"$.{part} is null, but the trial is marked {record.status}"
    if record.status != "completed" and not record.message:
        yield f"$.message is empty, but the trial is marked {record.status}"
    yield from _metric_faults(record)
    yield from _search_faults(record)
    counts = record.parameters
    if counts and counts.trainable != counts.method + counts.head:
        yield (
            f"$.parameters.trainable is {counts.trainable}, "
            f"but method and head add up to {counts.method + counts.head}"
        )
    if record.suite is None:
        for name in MEASURED:
            if _unmeasured(record, name):
                yield f"$.{name} is null, and only a record of another suite may not know it"


def _unmeasured(record: Record, name: str) -> bool:
    """Whether a field is null though the part that it is in is there."""
    value: Any = record
    for part in name.split("."):
        if value is None:
            return False
        value = getattr(value, part)
    return value is None


def _metric_faults(record: Record) -> Iterator[str]:
    """The main metric is declared and scored, and every value lies in the range of its unit."""
    if record.task is None:
        return
    units = {metric.name: metric.unit for metric in record.task.metrics}
    main = record.task.main_metric
    if main not in units:
        yield f"$.task.main_metric is {main!a:.80}, which is not among $.task.metrics"
        return
    if record.scores is None:
        return
    if main not in (record.scores.selection if is_search(record) else record.scores.report):
        yield f"$.scores.report has no value for the main metric {main!a:.80}"
    for path, values in _values(record):
        for name, value in values.items():
            low, high = RANGES.get(units.get(name, ""), (-math.inf, math.inf))
            if value is not None and not low - TOLERANCE <= value <= high + TOLERANCE:
                yield f"{step(path, name)} is {value}, outside {low:g} to {high:g} of its unit"


def _values(record: Record) -> Iterator[tuple[str, dict[str, float | None]]]:
    """The metric values of every split, with their path."""
    for split in ("selection", "report", "majority"):
        if record.scores is not None:
            yield f"$.scores.{split}", getattr(record.scores, split)
    for name, found in record.further_reports.items():
        path = step("$.further_reports", name)
        yield f"{path}.scores", found.scores
        yield f"{path}.majority", found.majority


def _search_faults(record: Record) -> Iterator[str]:
    """A trial of a search has not seen the reported split; a search that chose settings adds up."""
    if is_search(record) and record.scores and (record.scores.report or record.scores.majority):
        yield "$.scores.report has values, but $.spec says that this is a trial of a search"
    if is_search(record) and record.further_reports:
        yield "$.further_reports are there, but $.spec says that this is a trial of a search"
    if record.status == "pruned" and not is_search(record):
        yield "$.status is pruned, but $.spec does not say that this is a trial of a search"
    tuning = record.tuning
    if tuning is None:
        return
    if is_search(record):
        yield "$.tuning is there, but $.spec says that this is a trial of a search"
    if len(tuning.history) != tuning.trials:
        yield f"$.tuning.history has {len(tuning.history)} entries, but $.tuning.trials is {tuning.trials}"
    for name, values in (("chosen", tuning.chosen), *_tried(tuning)):
        if values.keys() != tuning.space.keys():
            yield f"$.tuning.{name} has other names than $.tuning.space"


def _tried(tuning: Tuning) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, tried in enumerate(tuning.history):
        yield f"history[{index}].values", tried.values

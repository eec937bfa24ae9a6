"""Consistency of one record beyond the types: each fault is one sentence with its JSON path."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from reports.errors import RecordError
from reports.identity import identity, is_search
from reports.schema import Record, Tuning

MAX_DEPTH = 32
MAX_INTEGER = 2**63 - 1
RANGES = {"fraction": (0.0, 1.0), "correlation": (-1.0, 1.0)}
TOLERANCE = 1e-6  # a metric may leave its range by float rounding


def check_values(data: Any) -> None:
    """Refuse what JSON readers let through: NaN, infinity, giant integers, text that is not Unicode."""
    for path, value, depth in _walk(data):
        if depth > MAX_DEPTH:
            raise RecordError(f"{path} is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, float) and not math.isfinite(value):
            raise RecordError(f"{path} is {value}, and a number that was not measured must be null")
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise RecordError(f"{path} is an integer beyond 64 bits")
        if isinstance(value, str) and not _is_unicode(value):
            raise RecordError(f"{path} holds text that is not valid Unicode")


def check_record(record: Record) -> None:
    """Refuse a record whose parts contradict each other or miss what its status promises."""
    identity(record)
    if record.status == "completed":
        for part in ("model", "task", "parameters", "scores", "training"):
            if getattr(record, part) is None:
                raise RecordError(f"$.{part} is null, but the trial is marked completed")
    elif not record.message:
        raise RecordError(f"$.message is empty, but the trial is marked {record.status}")
    _check_metrics(record)
    _check_search(record)
    counts = record.parameters
    if counts and counts.trainable != counts.method + counts.head:
        raise RecordError(
            f"$.parameters.trainable is {counts.trainable}, "
            f"but method and head add up to {counts.method + counts.head}"
        )


def _check_metrics(record: Record) -> None:
    """The main metric is declared and scored, and every value lies in the range of its unit."""
    if record.task is None:
        return
    units = {metric.name: metric.unit for metric in record.task.metrics}
    main = record.task.main_metric
    if main not in units:
        raise RecordError(f"$.task.main_metric is {main!r:.80}, which is not among $.task.metrics")
    if record.scores is None:
        return
    if main not in (record.scores.selection if is_search(record) else record.scores.report):
        raise RecordError(f"$.scores.report has no value for the main metric {main!r:.80}")
    for split in ("selection", "report", "majority"):
        values: dict[str, float | None] = getattr(record.scores, split)
        for name, value in values.items():
            low, high = RANGES.get(units.get(name, ""), (-math.inf, math.inf))
            if value is not None and not low - TOLERANCE <= value <= high + TOLERANCE:
                raise RecordError(
                    f"$.scores.{split}.{name:.80} is {value}, outside {low:g} to {high:g} of its unit"
                )


def _check_search(record: Record) -> None:
    """A trial of a search has not seen the reported split; a search that chose settings adds up."""
    if is_search(record) and record.scores and (record.scores.report or record.scores.majority):
        raise RecordError("$.scores.report has values, but $.spec says that this is a trial of a search")
    tuning = record.tuning
    if tuning is None:
        return
    if is_search(record):
        raise RecordError("$.tuning is there, but $.spec says that this is a trial of a search")
    if len(tuning.history) != tuning.trials:
        raise RecordError(
            f"$.tuning.history has {len(tuning.history)} entries, but $.tuning.trials is {tuning.trials}"
        )
    for name, values in (("chosen", tuning.chosen), *_tried(tuning)):
        if values.keys() != tuning.space.keys():
            raise RecordError(f"$.tuning.{name} has other names than $.tuning.space")


def _tried(tuning: Tuning) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, step in enumerate(tuning.history):
        yield f"history[{index}].values", step.values


def _walk(data: Any) -> Iterator[tuple[str, Any, int]]:
    """Every value with its JSON path and depth, in document order, without recursion."""
    stack: list[tuple[str, Any, int]] = [("$", data, 0)]
    while stack:
        path, value, depth = stack.pop()
        yield path, value, depth
        if isinstance(value, dict):
            stack += [(f"{path}.{key!s:.80}", child, depth + 1) for key, child in value.items()][::-1]
            stack += [(f"{path}.<name>", key, depth + 1) for key in value]
        elif isinstance(value, (list, tuple)):
            stack += [(f"{path}[{index}]", child, depth + 1) for index, child in enumerate(value)][::-1]


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

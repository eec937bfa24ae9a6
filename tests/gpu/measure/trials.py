"""Whole trials, as `paretune run` makes them, in every precision; their records lie beside the document."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from reports.records.schema import Record
from reports.records.validate import validate
from runners.plan.study import parse_study
from runners.share.validation import against_the_code
from runners.work import checking
from runners.work.execute import How, run_study

from .document import Found, Item
from .sizes import Sizes

PRECISIONS: dict[str, dict[str, Any]] = {"float32": {}, "bfloat16": {"precision": "bfloat16"}}
"""What a protocol says, by precision."""


def items(sizes: Sizes, folder: Path) -> Iterator[Item]:
    """One item a trial."""
    for name in sizes.trained_methods:
        for precision, stated in PRECISIONS.items():
            about = {"method": name, "precision": precision}
            yield Item(about, partial(_trial, sizes, folder / f"{name}-{precision}", name, stated))


def _trial(sizes: Sizes, folder: Path, method: str, stated: Mapping[str, Any]) -> Found:
    study = parse_study(
        {
            "name": f"gpu-{method}",
            "models": [sizes.trained],
            "tasks": ["rotten_tomatoes"],
            "methods": [method],
            "protocol": {**sizes.protocol, **stated},
            "costs": dict(sizes.costs),
        }
    )
    checking.check(study)
    how = How(say=lambda line: print(line, file=sys.stderr))
    (record,) = run_study(study, folder, [], how=how)
    return told(record, folder)


def told(record: Record, folder: Path) -> Found:
    """What the document tells of a trial, and whether the records of its folder hold."""
    faults = [fault for one in validate(folder, further=[against_the_code]) for fault in one.faults]
    found: Found = {
        "ok": record.status == "completed" and not faults,
        "status": record.status,
        "records": folder.name,
    }
    if record.message or faults:
        found["message"] = "; ".join(filter(None, [record.message, *faults]))
    if record.scores:
        found["score"] = record.scores.report
    if record.training:
        found["step_ms_p50"], found["step_ms_p95"] = record.training.step_ms_p50, record.training.step_ms_p95
        found["training_seconds"] = record.training.seconds
    if record.memory:
        found["peak_training_bytes"] = record.memory.peak_training_bytes
        found["memory_method"] = record.memory.method
    if record.latency:
        found["latency_ratio"] = record.latency.unmerged.ratio
    return found

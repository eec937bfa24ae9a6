"""A record that contradicts itself nowhere, and a way to spoil one place of it."""

from __future__ import annotations

import json
from typing import Any

from reports.records.identity import spec_hash
from reports.records.schema import Record


def sound(record: Record) -> dict[str, Any]:
    """The content of a record whose hash, memory and curve fit the rest."""
    data: dict[str, Any] = record.model_dump(mode="json")
    data["trial_id"] = spec_hash(data["spec"])
    if memory := data["memory"]:
        parts = ("parameters", "gradients", "optimizer", "activations", "temporary")
        memory["peak_training_bytes"] = sum(memory[f"{part}_bytes"] for part in parts)
    if data["curve"]:
        data["curve"][-1]["step"] = data["scores"]["best_step"]
    return data


def spoiled(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one value replaced; `path` is like `scores.report.accuracy` or `curve.0.step`."""
    copy: dict[str, Any] = json.loads(json.dumps(data))
    inner: Any = copy
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        inner = inner[part]
    inner[last] = value
    return copy


def as_record(data: dict[str, Any]) -> Record:
    return Record.model_validate_json(json.dumps(data))

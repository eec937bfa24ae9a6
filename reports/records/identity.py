"""What a record's spec says about *which* trial it is: the part that readers group and label by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.errors import RecordError
from reports.records.latency_schema import LatencyRecord
from reports.records.once import once
from reports.records.schema import Record, Tuning
from reports.records.serving_schema import ServingRecord


@dataclass(frozen=True)
class Identity:
    """Model, task, method and seed of one trial, with everything that may differ between two rows."""

    model: str
    task: str
    method: str
    seed: int
    options: Mapping[str, Any]
    settings: Mapping[str, Any]
    """The training protocol, how it was chosen, and any other entry of the spec, flat."""
    suite: str | None = None
    """The suite that measured it, where that is not Paretune."""
    label: str | None = None
    """What that suite calls it."""

    @property
    def section(self) -> tuple[str, str, str]:
        """Records that answer the same question: one model on one task, measured by one suite.

        A local model is what its folder holds, under whatever path.
        """
        return self.suite or "", str(self.settings.get("model_sha256") or self.model), self.task

    @property
    def variant(self) -> str:
        """Equal for two trials that differ in nothing but the seed."""
        return json.dumps([self.method, self.options, self.settings], sort_keys=True, default=str)


@once
def identity(record: Record) -> Identity:
    """Read the identity from `record.spec`; a missing or mistyped entry is a `RecordError`."""
    spec = dict(record.spec)
    model, task, method = (_take(spec, key, str) for key in ("model", "task", "method"))
    seed = _take(spec, "seed", int)
    options = _take(spec, "options", dict)
    settings = _take(spec, "protocol", dict)
    spec.pop("data", None)  # in records of before: where a machine kept its data; the hash tells which
    spec.pop("search", None)  # no trial of a search is ever compared with others
    spec.pop("halving", None)
    if isinstance(own := spec.pop("own", None), dict):  # of data of a user's own, which they are is enough
        spec["own_data"] = str(own.get("sha256"))[:12]
    suite = record.suite
    if record.method_origin is not None:  # a stranger's name and options may mean another method tomorrow
        spec["method_origin"] = record.method_origin
    if suite is None:
        spec["search"] = _search(record.tuning)
    return Identity(
        *(model, task, method, seed, options),
        settings={key: value for key, value in (spec | settings).items() if not _as_before(key, value)},
        suite=suite.name if suite else None,
        label=suite.label if suite else None,
    )


def _search(tuning: Tuning | None) -> str:
    """How settings were chosen, in few words."""
    if tuning is None:
        return "none"
    seeds = f" of {tuning.seeds} seeds" if tuning.seeds > 1 else ""
    return f"{tuning.trials} trials{seeds}, halved" if tuning.rungs else f"{tuning.trials} trials{seeds}"


def is_search(record: Record) -> bool:
    """Whether a record is a trial of a search: it has no reported score."""
    return record.spec.get("search") is True


CLAIM = "claim-"
"""What the name of a study that tests a claim begins with."""

INTRINSIC = "intrinsic"
"""What the name of a study that searches for an intrinsic dimension begins with."""

TrialKey = tuple[str, bool, str]


def trial_key(record: Record) -> TrialKey:
    """What may be there once: a trial of a study, as it was set by hand or as a search found it.

    The same trial in another study, or set another way, has the same scores and answers another question; no
    comparison takes both.
    """
    return record.trial_id, record.tuning is not None, record.study


def comparison_id(record: LatencyRecord) -> str:
    """SHA-256 of what was compared on which input, whatever the outcome, in hexadecimal."""
    content = [
        [record.model, record.weights, record.dtype, record.seed, record.environment.threads],
        [record.phase, record.batch_size, record.sequence_length, record.decode_tokens],
        [[entry.method, entry.options, entry.merged] for entry in record.entries],
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


ComparisonKey = tuple[str, str, str]


def comparison_key(record: LatencyRecord) -> ComparisonKey:
    """What may be there once: a latency comparison as it was measured at one time for one study."""
    return comparison_id(record), record.started_at, record.study


def serving_id(record: ServingRecord) -> str:
    """SHA-256 of what was served, wherever and whatever the outcome, in hexadecimal."""
    content = [
        [record.model, record.weights, record.dtype, record.seed, record.environment.threads],
        [record.method, record.options, record.mix],
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def serving_key(record: ServingRecord) -> ComparisonKey:
    """What may be there once: many tasks of a method as they were served at one time for one study."""
    return serving_id(record), record.started_at, record.study


def is_for_claim(record: Record) -> bool:
    """Whether a trial was run to test a claim; it is compared with the others of its study alone."""
    return record.study.startswith(CLAIM)


def is_for_dimensions(record: Record) -> bool:
    """Whether a trial belongs to a search for an intrinsic dimension, which has a page of its own."""
    return record.study.startswith(INTRINSIC)


def spec_hash(spec: Mapping[str, Any]) -> str:
    """The id of a trial: SHA-256 of the canonical JSON of its resolved spec, in hexadecimal.

    What is None, a switch that is off, and a setting at the value that all trials had before there was a
    choice (:data:`BEFORE`) are left out, so that a setting may be added without renaming every trial. All
    three stay apart from what is set, since a resolved spec has every setting. A local model is what its
    folder holds, not where that lies.
    """
    named = {key: value for key, value in spec.items() if key != "model" or spec.get("model_sha256") is None}
    canonical = json.dumps(_set(named), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


BEFORE: Mapping[str, Any] = {"rules": 1, "precision": "float32", "base_dtype": "float32"}
"""Settings that came later, with the value that every trial had before."""

OFF_BEFORE = (
    *("quantization", "micro_batch", "gradient_checkpointing", "attention"),
    *("generation", "text_to_text"),
)
"""Settings that came later and that no trial had before."""


def _as_before(key: str, value: Any) -> bool:
    """Whether a setting says what every trial did before there was a choice."""
    return (key in OFF_BEFORE and not value) or (key in BEFORE and BEFORE[key] == value)


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are neither None nor off nor as in :data:`BEFORE`, at every depth."""
    inner = {key: _set(value) if isinstance(value, Mapping) else value for key, value in values.items()}
    return {
        key: value
        for key, value in inner.items()
        if value is not None and value is not False and BEFORE.get(key) != value
    }


def _take(spec: dict[str, Any], key: str, kind: type) -> Any:
    if key not in spec:
        raise RecordError(f"$.spec.{key} is missing")
    value = spec.pop(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RecordError(f"$.spec.{key} is {value!a:.80}, expected {kind.__name__}")
    return value

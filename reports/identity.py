"""What a record's spec says about *which* trial it is: the part that readers group and label by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.errors import RecordError
from reports.schema import Record


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

    @property
    def section(self) -> tuple[str, str]:
        """Records that answer the same question: one model on one task."""
        return self.model, self.task

    @property
    def variant(self) -> str:
        """Equal for two trials that differ in nothing but the seed."""
        return json.dumps([self.method, self.options, self.settings], sort_keys=True, default=str)


def identity(record: Record) -> Identity:
    """Read the identity from `record.spec`; a missing or mistyped entry is a `RecordError`."""
    spec = dict(record.spec)
    model, task, method = (_take(spec, key, str) for key in ("model", "task", "method"))
    seed = _take(spec, "seed", int)
    options = _take(spec, "options", dict)
    settings = _take(spec, "protocol", dict)
    spec.pop("data", None)  # where this machine keeps the data; which data they are is in the record's hash
    spec.pop("search", None)  # no trial of a search is ever compared with others
    chosen = f"{record.tuning.trials} trials" if record.tuning else "none"
    return Identity(model, task, method, seed, options, {**spec, **settings, "search": chosen})


def is_search(record: Record) -> bool:
    """Whether a record is a trial of a search: it has no reported score."""
    return record.spec.get("search") is True


def trial_key(record: Record) -> tuple[str, bool]:
    """What may be there once: a trial, as it was set by hand or as a search found it.

    Both train the same, so that their scores are equal; they answer different questions.
    """
    return record.trial_id, record.tuning is not None


def _take(spec: dict[str, Any], key: str, kind: type) -> Any:
    if key not in spec:
        raise RecordError(f"$.spec.{key} is missing")
    value = spec.pop(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RecordError(f"$.spec.{key} is {value!r:.80}, expected {kind.__name__}")
    return value

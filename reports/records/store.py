"""Records on disk: one JSON file per trial, written atomically, read strictly."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from reports.errors import RecordError
from reports.records.atomic import write_atomically
from reports.records.bounds import check_values, loaded, step
from reports.records.checks import check_record
from reports.records.files import SEARCH_SUFFIX, Files, Sources, find
from reports.records.identity import TrialKey, identity, is_search, spec_hash, trial_key
from reports.records.schema import SCHEMA_VERSION, Record
from reports.records.uncollected import uncollected

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""A pure function from the content of one schema version to the content of the next."""


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Version 2 added the split of memory, FLOPs and floors, and what serving takes: unknown before."""
    split = (
        "gradients_bytes",
        "optimizer_bytes",
        "activations_bytes",
        "temporary_bytes",
        "peak_inference_bytes",
    )
    added = {"memory": split, "latency": ("max_input_length", "merge_logit_difference")}
    filled = {
        part: {**dict.fromkeys(names), **data[part]} if isinstance(data.get(part), dict) else data.get(part)
        for part, names in added.items()
    }
    return {**data, **filled, "compute": None, "serving": None}


def _from_2(data: dict[str, Any]) -> dict[str, Any]:
    """Version 3 added searches; before, every setting was fixed."""
    return {**data, "tuning": None}


def _from_3(data: dict[str, Any]) -> dict[str, Any]:
    """Version 4 added the answers to every example; before, the scores alone were kept."""
    return {**data, "answers": None}


def _from_4(data: dict[str, Any]) -> dict[str, Any]:
    """Version 5 took out of the spec, and so out of the id, how costs are measured."""
    spec = data.get("spec")
    protocol = spec.get("protocol") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(protocol, dict):
        return data
    kept = {name: value for name, value in protocol.items() if name not in MEASURING}
    new = {**spec, "protocol": kept}
    # An id that its own spec did not have stays as it is: it is a fault that the checks name.
    own = data.get("trial_id") == spec_hash(spec)
    return {**data, "spec": new, **({"trial_id": spec_hash(new)} if own else {})}


MEASURING: Final = ("latency_length", "latency_rounds", "score_only")
"""What the protocol of records of schema 4 and before says of how costs are measured."""


def _from_5(data: dict[str, Any]) -> dict[str, Any]:
    """Version 6 added searches that stop early, and what is computed once; before, there was neither."""
    return data


UPGRADES: Mapping[int, Upgrade] = {1: _from_1, 2: _from_2, 3: _from_3, 4: _from_4, 5: _from_5}
"""`UPGRADES[n]` turns a record of version n into version n + 1. Version 1 is the first."""


def file_name(record: Record) -> str:
    """`<task>--<method>--seed<k>--<first 12 of trial id>.json`, safe on every file system.

    A trial whose settings were searched is marked `--tuned`, and one of the search itself ends in
    :data:`SEARCH_SUFFIX`.
    """
    which = identity(record)
    trial = safe_name(record.trial_id, 12)
    name = f"{safe_name(which.task)}--{safe_name(which.method)}--seed{which.seed}--{trial}"
    if is_search(record):
        return name + SEARCH_SUFFIX
    return f"{name}--tuned.json" if record.tuning else f"{name}.json"


def write_record(record: Record, folder: Path | str) -> Path:
    """Write `record` into `folder` (made if absent) atomically; the same trial replaces its old file."""
    try:
        check_values(record.model_dump())  # before dumping as JSON, which would turn NaN into null
        name = file_name(record)
    except RecordError as error:
        raise RecordError(f"the record cannot be written: {error}.") from None
    text = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return write_atomically(Path(folder) / name, text)


def read_record(path: Path | str, *, upgrades: Mapping[int, Upgrade] = UPGRADES) -> Record:
    """Read, upgrade and check one record; every fault is one sentence with file and JSON path."""
    path = Path(path)
    try:
        record = typed(path, upgrades)
        check_record(record)
    except ValidationError as error:
        raise RecordError(f"{path}: {first_fault(error)}.") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}.") from None
    return record


def typed(path: Path, upgrades: Mapping[int, Upgrade] = UPGRADES) -> Record:
    """The record in a file, upgraded, as far as its types go.

    Raises:
        RecordError: it holds no record; one sentence without the file's name.
        ValidationError: some field has another type.
    """
    content, data = loaded(path)
    current = upgraded(data, upgrades)
    return Record.model_validate_json(content if current is data else json.dumps(current), strict=True)


def read_records(source: Sources) -> list[Record]:
    """Read a file, a folder (every `*.json` below it) or several of either, in a stable order.

    The trials of searches are left out.

    Raises:
        RecordError: a file cannot be read, is no plain file, or repeats the trial of another; one sentence.
    """
    return list(located_records(source).values())


def located_records(source: Sources) -> dict[Path, Record]:
    """The records of :func:`read_records` by the file that each comes from."""
    seen: dict[TrialKey, Path] = {}
    records = {}
    with uncollected():
        found = {path: read_record(path) for path in _plain(find(source)).trials}
    for path, record in found.items():
        key = trial_key(record)
        if is_search(record):
            raise RecordError(
                f"{path}: this is a trial of a search, whose file must end in {SEARCH_SUFFIX}, and it has no "
                "reported score."
            )
        if key in seen:
            raise RecordError(f"{path}: $.trial_id repeats that of {seen[key]}, and a trial counts once.")
        seen[key] = path
        records[path] = record
    return records


def read_searches(folder: Path | str) -> list[Record]:
    """Read the trials of searches in a folder and below it, in a stable order."""
    return [read_record(path) for path in _plain(find(folder)).searches] if Path(folder).is_dir() else []


def _plain(found: Files) -> Files:
    for path, reason in found.refused.items():
        raise RecordError(f"{path}: {reason}.")
    return found


def upgraded(data: dict[str, Any], upgrades: Mapping[int, Upgrade] = UPGRADES) -> dict[str, Any]:
    """Apply the upgrades one after another until the content has the current version."""
    while True:
        version = data.get("schema_version")
        if version == SCHEMA_VERSION and type(version) is int:
            return data
        if type(version) is not int or version not in upgrades:
            raise RecordError(
                f"$.schema_version is {version!r:.40}, and this version of paretune reads {SCHEMA_VERSION}"
            )
        data = {**upgrades[version](data), "schema_version": version + 1}


def first_fault(error: ValidationError) -> str:
    """The first fault of pydantic's list as `$.path: message`."""
    faults = type_faults(error)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{faults[0]}{more}"


def type_faults(error: ValidationError) -> list[str]:
    """Every fault of pydantic's list as `$.path: message`."""
    found = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        path = functools.reduce(step, fault["loc"], "$")
        found.append(f"{path}: {fault['msg'][:1].lower()}{fault['msg'][1:]}")
    return found


def safe_name(text: str, length: int = 60) -> str:
    """Keep letters, digits, dot, dash and underscore; never empty, never a hidden or parent name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:length].lstrip(".") or "x"

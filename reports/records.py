"""Records on disk: one JSON file per trial, written atomically, read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reports.checks import check_record, check_values
from reports.errors import RecordError
from reports.files import is_of_a_site, write_atomically
from reports.identity import identity
from reports.schema import SCHEMA_VERSION, Record

LATENCY_SUFFIX = ".latency.json"
"""Tells a latency comparison's file from a trial's record in the same folder."""

MAX_BYTES = 4_000_000  # a record of a long study is some 20 kB

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


UPGRADES: Mapping[int, Upgrade] = {1: _from_1}
"""`UPGRADES[n]` turns a record of version n into version n + 1. Version 1 is the first."""


def file_name(record: Record) -> str:
    """`<task>--<method>--seed<k>--<first 12 of trial id>.json`, safe on every file system."""
    which = identity(record)
    trial = safe_name(record.trial_id, 12)
    return f"{safe_name(which.task)}--{safe_name(which.method)}--seed{which.seed}--{trial}.json"


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
        data = _upgraded(parsed(path), upgrades)
        record = Record.model_validate_json(json.dumps(data), strict=True)
        check_record(record)
    except ValidationError as error:
        raise RecordError(f"{path}: {first_fault(error)}.") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}.") from None
    return record


def read_records(source: Path | str | Iterable[Path | str]) -> list[Record]:
    """Read a file, a folder (every `*.json` below it) or several of either, in a stable order."""
    sources = [source] if isinstance(source, (str, Path)) else list(source)
    found = dict.fromkeys(path for item in sources for path in _json_files(Path(item)))
    seen: dict[str, Path] = {}
    records = []
    for path in found:
        record = read_record(path)
        if record.trial_id in seen:
            raise RecordError(
                f"{path}: $.trial_id repeats that of {seen[record.trial_id]}, and a trial counts once."
            )
        seen[record.trial_id] = path
        records.append(record)
    return records


def _json_files(source: Path) -> list[Path]:
    if source.is_dir():
        found = (path for path in source.rglob("*.json") if path.is_file() and _is_trial(path))
        return sorted(path for path in found if not is_of_a_site(path, source))
    if not source.exists():
        raise RecordError(f"{source}: there is no such file or folder.")
    return [] if source.name.endswith(LATENCY_SUFFIX) else [source]


def _is_trial(path: Path) -> bool:
    """Whether a file of a folder is a trial's record, by its name."""
    return not path.name.startswith(".") and not path.name.endswith(LATENCY_SUFFIX)


def parsed(path: Path) -> dict[str, Any]:
    """The JSON object in a file, bounded in size and depth, with nothing that JSON does not allow."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecordError(f"the file cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise RecordError(f"$ is larger than {MAX_BYTES} bytes, which no record is")
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise RecordError(f"$ is not JSON ({reason})") from None
    check_values(data)
    if not isinstance(data, dict):
        raise RecordError(f"$ is a {type(data).__name__}, expected an object")
    return data


def _upgraded(data: dict[str, Any], upgrades: Mapping[int, Upgrade]) -> dict[str, Any]:
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
    """The first fault of pydantic's list as `$.path message`."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    path = "$"
    for part in faults[0]["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part:.80}"
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    message = faults[0]["msg"]
    return f"{path}: {message[:1].lower()}{message[1:]}{more}"


def safe_name(text: str, length: int = 60) -> str:
    """Keep letters, digits, dot, dash and underscore; never empty, never a hidden or parent name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:length].lstrip(".") or "x"

"""Latency comparisons on disk: one JSON file each, written atomically, read strictly."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from reports.errors import RecordError
from reports.records.atomic import write_atomically
from reports.records.bounds import parsed
from reports.records.files import LATENCY_SUFFIX, Sources, find
from reports.records.identity import ComparisonKey, comparison_id, comparison_key
from reports.records.latency_schema import LATENCY_SCHEMA_VERSION, LatencyRecord
from reports.records.store import first_fault, safe_name


def write_latency(record: LatencyRecord, folder: Path | str) -> Path:
    """Write a comparison into ``folder`` (made if absent) atomically; the same one replaces its old file."""
    name = f"{safe_name(record.model)}--{record.phase}--b{record.batch_size}--t{record.sequence_length}"
    content = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    return write_atomically(
        Path(folder) / f"{name}--{comparison_id(record)[:12]}{LATENCY_SUFFIX}", content + "\n"
    )


def read_latency(path: Path | str) -> LatencyRecord:
    """Read and check one comparison; every fault is one sentence with file and JSON path."""
    path = Path(path)
    try:
        data = parsed(path)
        if data.get("schema_version") != LATENCY_SCHEMA_VERSION:
            raise RecordError(
                f"$.schema_version is {data.get('schema_version')!r:.40}, and this version of paretune reads "
                f"latency comparisons of version {LATENCY_SCHEMA_VERSION}"
            )
        record = LatencyRecord.model_validate_json(json.dumps(data), strict=True)
        if len(record.entries) < 2 or any(entry.method for entry in record.entries[:2]):
            raise RecordError("$.entries must begin with the base and the base again")
    except ValidationError as error:
        raise RecordError(f"{path}: {first_fault(error)}.") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}.") from None
    return record


def read_latencies(source: Sources) -> list[LatencyRecord]:
    """Read a file, a folder (every comparison below it) or several of either; short inputs first.

    Raises:
        RecordError: a file that cannot be read, or a comparison that is there twice; one sentence.
    """
    return list(located_latencies(source).values())


def located_latencies(source: Sources) -> dict[Path, LatencyRecord]:
    """The comparisons of :func:`read_latencies` by the file that each comes from."""
    seen: dict[ComparisonKey, Path] = {}
    found = {}
    for path in find(source).latencies:
        record = read_latency(path)
        key = comparison_key(record)
        if key in seen:
            raise RecordError(f"{path}: repeats the comparison of {seen[key]}, and one counts once.")
        seen[key] = path
        found[path] = record
    return dict(sorted(found.items(), key=lambda item: latency_order(item[1])))


def latency_order(record: LatencyRecord) -> tuple[str, str, str, int, int]:
    """Sorts comparisons: of one study and model the short inputs first."""
    return record.study, record.model, record.phase, record.sequence_length, record.batch_size

"""Records of serving many tasks on disk: one JSON file each, written atomically, read strictly."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from reports.errors import RecordError
from reports.records.atomic import write_atomically
from reports.records.bounds import parsed
from reports.records.files import SERVING_SUFFIX, Sources, find
from reports.records.identity import ComparisonKey, serving_id, serving_key
from reports.records.serving_schema import SERVING_SCHEMA_VERSION, ServingRecord
from reports.records.store import first_fault, safe_name


def write_serving(record: ServingRecord, folder: Path | str) -> Path:
    """Write a record into ``folder`` (made if absent) atomically; the same one replaces its old file."""
    name = f"{safe_name(record.model)}--{safe_name(record.method)}--{record.mix}--{serving_id(record)[:12]}"
    content = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    return write_atomically(Path(folder) / f"{name}{SERVING_SUFFIX}", content + "\n")


def read_serving(path: Path | str) -> ServingRecord:
    """Read and check one record; every fault is one sentence with file and JSON path."""
    path = Path(path)
    try:
        data = parsed(path)
        if data.get("schema_version") != SERVING_SCHEMA_VERSION:
            raise RecordError(
                f"$.schema_version is {data.get('schema_version')!r:.40}, and this version of paretune reads "
                f"records of serving many tasks of version {SERVING_SCHEMA_VERSION}"
            )
        return ServingRecord.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise RecordError(f"{path}: {first_fault(error)}.") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}.") from None


def read_servings(source: Sources) -> list[ServingRecord]:
    """Read a file, a folder (every such record below it) or several of either.

    Raises:
        RecordError: a file that cannot be read, or a record that is there twice; one sentence.
    """
    seen: dict[ComparisonKey, Path] = {}
    found = []
    for path in find(source).servings:
        record = read_serving(path)
        key = serving_key(record)
        if key in seen:
            raise RecordError(f"{path}: repeats the record of {seen[key]}, and one counts once.")
        seen[key] = path
        found.append(record)
    return sorted(found, key=serving_order)


def serving_order(record: ServingRecord) -> tuple[str, str, str, str]:
    """Sorts them: of one study and model by method."""
    return record.study, record.model, record.label, record.mix

"""Latency comparisons: their files, and what is said of them. The page is in ``latency_page.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from reports import text
from reports.errors import RecordError
from reports.files import write_atomically
from reports.identity import ComparisonKey, comparison_id, comparison_key
from reports.origins import Origins, origin_of
from reports.records import LATENCY_SUFFIX, first_fault, parsed, safe_name
from reports.schema import LATENCY_SCHEMA_VERSION, LatencyEntry, LatencyRecord

PUBLISHED = Path(__file__).parent / "published" / "latency.csv"


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


def read_latencies(source: Path | str | Iterable[Path | str]) -> list[LatencyRecord]:
    """Read a file, a folder (every comparison below it) or several of either; short inputs first.

    Raises:
        RecordError: a file that cannot be read, or a comparison that is there twice; one sentence.
    """
    return list(located_latencies(source).values())


def located_latencies(source: Path | str | Iterable[Path | str]) -> dict[Path, LatencyRecord]:
    """The comparisons of :func:`read_latencies` by the file that each comes from."""
    sources = [source] if isinstance(source, (str, Path)) else list(source)
    files: dict[Path, None] = {}
    for item in map(Path, sources):
        if item.is_dir():
            files |= dict.fromkeys(path for path in sorted(item.rglob(f"*{LATENCY_SUFFIX}")))
        elif item.name.endswith(LATENCY_SUFFIX):
            files[item] = None
    seen: dict[ComparisonKey, Path] = {}
    found = {}
    for path in files:
        record = read_latency(path)
        key = comparison_key(record)
        if key in seen:
            raise RecordError(f"{path}: repeats the comparison of {seen[key]}, and one counts once.")
        seen[key] = path
        found[path] = record
    return dict(sorted(found.items(), key=lambda item: _order(item[1])))


def _order(record: LatencyRecord) -> tuple[str, str, str, int, int]:
    return record.study, record.model, record.phase, record.sequence_length, record.batch_size


class Published(BaseModel):
    """A figure that a paper prints: a row of ``published/latency.csv``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    model: str
    device: str
    method: str
    merged: bool
    batch_size: int
    sequence_length: int
    parameters: int
    latency_ms: float
    latency_ms_sd: float
    overhead_percent: float


def published(record: LatencyRecord, entry: LatencyEntry) -> Published | None:
    """What a paper prints for this model, method, input and size; sizes count as equal within a tenth."""
    ours = (record.model, record.batch_size, record.sequence_length, entry.method, entry.merged)
    for row in published_rows():
        theirs = (row.model, row.batch_size, row.sequence_length, row.method, row.merged)
        # Merged, a method costs nothing at any size; the paper gives it the size of its neighbours.
        if theirs == ours and (entry.merged or abs(row.parameters - entry.parameters) <= row.parameters / 10):
            return row
    return None


@cache
def published_rows() -> tuple[Published, ...]:
    """Every row that the project carries."""
    rows = pd.read_csv(PUBLISHED, comment="#").to_dict("records")
    return tuple(Published.model_validate(row) for row in rows)


def verdicts(record: LatencyRecord) -> list[str]:
    """Sentences on how far the figures of one comparison can be trusted."""
    control = record.control
    interval = f"{control.ratio_low:.3f}-{control.ratio_high:.3f}"
    found = [f"A/A: the base against itself is x{control.ratio:.3f} ({interval})."]
    if not record.trusted:
        found.append(
            "That interval does not contain 1.00: these numbers cannot be trusted. "
            "Run again on an idle machine."
        )
    if not record.precise:
        found.append(
            f"The time limit of {text.seconds(record.seconds_limit)} ended it after "
            f"{text.plural(record.rounds, 'round')}: the widest interval is {record.widest:.1%} wide, "
            f"{record.width_asked:.1%} was asked."
        )
    return found


_OF_THE_RECORD = {"study", "model", "dtype", "phase", "batch_size", "sequence_length"}


def frame(records: Sequence[LatencyRecord], origins: Origins | None = None) -> pd.DataFrame:
    """One row per contender and comparison, with raw numbers.

    Args:
        records: what to list.
        origins: who measured a comparison; what is not in it is self-reported.
    """
    measured = [(record, origin_of(record, origins)) for record in records]
    rows = [
        {
            **record.model_dump(include=_OF_THE_RECORD),
            **entry.model_dump(exclude={"options"}),
            "rounds": record.rounds,
            "trusted": record.trusted,
            "device": record.environment.device_name,
            "threads": record.environment.threads,
            "origin": origin.kind,
            "submitter": origin.by or None,
        }
        for record, origin in measured
        for entry in record.entries
    ]
    return pd.DataFrame(rows)

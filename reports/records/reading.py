"""All that a report is made from, read at once: what is faulty is named and left out, the rest is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reports.errors import RecordError
from reports.records.files import Sources
from reports.records.identity import comparison_key, is_search, serving_key, trial_key
from reports.records.latency_files import latency_order
from reports.records.latency_schema import LatencyRecord
from reports.records.origins import ROOT, Measured, Origins, content_key, origin_of, origins, trusted
from reports.records.schema import Record
from reports.records.serving_files import serving_order
from reports.records.serving_schema import ServingRecord
from reports.records.validate import validate

MOST_TOLD = 20
"""Faults of files that are listed where nothing is left."""


@dataclass(frozen=True)
class Reading:
    """Records by their files, who measured them, and what was left out."""

    trials: dict[Path, Record]
    latencies: dict[Path, LatencyRecord]
    servings: dict[Path, ServingRecord]
    origins: Origins
    left_out: dict[Path, str]
    """Why a file is not among them: a sentence without its end."""


def read_all(source: Sources, root: Path = ROOT) -> Reading:
    """Read files and folders as ``validate`` does.

    A trial that somebody else measured as well is kept, for that is a replication; of two files that hold the
    same one of the same origin the second is left out.

    Args:
        source: a file, a folder (every record below it) or several of either.
        root: the folder that tells who measured what; ours, except in tests.

    Raises:
        RecordError: there is no such file, or no record at all that can be taken.
    """
    left_out: dict[Path, str] = {}
    found: dict[Path, Measured] = {}
    for one in validate(source):
        path = Path(one.file)
        if one.faults:
            more = f" (and {len(one.faults) - 1} more)" if len(one.faults) > 1 else ""
            left_out[path] = one.faults[0] + more
        elif one.measured and not (one.record and is_search(one.record)):
            found[path] = one.measured
    known = origins(found, root)
    # The maintainers' first: a copy of their file takes nothing from them.
    ordered = sorted(found.items(), key=lambda item: not trusted(origin_of(item[1], known)))
    trials: dict[Path, Record] = {}
    latencies: dict[Path, LatencyRecord] = {}
    servings: dict[Path, ServingRecord] = {}
    seen: dict[object, Path] = {}
    for path, record in ordered:
        who = origin_of(record, known)
        first = seen.get(content_key(record)) or seen.get((who, _key(record)))
        if first:
            left_out[path] = f"repeats {first}, and a measurement counts once"
            continue
        seen[content_key(record)] = seen[who, _key(record)] = path
        if isinstance(record, Record):
            trials[path] = record
        elif isinstance(record, LatencyRecord):
            latencies[path] = record
        else:
            servings[path] = record
    if not trials and not latencies and not servings:
        told = "; ".join(f"{path}: {reason}" for path, reason in list(left_out.items())[:MOST_TOLD])
        raise RecordError(f"there is no record to report on{f': {told}' if told else ''}.")
    return Reading(
        trials=dict(sorted(trials.items())),
        latencies=dict(sorted(latencies.items(), key=lambda item: latency_order(item[1]))),
        servings=dict(sorted(servings.items(), key=lambda item: serving_order(item[1]))),
        origins=known,
        left_out=left_out,
    )


def _key(record: Measured) -> object:
    """What may be there once; of two kinds never the same."""
    if isinstance(record, Record):
        return trial_key(record)
    return comparison_key(record) if isinstance(record, LatencyRecord) else serving_key(record)

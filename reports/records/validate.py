"""Are these files records that a leaderboard can take? Every fault of every file, one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from reports.errors import RecordError
from reports.records.checks import record_faults
from reports.records.consistency import arithmetic_faults
from reports.records.files import LATENCY_SUFFIX, SEARCH_SUFFIX, SERVING_SUFFIX, Sources, find
from reports.records.identity import is_search
from reports.records.latency_files import read_latency
from reports.records.latency_schema import LatencyRecord
from reports.records.schema import Record
from reports.records.serving_checks import serving_faults
from reports.records.serving_files import read_serving
from reports.records.serving_schema import ServingRecord
from reports.records.store import type_faults, typed
from reports.records.timings import LEAST_RATIO
from reports.records.uncollected import uncollected

MAX_FAULTS: Final = 50  # of one file


@dataclass
class Findings:
    """What a check found: faults, and cautions, which keep a valid record out of the ranking."""

    faults: list[str] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """What could not be checked, and why."""


@dataclass
class Checked(Findings):
    """One file; ``kind`` is null where it could not be read that far, as is what it holds of its kind."""

    file: str = ""
    kind: Literal["trial", "latency", "serving"] | None = None
    record: Record | None = None
    comparison: LatencyRecord | None = None
    serving: ServingRecord | None = None

    @property
    def measured(self) -> Record | LatencyRecord | ServingRecord | None:
        """What the file holds, of whatever kind."""
        return self.record or self.comparison or self.serving

    def add(self, found: Findings) -> None:
        """Take over what a further check found."""
        self.faults += found.faults
        self.cautions += found.cautions
        self.skipped += found.skipped


Further = Callable[[Record], Findings]
"""A check that needs more than this package, such as a method's closed-form count."""


def validate(source: Sources, *, further: Sequence[Further] = ()) -> list[Checked]:
    """Check files and folders, each file by itself; what shows only in several is in ``completeness.py``.

    Args:
        source: a file, a folder (every record below it) or several of either.
        further: more checks, made on each record that has no fault yet.

    Raises:
        RecordError: there is no such file, or nothing to check.
    """
    found = find(source)
    if not found.every and not found.refused:
        sources = [source] if isinstance(source, (str, Path)) else source
        raise RecordError(f"there are no records in {', '.join(map(str, sources))}.")
    with uncollected():
        checked = [_checked(path) for path in found.every]
    for one in checked:
        if one.record and not one.faults:
            for check in further:
                one.add(check(one.record))
    refused = [Checked(file=str(path), faults=[f"$ {reason}"]) for path, reason in found.refused.items()]
    return [*checked, *refused]


def _checked(path: Path) -> Checked:
    if path.name.endswith(LATENCY_SUFFIX):
        return _latency(path)
    return _serving(path) if path.name.endswith(SERVING_SUFFIX) else _trial(path)


def _serving(path: Path) -> Checked:
    one = Checked(file=str(path), kind="serving")
    try:
        one.serving = read_serving(path)
    except RecordError as error:
        one.faults.append(str(error).removeprefix(f"{path}: ").removesuffix("."))
        return one
    one.faults += list(islice(serving_faults(one.serving), MAX_FAULTS))
    return one


def _latency(path: Path) -> Checked:
    one = Checked(file=str(path), kind="latency")
    try:
        record = read_latency(path)
    except RecordError as error:
        one.faults.append(str(error).removeprefix(f"{path}: ").removesuffix("."))
        return one
    one.comparison = record
    for index, entry in enumerate(record.entries):
        if not entry.ratio_low <= entry.ratio <= entry.ratio_high:
            one.faults.append(f"$.entries[{index}].ratio is {entry.ratio:g}, outside its interval")
        if not (entry.ratio_low >= LEAST_RATIO and entry.ratio_high <= 1 / LEAST_RATIO):
            one.faults.append(f"$.entries[{index}] has a ratio that no two models differ by")
    return one


def _trial(path: Path) -> Checked:
    one = Checked(file=str(path))
    try:
        record = typed(path)
        one.kind = "trial"
    except ValidationError as error:
        one.kind = "trial"
        one.faults += type_faults(error)[:MAX_FAULTS]
        return one
    except RecordError as error:
        one.faults.append(str(error))
        return one
    one.record = record
    if is_search(record) != path.name.endswith(SEARCH_SUFFIX):
        one.faults.append(f"$.spec.search contradicts the file's name, which ends in {SEARCH_SUFFIX} or not")
    one.faults += list(record_faults(record))[:MAX_FAULTS]
    if not one.faults:
        one.faults += list(arithmetic_faults(record))[:MAX_FAULTS]
    if record.environment.tree_clean is False:
        one.cautions.append(
            "$.environment.tree_clean is false: the commit does not say which code ran, so the record is "
            "shown apart and not ranked"
        )
    return one

"""Are these files records that a leaderboard can take? Every fault of every file, one sentence each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from reports import text
from reports.bounds import parsed
from reports.checks import record_faults
from reports.consistency import arithmetic_faults
from reports.errors import RecordError
from reports.identity import (
    ComparisonKey,
    comparison_key,
    identity,
    is_for_claim,
    is_for_dimensions,
    is_search,
)
from reports.latency import read_latency
from reports.records import LATENCY_SUFFIX, SEARCH_SUFFIX, record_files, search_files, type_faults, upgraded
from reports.schema import LatencyRecord, Record
from reports.sections import sections

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
    """One file; ``kind`` is null where it could not be read that far, as are ``record`` or ``comparison``."""

    file: str = ""
    kind: Literal["trial", "latency"] | None = None
    record: Record | None = None
    comparison: LatencyRecord | None = None

    def add(self, found: Findings) -> None:
        """Take over what a further check found."""
        self.faults += found.faults
        self.cautions += found.cautions
        self.skipped += found.skipped


Further = Callable[[Record], Findings]
"""A check that needs more than this package, such as a method's closed-form count."""


def validate(
    source: Path | str | Iterable[Path | str], *, further: Sequence[Further] = ()
) -> tuple[list[Checked], Findings]:
    """Check files and folders: each file by itself, then all that were valid beside each other.

    Args:
        source: a file, a folder (every record below it) or several of either.
        further: more checks, made on each record that has no fault yet.

    Raises:
        RecordError: there is no such file, or nothing to check.
    """
    sources = [Path(item) for item in ([source] if isinstance(source, (str, Path)) else source)]
    files = [*record_files(sources), *_others(sources)]
    if not files:
        raise RecordError(f"there are no records in {', '.join(map(str, sources))}.")
    checked = [_latency(path) if path.name.endswith(LATENCY_SUFFIX) else _trial(path) for path in files]
    for one in checked:
        if one.record and not one.faults:
            for check in further:
                one.add(check(one.record))
    return checked, _together([one for one in checked if not one.faults])


def _others(sources: Sequence[Path]) -> list[Path]:
    """The files of records that are not trials to report on: those of searches, and latency comparisons."""
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            found += search_files(source)
            found += sorted(path for path in source.rglob(f"*{LATENCY_SUFFIX}") if path.is_file())
        elif source.name.endswith((LATENCY_SUFFIX, SEARCH_SUFFIX)):
            found.append(source)
    return list(dict.fromkeys(found))


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
    if not record.trusted:
        one.cautions.append("$.entries[1]: the base against itself excludes 1, so no ratio can be trusted")
    return one


def _trial(path: Path) -> Checked:
    one = Checked(file=str(path))
    try:
        data = upgraded(parsed(path))
        one.kind = "trial"
        record = Record.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
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


def _together(checked: Sequence[Checked]) -> Findings:
    """What only shows in several records: repeats, tasks that differ, cells with missing seeds."""
    found = Findings()
    timed: dict[ComparisonKey, str] = {}
    for one in checked:
        if not one.comparison:
            continue
        first = timed.setdefault(comparison_key(one.comparison), one.file)
        if first != one.file:
            found.faults.append(f"{one.file} repeats the comparison of {first}, and one counts once")
    compared: dict[str, list[Record]] = defaultdict(list)
    for one in checked:
        if one.record and not is_search(one.record):
            alone = is_for_claim(one.record) or is_for_dimensions(one.record)
            compared[one.record.study if alone else ""].append(one.record)
    try:
        known = [section for records in compared.values() for section in sections(records)]
    except RecordError as error:
        found.faults.append(str(error).removesuffix("."))
        return found
    for section in known:
        if all(is_for_dimensions(record) for row in section.every_row for record in row.records):
            continue  # such a search tries most learning rates with one seed
        runs: dict[str, set[int]] = defaultdict(set)
        for row in section.every_row:
            runs[row.label] |= {identity(record).seed for record in row.records}
        every = set().union(*runs.values())
        where = f"{text.clean(section.task)} on {text.clean(section.model)}"
        for label, seeds in runs.items():
            if missing := every - seeds:
                listed = text.listing([str(seed) for seed in sorted(missing)[:20]])
                found.cautions.append(
                    f"$.spec.seed: {text.clean(label)} on {where} has {text.plural(len(seeds), 'seed')} and "
                    f"lacks {listed}, which other rows have, so its cell is not complete"
                )
        for row in section.apart:
            found.cautions.append(f"{text.clean(row.label)} on {where} is not ranked: {row.apart}")
    return found

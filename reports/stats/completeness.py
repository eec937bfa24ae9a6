"""What only shows in several records: repeats, tasks that differ, cells with missing seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from reports import text
from reports.records.cost_parts import LatencyRow
from reports.records.identity import (
    ComparisonKey,
    comparison_key,
    identity,
    is_for_claim,
    is_for_dimensions,
    is_search,
    serving_key,
)
from reports.records.latency_schema import LatencyRecord
from reports.records.origins import ROOT, Origin, origin_of, origins, superseded
from reports.records.serving_schema import ServingRecord
from reports.records.validate import Checked, Findings
from reports.stats.latency import trusted
from reports.stats.section import Section
from reports.stats.sections import repeats, sections


def together(files: Sequence[Checked], root: Path = ROOT) -> Findings:
    """Check the records that have no fault of their own beside each other.

    Args:
        files: what was checked, file by file.
        root: the folder that tells who measured what; ours, except in tests.
    """
    found = Findings()
    checked = [one for one in files if not one.faults]
    measured = {Path(one.file): one.measured for one in checked}
    known = origins({path: record for path, record in measured.items() if record}, root)
    timed: dict[tuple[Origin, ComparisonKey], str] = {}
    for one in checked:
        record = one.comparison or one.serving
        if not record:
            continue
        key = comparison_key(record) if isinstance(record, LatencyRecord) else serving_key(record)
        first = timed.setdefault((origin_of(record, known), key), one.file)
        if first != one.file:
            what = "comparison" if isinstance(record, LatencyRecord) else "record"
            found.faults.append(f"{one.file} repeats the {what} of {first}, and one counts once")
        found.cautions += [
            f"{one.file}: {path}: the base against itself excludes 1, so no ratio can be trusted"
            for path, control in _controls(record)
            if not trusted(control)
        ]
    compared: dict[str, list[Checked]] = defaultdict(list)
    for one in checked:
        if one.record and not is_search(one.record):
            alone = is_for_claim(one.record) or is_for_dimensions(one.record) or superseded(one.record, known)
            compared[one.record.study if alone else ""].append(one)
    for group in compared.values():
        records = [one.record for one in group if one.record]
        again = dict(repeats(records, known))
        found.faults += [f"{group[index].file}: {reason}" for index, reason in again.items()]
        kept = [record for index, record in enumerate(records) if index not in again]
        _cells(sections(kept, known), found)
    return found


def _controls(record: LatencyRecord | ServingRecord) -> list[tuple[str, LatencyRow]]:
    """Every base that was timed against itself, with its JSON path."""
    if isinstance(record, LatencyRecord):
        return [("$.entries[1]", record.control)]
    return [(f"$.batches[{index}].control", batch.control) for index, batch in enumerate(record.batches)]


def _cells(known: Sequence[Section], found: Findings) -> None:
    """Rows that lack seeds, and rows that are not ranked."""
    for section in known:
        if all(is_for_dimensions(record) for row in section.every_row for record in row.records):
            continue  # such a search tries most learning rates with one seed
        runs: dict[str, set[int]] = defaultdict(set)
        for row in section.every_row:
            runs[row.label] |= {identity(record).seed for record in row.records}
        every = set().union(*runs.values())
        where = f"{text.name(section.task)} on {text.name(section.model)}"
        for label, seeds in runs.items():
            if missing := every - seeds:
                listed = text.listing([str(seed) for seed in sorted(missing)[:20]])
                found.cautions.append(
                    f"$.spec.seed: {text.clean(label)} on {where} has {text.plural(len(seeds), 'seed')} and "
                    f"lacks {listed}, which other rows have, so its cell is not complete"
                )
        for row in section.apart:
            found.cautions.append(f"{text.clean(row.label)} on {where} is not ranked: {row.apart}")

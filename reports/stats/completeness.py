"""What only shows in several records: repeats, tasks that differ, cells with missing seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from reports import text
from reports.records.identity import (
    ComparisonKey,
    comparison_key,
    identity,
    is_for_claim,
    is_for_dimensions,
    is_search,
)
from reports.records.origins import ROOT, Origin, origin_of, origins
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
    measured = {Path(one.file): one.record or one.comparison for one in checked}
    known = origins({path: record for path, record in measured.items() if record}, root)
    timed: dict[tuple[Origin, ComparisonKey], str] = {}
    for one in checked:
        if not one.comparison:
            continue
        key = origin_of(one.comparison, known), comparison_key(one.comparison)
        first = timed.setdefault(key, one.file)
        if first != one.file:
            found.faults.append(f"{one.file} repeats the comparison of {first}, and one counts once")
        if not trusted(one.comparison.control):
            found.cautions.append(
                f"{one.file}: $.entries[1]: the base against itself excludes 1, so no ratio can be trusted"
            )
    compared: dict[str, list[Checked]] = defaultdict(list)
    for one in checked:
        if one.record and not is_search(one.record):
            alone = is_for_claim(one.record) or is_for_dimensions(one.record)
            compared[one.record.study if alone else ""].append(one)
    for group in compared.values():
        records = [one.record for one in group if one.record]
        again = dict(repeats(records, known))
        found.faults += [f"{group[index].file}: {reason}" for index, reason in again.items()]
        kept = [record for index, record in enumerate(records) if index not in again]
        _cells(sections(kept, known), found)
    return found


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

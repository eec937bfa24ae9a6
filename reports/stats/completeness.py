"""What only shows in several records: repeats, tasks that differ, cells with missing seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from reports import text
from reports.errors import RecordError
from reports.records.identity import (
    ComparisonKey,
    comparison_key,
    identity,
    is_for_claim,
    is_for_dimensions,
    is_search,
)
from reports.records.schema import Record
from reports.records.validate import Checked, Findings
from reports.stats.sections import sections


def together(files: Sequence[Checked]) -> Findings:
    """Check the records that have no fault of their own beside each other."""
    found = Findings()
    checked = [one for one in files if not one.faults]
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

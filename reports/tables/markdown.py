"""The comparison as GitHub Markdown, with foreign text made harmless."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from reports import text
from reports.errors import RecordError
from reports.records.origins import UNKNOWN, Origin, Origins
from reports.records.schema import Record
from reports.records.tuning import how_set
from reports.stats.across import Across, across
from reports.stats.aggregate import Row
from reports.stats.latency import Ratio
from reports.stats.pareto import Mark
from reports.stats.section import Section
from reports.stats.sections import sections

MARKS: Mapping[Mark, str] = {"front": "●", "not settled": "◐", "dominated": ""}
_HEADER = (
    "Method",
    "{metric}",
    "Trainable parameters",
    "Method / base",
    "Peak training memory",
    "Training time",
    "Latency, unmerged",
    "Latency, merged",
    "Checkpoint",
)
_WRITTEN = ("First token", "Next token", "Next token, merged", "Cache")
"""In place of the latencies, where the model writes."""
_LEGEND = (
    "● on the Pareto front of score against trainable parameters (method and head) in at least 95 % of "
    "resamples of the seeds, ◐ perhaps on it. Latency: time relative to the untouched base with its "
    "95 % interval over processes. – not measured or not possible."
)
_OF_WRITING = (
    " Tokens: time of the first one of a text and of each that follows, batch 1, relative to the untouched "
    "base; cache: keys and values of one text. What is of other texts or tasks is after / before, with its "
    "95 % interval over texts and seeds."
)
_FURTHER = " {names}: further report {splits}, other examples scored by the same trained models; in no rank."
_SEEDS = (
    " Scores are means over seeds, with their 95 % interval over {over}, where every seed learned something; "
    "a seed that diverged counts as the best constant answer."
)


def markdown_table(records: Sequence[Record], origins: Origins | None = None) -> str:
    """The table of methods as GitHub Markdown, one per model and task with a title when there are several.

    Rows that are not ranked make a table of their own, with the reasons.
    """
    return markdown_sections(sections(records, origins))


def markdown_sections(found: Sequence[Section]) -> str:
    """`markdown_table` of sections that are made already."""
    if not found:
        raise RecordError("there are no records to make a table from.")
    blocks = []
    for section in found:
        task, model = escape_markdown(text.name(section.task)), escape_markdown(section.where)
        title = f"**{task} on {model}**\n\n"
        first, *apart = section_tables(section)
        blocks += [(title if len(found) > 1 else "") + first, *apart]
    return "\n\n".join([*blocks, legend(found)]) + "\n"


def markdown_scores(records: Sequence[Record], origins: Origins | None = None) -> str:
    """Scores by method and task, and the range of its costs; a table for each model with several tasks."""
    found = across(sections(records, origins))
    return "\n\n".join(scores_table(item, titled=len(found) > 1) for item in found) + "\n"


def scores_table(item: Across, *, titled: bool) -> str:
    """Scores by method and task of one model, and between what the costs of these tasks lie."""
    names = []
    for section in item.sections:
        metric = section.info.main_metric if section.info else "score"
        names.append(
            f"{escape_markdown(text.name(section.task))}, {escape_markdown(metric.replace('_', ' '))}"
        )
    costs = _costs([[row for row in line.rows if row] for line in item.lines])
    names += costs
    lines = [f"| Method | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for line, *cost in zip(item.lines, *costs.values(), strict=True):
        told = [text.MISSING if row is None else text.outcome(row) for row in line.rows]
        cells = [f"**{score}**" if best else score for score, best in zip(told, line.best, strict=True)]
        lines.append(f"| {' | '.join([escape_markdown(line.label), *cells, *cost])} |")
    title = [f"**{escape_markdown(item.model)}**", ""] if titled else []
    return "\n".join([*title, *lines])


def _costs(lines: Sequence[Sequence[Row]]) -> dict[str, list[str]]:
    """By column, for every line of rows the lowest and the highest; no column of which nothing is known."""
    columns: dict[str, list[str]] = defaultdict(list)
    for rows in lines:
        sizes = [row.trainable_parameters for row in rows if row.trainable_parameters is not None]
        peaks = [row.peak_training_bytes for row in rows if row.peak_training_bytes is not None]
        columns["Trainable parameters"].append(text.span(sizes, text.count))
        columns["Peak training memory"].append(text.span(peaks, text.size))
        unmerged = [row.slower.value for row in rows if row.slower]
        merged = [row.slower_merged.value for row in rows if row.slower_merged]
        columns["Latency"].append(text.span(unmerged, text.times))
        columns["Latency, merged"].append(text.span(merged, text.times))
    return {name: cells for name, cells in columns.items() if set(cells) != {text.MISSING}}


def known_by(rows: Sequence[Row]) -> list[str]:
    """Who measured the rows, where that has to be said: not for a table of one's own results alone."""
    names: dict[Origin, list[str]] = {}
    for row in rows:
        names.setdefault(row.origin, []).append(escape_markdown(row.label))
    if set(names) <= {UNKNOWN}:
        return []
    if len(names) == 1:
        return [f"Every row: {escape_markdown(next(iter(names)).told)}."]
    told = [escape_markdown(origin.told) for origin in names]
    return [
        f"{said[:1].upper()}{said[1:]}: {', '.join(who)}."
        for said, who in zip(told, names.values(), strict=True)
    ]


def escape_markdown(foreign: object, limit: int = 200) -> str:
    """Foreign text that renders as itself in GitHub Markdown: no markup, no link, no table cell."""
    line = re.sub(r"([\\`*_{}\[\]|~#!@$]|:(?=//))", r"\\\1", text.clean(foreign, limit))
    line = re.sub(r"(?i)\b(www)\.", r"\1\\.", line)
    line = re.sub(r"^([-+=]|\d+(?=[.)]))", lambda start: _escaped_start(start[0]), line)  # a list, a heading
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped_start(start: str) -> str:
    """What begins a line, as text: the sign itself is escaped, of a number the sign after it."""
    return f"{start}\\" if start.isdigit() else f"\\{start}"


def legend(found: Sequence[Section]) -> str:
    """What the signs mean, how the settings were chosen, and who measured."""
    rows = [row for section in found for row in section.every_row]
    seeds = any(row.score.interval or row.learned for row in rows)
    over = "seeds and examples" if all(section.over_examples for section in found) else "seeds only"
    chosen = how_set([record for section in found for record in section.records]).capitalize()
    written = _OF_WRITING if any(row.decoding or row.forgetting for row in rows) else ""
    names = list(dict.fromkeys(escape_markdown(text.name(name)) for one in found for name in one.further))
    further = _FURTHER.format(names=", ".join(names), splits="splits" if len(names) > 1 else "split")
    legend = f"{f'{chosen}. ' if chosen else ''}{_LEGEND}{written}{further if names else ''}"
    legend += _SEEDS.format(over=over) if seeds else ""
    return "\n\n".join([legend, *known_by(rows)])


def section_tables(section: Section) -> list[str]:
    """The table of what is ranked; where there is more, a second one with the reasons."""
    blocks = [_table(section, section.rows)] if section.rows or not section.apart else []
    if section.apart:
        reasons = [f"* {escape_markdown(row.label)}: {escape_markdown(row.apart)}" for row in section.apart]
        blocks += ["Shown apart, not ranked:", _table(section, section.apart), "\n".join(reasons)]
    return blocks


def _table(section: Section, rows: Sequence[Row]) -> str:
    metric = section.info.main_metric if section.info else "score"
    names = [name.format(metric=escape_markdown(metric).capitalize()) for name in _HEADER]
    writes = any(row.decoding for row in rows)
    lost = [row.forgetting for row in rows]
    forgets = next((one.told for one in lost if one), None)
    timed = slice(_HEADER.index("Latency, unmerged"), _HEADER.index("Latency, merged") + 1)
    header = names[: timed.start] + list(_WRITTEN if writes else names[timed]) + names[timed.stop :]
    header += [forgets] if forgets else []
    header[2:2] = [
        f"{escape_markdown(text.name(name))}, {escape_markdown(metric)}" for name in section.further
    ]
    cells = [
        [
            *_cells(row, writes, section.further_scores(row)),
            *([_timing(one.ratio if one else None)] if forgets else []),
        ]
        for row, one in zip(rows, lost, strict=True)
    ]
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row, writes: bool, further: Sequence[text.Spread | None]) -> list[str]:
    done, total = row.statuses["completed"], len(row.records)
    note = f" ({done} of {total} completed)" if done < total else ""
    return [
        " ".join(filter(None, (escape_markdown(row.label), MARKS[row.mark]))) + note,
        text.outcome(row),
        *(text.spread(one) if one else text.MISSING for one in further),
        text.count(row.trainable_parameters),
        text.share(row.trainable_share).replace("<", "&lt;"),
        text.size(row.peak_training_bytes),
        text.training_time(row),
        *(_written(row) if writes else map(_timing, (row.unmerged, row.merged))),
        text.size(row.checkpoint_bytes),
    ]


def _written(row: Row) -> list[str]:
    found = row.decoding
    if found is None:
        return [text.MISSING] * len(_WRITTEN)
    ratios = (found.first.unmerged, found.following.unmerged, found.following.merged)
    return [*map(_timing, ratios), text.size(found.cache_bytes)]


def _timing(ratio: Ratio | None) -> str:
    return f"{text.ratio(ratio)} ({text.interval(ratio)})" if ratio else text.MISSING

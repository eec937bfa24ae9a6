"""The comparison as Markdown and CSV, with foreign text made harmless in each."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from reports import text
from reports.aggregate import Row
from reports.errors import RecordError
from reports.schema import Record
from reports.sections import Section, sections
from reports.table import compare
from reports.tuning import how_set

FRONT = "●"
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
_LEGEND = (
    f"{FRONT} on the Pareto front of score against trainable parameters (method and head). "
    "Latency: time relative to the untouched base, with its 95 % interval. – not measured or not possible."
)
_SEEDS = (
    " Scores are means over seeds, with their 95 % interval; "
    "a seed that diverged counts as the majority answer."
)


def markdown_table(records: Sequence[Record]) -> str:
    """The table of methods as GitHub Markdown, one per model and task with a title when there are several."""
    found = sections(records)
    if not found:
        raise RecordError("there are no records to make a table from.")
    blocks = []
    for section in found:
        title = f"**{escape_markdown(section.task)} on {escape_markdown(section.model)}**\n\n"
        blocks.append((title if len(found) > 1 else "") + _table(section))
    seeds = any(row.score.interval for section in found for row in section.rows)
    chosen = how_set(records).capitalize()
    return "\n\n".join([*blocks, f"{chosen}. {_LEGEND}{_SEEDS if seeds else ''}"]) + "\n"


def csv_table(records: Sequence[Record]) -> str:
    """`compare(records)` as CSV with raw numbers."""
    return safe_csv(compare(records))


def safe_csv(frame: pd.DataFrame) -> str:
    """A table as CSV; text that a spreadsheet would run as a formula gets a quote first."""
    frame = frame.copy()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].map(lambda value: _cell(value) if isinstance(value, str) else value)
    frame.columns = pd.Index([_cell(name) for name in frame.columns])
    return frame.to_csv(index=False, lineterminator="\n")


def escape_markdown(foreign: object, limit: int = 200) -> str:
    """Foreign text that renders as itself in GitHub Markdown: no markup, no link, no table cell."""
    line = re.sub(r"([\\`*_{}\[\]|~#!@$]|:(?=//))", r"\\\1", text.clean(foreign, limit))
    line = re.sub(r"(?i)\bwww\.", "www\\.", line)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _table(section: Section) -> str:
    metric = section.info.main_metric if section.info else "score"
    header = [name.format(metric=escape_markdown(metric).capitalize()) for name in _HEADER]
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *[_cells(row) for row in section.rows]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row) -> list[str]:
    done, total = row.statuses["completed"], len(row.records)
    note = f" ({done} of {total} completed)" if done < total else ""
    return [
        escape_markdown(row.label) + (f" {FRONT}" if row.on_front else "") + note,
        text.spread(row.score),
        text.count(row.trainable_parameters),
        text.share(row.trainable_share).replace("<", "&lt;"),
        text.size(row.peak_training_bytes),
        text.seconds(row.training_seconds),
        *(
            f"{text.ratio(ratio)} ({text.interval(ratio)})" if ratio else text.MISSING
            for ratio in (row.unmerged, row.merged)
        ),
        text.size(row.checkpoint_bytes),
    ]


def _cell(foreign: str) -> str:
    """Text for a spreadsheet: a leading character that starts a formula is preceded by a quote."""
    line = text.clean(foreign, limit=2000)
    return f"'{line}" if line.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) else line

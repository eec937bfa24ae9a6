"""The comparison as Markdown, CSV, JSON, LaTeX and Parquet, with foreign text made harmless in each."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pandas as pd

from reports import text
from reports.across import Across, across
from reports.aggregate import Row
from reports.board import Board
from reports.errors import RecordError
from reports.origins import UNKNOWN, Origin, Origins
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
_LATEX_HEADER = (
    "Trainable parameters",
    "Peak memory",
    "Training time",
    "Latency",
    "Latency, merged",
    "Checkpoint",
)
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{char: f"\\{char}" for char in "&%$#_"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "×": r"$\times$",
    "−": "$-$",
    "±": r"$\pm$",
    "–": "--",
    "≈": r"$\approx$",
}
_LEGEND = (
    f"{FRONT} on the Pareto front of score against trainable parameters (method and head). "
    "Latency: time relative to the untouched base, with its 95 % interval. – not measured or not possible."
)
_SEEDS = (
    " Scores are means over seeds, with their 95 % interval; "
    "a seed that diverged counts as the majority answer."
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
        title = f"**{escape_markdown(section.task)} on {escape_markdown(section.model)}**\n\n"
        first, *apart = _tables(section)
        blocks += [(title if len(found) > 1 else "") + first, *apart]
    return "\n\n".join([*blocks, _legend(found)]) + "\n"


def markdown_scores(records: Sequence[Record], origins: Origins | None = None) -> str:
    """Scores by method and task as GitHub Markdown, a table for each model that has several tasks."""
    found = across(sections(records, origins))
    return "\n\n".join(_scores(item, titled=len(found) > 1) for item in found) + "\n"


def _scores(item: Across, *, titled: bool) -> str:
    names = []
    for section in item.sections:
        metric = section.info.main_metric if section.info else "score"
        names.append(f"{escape_markdown(section.task)}, {escape_markdown(metric.replace('_', ' '))}")
    lines = [f"| Method | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)]
    for line in item.lines:
        told = [text.MISSING if row is None else text.spread(row.score) for row in line.rows]
        cells = [f"**{score}**" if best else score for score, best in zip(told, line.best, strict=True)]
        lines.append(f"| {escape_markdown(line.label)} | {' | '.join(cells)} |")
    title = [f"**{escape_markdown(item.model)}**", ""] if titled else []
    return "\n".join([*title, *lines])


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


def csv_table(records: Sequence[Record], origins: Origins | None = None) -> str:
    """`compare(records)` as CSV with raw numbers."""
    return safe_csv(compare(records, origins))


def safe_csv(frame: pd.DataFrame) -> str:
    """A table as CSV; text that a spreadsheet would run as a formula gets a quote first."""
    frame = frame.copy()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].map(lambda value: _cell(value) if isinstance(value, str) else value)
    frame.columns = pd.Index([_cell(name) for name in frame.columns])
    return frame.to_csv(index=False, lineterminator="\n")


def json_table(frame: pd.DataFrame) -> str:
    """A table as a JSON list of objects with raw numbers; what is unknown is null."""
    return frame.to_json(orient="records", indent=1, double_precision=15) + "\n"


def parquet_table(frame: pd.DataFrame) -> bytes:
    """A table as Parquet with its types: ``pandas.read_parquet`` gives it back."""
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def markdown_report(board: Board) -> str:
    """The front page as Markdown: the answers and the tables."""
    parts = [f"# {escape_markdown(board.title)}"]
    for item in board.overall:
        name = escape_markdown(text.measured(item.model, item.suite))
        parts.append(f"## All {len(item.tasks)} tasks on {name}")
        parts.append(escape_markdown(" ".join(item.sentences), limit=20_000))
    for table in board.across:
        parts.append(f"## Scores by task on {escape_markdown(text.measured(table.model, table.suite))}")
        parts.append(_scores(table, titled=False))
    for view in board.views:
        section = view.section
        parts.append(f"## {escape_markdown(section.task)} on {escape_markdown(section.model)}")
        parts.append(escape_markdown(" ".join(view.answer), limit=20_000))
        parts += _tables(section)
    return "\n\n".join([*parts, _legend([view.section for view in board.views])]) + "\n"


def latex_table(records: Sequence[Record], origins: Origins | None = None) -> str:
    """The table of methods for the booktabs package, one ``table`` per model and task.

    Rows that are not ranked stand below a rule of their own.
    """
    found = sections(records, origins)
    if not found:
        raise RecordError("there are no records to make a table from.")
    return latex_sections(found)


def latex_sections(found: Sequence[Section]) -> str:
    """The same of records that are grouped already."""
    return "% \\usepackage{booktabs}\n" + "\n".join(_latex(section) for section in found)


def escape_latex(foreign: object, limit: int = 200) -> str:
    """Foreign text that LaTeX prints as itself, and never runs."""
    return "".join(_LATEX.get(char, char) for char in text.clean(foreign, limit))


def escape_markdown(foreign: object, limit: int = 200) -> str:
    """Foreign text that renders as itself in GitHub Markdown: no markup, no link, no table cell."""
    line = re.sub(r"([\\`*_{}\[\]|~#!@$]|:(?=//))", r"\\\1", text.clean(foreign, limit))
    line = re.sub(r"(?i)\b(www)\.", r"\1\\.", line)
    line = re.sub(r"^([-+=]|\d+(?=[.)]))", lambda start: _escaped_start(start[0]), line)  # a list, a heading
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped_start(start: str) -> str:
    """What begins a line, as text: the sign itself is escaped, of a number the sign after it."""
    return f"{start}\\" if start.isdigit() else f"\\{start}"


def _legend(found: Sequence[Section]) -> str:
    """What the signs mean, how the settings were chosen, and who measured."""
    rows = [row for section in found for row in section.every_row]
    seeds = any(row.score.interval for row in rows)
    chosen = how_set([record for section in found for record in section.records]).capitalize()
    legend = f"{f'{chosen}. ' if chosen else ''}{_LEGEND}{_SEEDS if seeds else ''}"
    return "\n\n".join([legend, *known_by(rows)])


def _tables(section: Section) -> list[str]:
    """The table of what is ranked; where there is more, a second one with the reasons."""
    blocks = [_table(section, section.rows)] if section.rows or not section.apart else []
    if section.apart:
        reasons = [f"* {escape_markdown(row.label)}: {escape_markdown(row.apart)}" for row in section.apart]
        blocks += ["Shown apart, not ranked:", _table(section, section.apart), "\n".join(reasons)]
    return blocks


def _latex(section: Section) -> str:
    metric = section.info.main_metric if section.info else "score"
    header = ["Method", escape_latex(metric).capitalize(), *_LATEX_HEADER]
    apart = [
        r"\midrule",
        rf"\multicolumn{{{len(header)}}}{{l}}{{Not ranked}} \\",
        *map(_latex_cells, section.apart),
    ]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape_latex(section.task)} on {escape_latex(section.model)}. "
            r"$\bullet$: on the Pareto front of score against trainable parameters.}",
            r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}",
            r"\toprule",
            rf"{' & '.join(header)} \\",
            r"\midrule",
            *map(_latex_cells, section.rows),
            *(apart if section.apart else []),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex_cells(row: Row) -> str:
    cells = (
        text.spread(row.score),
        text.count(row.trainable_parameters),
        text.size(row.peak_training_bytes),
        text.seconds(row.training_seconds),
        text.ratio(row.unmerged),
        text.ratio(row.merged),
        text.size(row.checkpoint_bytes),
    )
    label = escape_latex(row.label) + (r"$^\bullet$" if row.on_front else "")
    return rf"{' & '.join([label, *map(escape_latex, cells)])} \\"


def _table(section: Section, rows: Sequence[Row]) -> str:
    metric = section.info.main_metric if section.info else "score"
    header = [name.format(metric=escape_markdown(metric).capitalize()) for name in _HEADER]
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *[_cells(row) for row in rows]]
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

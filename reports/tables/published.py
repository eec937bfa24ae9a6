"""What papers print for a task, as GitHub Markdown: apart from what was measured here, and in no rank."""

from __future__ import annotations

from collections.abc import Sequence

from reports import text
from reports.records.published import PublishedTable, tables_on
from reports.stats.section import Section
from reports.tables.markdown import escape_markdown

_SAID = (
    "As papers print them: other models, other settings, other seeds. They are here for orientation and are "
    "in no rank, front or mean."
)


def published_markdown(task: str, found: Sequence[Section]) -> list[str]:
    """A title, what the numbers are, and a table for each source; nothing where no paper is carried.

    Args:
        task: its name.
        found: what was measured on it.
    """
    tables = tables_on(task)
    if not tables:
        return []
    blocks = [f"## Published elsewhere: {escape_markdown(text.name(task))}", _SAID]
    for table in tables:
        blocks += [escape_markdown(about(table, found), limit=1000), _table(table)]
    return blocks


def about(table: PublishedTable, found: Sequence[Section]) -> str:
    """Where a table is from, what its stars are, and which of its metrics no record of the task has."""
    ours = {metric.name for section in found if section.info for metric in section.info.metrics}
    missing = ", ".join(_metric(metric) for metric in table.metrics if metric not in ours)
    starred = any(line.printed.endswith("*") for line in table.lines)
    return " ".join(
        filter(
            None,
            (
                f"{table.source}.",
                "* is the paper’s own mark: it took these numbers from elsewhere." if starred else "",
                f"Not measured here: {missing}." if missing else "",
            ),
        )
    )


def _table(table: PublishedTable) -> str:
    header = ["Method", "Model", *map(_metric, table.metrics), "Trained parameters"]
    lines = [[escape_markdown(name) for name in header], ["---", "---", *["---:"] * (len(header) - 2)]]
    for line in table.lines:
        scores = [line.scores.get(metric) for metric in table.metrics]
        told = [text.printed(one.score, one.plus_minus) if one else text.MISSING for one in scores]
        names = [escape_markdown(line.printed), escape_markdown(line.model)]
        lines.append([*names, *told, text.count(line.parameters)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _metric(name: str) -> str:
    return name.replace("_", " ")

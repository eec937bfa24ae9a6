"""The front page of a site as Markdown."""

from __future__ import annotations

from reports import text
from reports.site.parts.board import Board
from reports.tables.markdown import escape_markdown, legend, scores_table, section_tables
from reports.tables.published import published_markdown


def markdown_report(board: Board) -> str:
    """The front page as Markdown: the answers, the tables, and apart from them what papers print."""
    parts = [f"# {escape_markdown(board.title)}", *map(escape_markdown, board.superseded)]
    for item in board.overall:
        name = escape_markdown(text.measured(item.model, item.suite))
        parts.append(f"## All {len(item.tasks)} tasks on {name}")
        parts.append(escape_markdown(" ".join(item.sentences), limit=20_000))
    for table in board.across:
        parts.append(f"## Scores by task on {escape_markdown(text.measured(table.model, table.suite))}")
        parts.append(scores_table(table, titled=False))
    for view in board.views:
        section = view.section
        reported = ", reported by others" if section.reported else ""
        parts.append(
            f"## {escape_markdown(text.name(section.task))} on {escape_markdown(text.name(section.model))}"
            f"{reported}"
        )
        parts.append(escape_markdown(" ".join(view.answer), limit=20_000))
        parts += section_tables(section)
    for task in board.tasks:
        parts += published_markdown(task, [view.section for view in board.views if view.section.task == task])
    return "\n\n".join([*parts, legend([view.section for view in board.views])]) + "\n"

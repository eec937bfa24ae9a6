"""A page for each task: every model's comparison on it, and what papers print for it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from reports import text
from reports.records.published import tables_on
from reports.site.front import BOARD_SCRIPTS
from reports.site.parts.board import Board, View
from reports.site.parts.figures import Figure, figure_json, learning_curves, seed_dots
from reports.site.parts.html import Page
from reports.site.parts.links import task_page
from reports.tables.published import about


def task_pages(board: Board) -> list[Page]:
    """One for each task, and the list of them."""
    return [*(_page(board, task) for task in board.tasks), _index(board)]


def figure(name: str, content: Figure | None) -> tuple[str, Markup] | None:
    """A figure under an id that the page's script finds it by."""
    return (name, Markup(figure_json(content))) if content else None


def _page(board: Board, task: str) -> Page:
    views = [view for view in board.views if view.section.task == task]
    ranked = [view for view in views if view.section.rows]
    card = board.catalogue.task(task)
    context = {
        "board": board,
        "task": task,
        "card": card,
        "views": [(view, _figures(view)) for view in views],
        "ranked": ranked,
        "published": [(about(table, [view.section for view in views]), table) for table in tables_on(task)],
        "origins": _origins(board, task),
    }
    return Page(
        board.paths.folder + task_page(task),
        text.clean(card.title if card else task),
        "task.html.j2",
        context,
        scripts=BOARD_SCRIPTS if ranked else (),
        about=text.clean(views[0].answer[0], 300),
    )


def _figures(view: View) -> dict[str, Any]:
    return {
        "seeds": figure(f"{view.anchor}-seed-dots", seed_dots(view.section)),
        "curves": figure(f"{view.anchor}-curves", learning_curves(view.section)),
    }


def _origins(board: Board, task: str) -> list[str]:
    """Whose a task is, by its records and its card; nothing for one of Paretune's."""
    rows = (row for view in board.views if view.section.task == task for row in view.section.every_row)
    told = {record.task.origin for row in rows for record in row.records if record.task}
    card = board.catalogue.task(task)
    return sorted({*filter(None, told), *([card.origin] if card and card.origin else [])})


def _index(board: Board) -> Page:
    rows = [
        (
            task,
            board.catalogue.task(task),
            [view for view in board.views if view.section.task == task],
            _origins(board, task),
        )
        for task in board.tasks
    ]
    rows.sort(key=lambda row: -sum(view.decided for view in row[2]))  # what tells methods apart comes first
    folder = board.paths.folder
    return Page(f"{folder}tasks/index.html", "Tasks", "tasks.html.j2", {"rows": rows, "folder": folder})

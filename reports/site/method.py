"""A page for each method: what it is, where it acts, its options, its counts and every result."""

from __future__ import annotations

import textwrap
from typing import Any, Literal

from reports import text
from reports.records.published import counts_of
from reports.site.parts.block_figure import drawing
from reports.site.parts.board import Board
from reports.site.parts.catalogue import MethodCard
from reports.site.parts.html import Page
from reports.site.parts.links import method_page

Block = tuple[Literal["text", "formula", "list"], list[str]]


def method_pages(board: Board) -> list[Page]:
    """One for each method with results or a card, and the list of them."""
    names = sorted({*board.methods, *(card.name for card in board.catalogue.methods)})
    return [*(_page(board, name) for name in names), _index(board, names)]


def blocks(notes: str) -> list[Block]:
    """Notes as paragraphs, formulas (indented) and lists (`* `)."""
    found: list[Block] = []
    for part in notes.split("\n\n"):
        lines = part.strip("\n").splitlines()
        if not any(line.strip() for line in lines):
            continue
        if all(line.startswith("    ") for line in lines if line.strip()):
            found.append(("formula", textwrap.dedent(part.strip("\n")).splitlines()))
        elif part.lstrip().startswith("* "):
            items = ("\n" + part.strip()).split("\n* ")[1:]
            found.append(("list", [" ".join(item.split()) for item in items]))
        else:
            found.append(("text", [" ".join(part.split())]))
    return found


def _page(board: Board, name: str) -> Page:
    card = board.catalogue.method(name)
    rows = [
        (view, row) for view in board.views for row in view.section.every_row if row.identity.method == name
    ]
    context: dict[str, Any] = {
        "name": name,
        "card": card,
        "notes": blocks(card.notes) if card else [],
        "drawing": drawing(card.places) if card else None,
        "rows": rows,
        "references": counts_of(name),
        "origins": _origins(board, name),
    }
    about = text.clean(card.summary if card else f"Every result of {name}")
    return Page(
        board.paths.folder + method_page(name),
        name,
        "method.html.j2",
        context,
        scripts=("dataTables.min.js", "tables.js") if rows else (),
        about=about,
    )


def _origins(board: Board, name: str) -> list[str]:
    """Whose a method is, by its records and its card; nothing for one of Paretune's."""
    rows = (row for view in board.views for row in view.section.every_row if row.identity.method == name)
    told = {record.method_origin for row in rows for record in row.records}
    card = board.catalogue.method(name)
    return sorted({*filter(None, told), *([card.origin] if card and card.origin else [])})


def _index(board: Board, names: list[str]) -> Page:
    rows: list[tuple[str, MethodCard | None, int, list[str]]] = [
        (
            name,
            board.catalogue.method(name),
            sum(row.identity.method == name for view in board.views for row in view.section.every_row),
            _origins(board, name),
        )
        for name in names
    ]
    folder = board.paths.folder
    return Page(f"{folder}methods/index.html", "Methods", "methods.html.j2", {"rows": rows, "folder": folder})

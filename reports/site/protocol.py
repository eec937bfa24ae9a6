"""The protocol page: splits, seeds, settings, what every field means, and what must not be compared."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from reports.records.schema import Record
from reports.site.parts.board import Board
from reports.site.parts.html import Page


def protocol_page(board: Board) -> Page:
    """What holds for all results, and each comparison's own facts."""
    models = [card for name in board.models if (card := board.catalogue.model(name))]
    context = {"board": board, "models": models, "warnings": _warnings(board), "fields": fields(Record)}
    context["drawn"] = board.catalogue.drawn_together(view.section.task for view in board.views)
    about = "Splits, seeds, settings and the meaning of every number."
    return Page("protocol.html", "How it was measured", "protocol.html.j2", context, about=about)


def fields(kind: type[BaseModel]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every part of a record that has fields, with what its numbers mean."""
    found = []
    for name, field in kind.model_fields.items():
        parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                found.append((name, [(key, value.description or "") for key, value in _described(part)]))
    return [(name, rows) for name, rows in found if rows]


def _described(part: type[BaseModel]) -> list[tuple[str, Any]]:
    return [(name, field) for name, field in part.model_fields.items() if field.description]


def _warnings(board: Board) -> list[tuple[Any, str]]:
    return [(view, warning) for view in board.views for warning in view.provenance.warnings]

"""The page on intrinsic dimension: every search for d90, with its curve."""

from __future__ import annotations

from reports.board import Board
from reports.html import Page
from reports.intrinsic import curves
from reports.intrinsic_page import views

TITLE = "How many dimensions are enough?"


def intrinsic_page(board: Board) -> Page | None:
    """None where there is no search over dimensions of a random subspace."""
    found = [] if board.measured_by else curves(board.records)
    if not found:
        return None
    about = "The fewest dimensions of a random subspace that reach 90 % of full fine-tuning."
    return Page(
        "intrinsic.html",
        TITLE,
        "intrinsic.html.j2",
        {"views": views(found)},
        (("intrinsic.csv", "CSV"),),
        ("plotly.min.js", "figures.js"),
        about,
    )

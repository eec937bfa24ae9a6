"""The memory page: what the peak of a training step consists of, for every comparison."""

from __future__ import annotations

from reports.site.parts.board import Board
from reports.site.parts.figures import memory_bars
from reports.site.parts.html import FIGURES, Page
from reports.site.task import figure


def memory_page(board: Board) -> Page | None:
    """None where no record splits its memory."""
    views = [
        (view, found)
        for view in board.views
        if (found := figure(f"{view.anchor}-memory-bars", memory_bars(view.section.rows)))
    ]
    if not views:
        return None
    about = "Parameters, gradients, optimiser state and activations at the peak of a training step."
    return Page(
        "memory.html",
        "What does a method cost in memory?",
        "memory.html.j2",
        {"views": views},
        (("trials.csv", "CSV"), ("trials.parquet", "Parquet")),
        FIGURES,
        about,
    )

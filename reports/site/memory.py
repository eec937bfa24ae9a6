"""The memory page: what the peak of a training step consists of, for every comparison."""

from __future__ import annotations

from reports.site.parts.board import Board
from reports.site.parts.figures import memory_bars
from reports.site.parts.html import FIGURES, Page
from reports.site.task import figure

KINDS = (("csv", "CSV"), ("parquet", "Parquet"))


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
        board.paths.memory,
        "What does a method cost in memory?",
        "memory.html.j2",
        {"views": views, "folder": board.paths.folder},
        tuple((f"{board.paths.prefix}trials.{suffix}", kind) for suffix, kind in KINDS),
        FIGURES,
        about,
    )

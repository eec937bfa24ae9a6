"""The latency page: overhead against batch size and input length."""

from __future__ import annotations

from reports.board import Board
from reports.html import Page
from reports.latency_page import groups

TITLE = "What does a method cost at inference?"


def latency_page(board: Board) -> Page | None:
    """Every latency comparison, with its figure; None where there is none."""
    if not board.latencies:
        return None
    about = "Inference time over the untouched base, by batch size and input length, with intervals."
    return Page(
        "latency.html",
        TITLE,
        "latency.html.j2",
        {"groups": groups(board.latencies, board.origins)},
        (("latency.csv", "CSV"),),
        ("plotly.min.js", "figures.js"),
        about,
    )

"""The page that lists boards in whose place others have come: what they are, and why they are not ranked."""

from __future__ import annotations

from collections.abc import Sequence

from reports.site.parts.board import Board
from reports.site.parts.html import Page
from reports.site.parts.paths import SUPERSEDED


def superseded_page(boards: Sequence[Board]) -> Page:
    """Each board with the reason and the way to it."""
    about = "Boards that are kept to be read, and ranked with nothing else."
    return Page(SUPERSEDED, "Superseded boards", "superseded.html.j2", {"boards": boards}, about=about)

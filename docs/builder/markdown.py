"""Small pieces of Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])


def cell(text: str) -> str:
    """Words as a cell of a table: on one line, and without what would end the cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")

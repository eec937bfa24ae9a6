"""Where the pages and tables of a board go: the one that a site is about, and those beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paths:
    """Where the pages and tables of a board go, from the site's root."""

    page: str = "index.html"
    table: str = "table"
    """Stem of its tables of methods."""
    prefix: str = ""
    """Of its other tables."""
    results: str = "results.html"
    """The page of every method on every task."""
    compare: str = "compare.html"
    """The page of any two methods."""
    embedded: str = "embed.html"
    """The figure alone, for other sites to put into a frame."""
    memory: str = "memory.html"
    """What the peak of training memory consists of."""
    folder: str = ""
    """Of its pages of tasks and methods; empty for the board that the site is about."""

    @classmethod
    def beside(cls, name: str) -> Paths:
        """Of a board beside the one that the site is about, which takes the plain names."""
        return cls(
            page=f"{name}.html",
            table=name,
            prefix=f"{name}-",
            results=f"{name}-results.html",
            compare=f"{name}-compare.html",
            embedded=f"{name}-embed.html",
            memory=f"{name}-memory.html",
            folder=f"{name}/",
        )


MAIN = Paths()
IMPORTED = Paths.beside("imported")
SUPERSEDED = "superseded.html"
"""The page that lists boards in whose place others have come."""

"""The figure of a method: one drawing of a transformer block, with the places marked where it acts.

Shapes only; ``templates/block.html.j2`` draws them. Places that have no weights of their own are drawn where
a method puts something there.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 340
LEFT, RIGHT, MIDDLE = 60, 280, 170


@dataclass(frozen=True)
class Box:
    """A rectangle with its name; `mark` says what the method does there, empty where it does nothing."""

    x: float
    y: float
    width: float
    height: float
    name: str
    mark: str = ""
    spoken: str = ""
    """Its name where the drawing does not stand around it."""
    added: bool = False
    """Whether it is there because of the method."""

    @property
    def centre(self) -> tuple[float, float]:
        """Where its name goes."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Drawing:
    """The boxes from the bottom up, the arrows between, and the frame of one block."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[float, float, float, float], ...]
    residuals: tuple[str, ...]
    """SVG paths."""
    frame: Box
    height: float
    marks: tuple[tuple[str, str], ...]
    """What is marked, in words: the place, and what happens there."""


# From the input up: rows of (place, name); a row in brackets is drawn only where something is put there.
_ROWS: Final[tuple[tuple[tuple[str, str], ...], ...]] = (
    (("input", "prompt"),),
    (("embeddings", "embeddings"),),
    (("keys_values", "prefix"),),
    (("query", "query"), ("key", "key"), ("value", "value")),
    (("", "attention"),),
    (("output", "output"),),
    (("attention_output", ""),),
    (("attention_norm", "add, norm"),),
    (("feed_forward_input", ""),),
    (("up", "up"),),
    (("down_input", ""),),
    (("down", "down"),),
    (("feed_forward_output", ""),),
    (("feed_forward_norm", "add, norm"),),
    (("block_end", ""),),
    (("head", "task head"),),
)
_OPTIONAL: Final = {
    "input": "prompt",
    "keys_values": "keys and values in front",
    "attention_output": "attention output",
    "feed_forward_input": "feed-forward input",
    "down_input": "activations",
    "feed_forward_output": "feed-forward output",
    "block_end": "block's end",
}
_SPOKEN: Final = {
    "attention_norm": "norm after attention",
    "feed_forward_norm": "norm after the feed-forward",
    "up": "feed-forward, up",
    "down": "feed-forward, down",
}
PLACES: Final = frozenset(place for row in _ROWS for place, _ in row if place)
_STEP, _HEIGHT = 40.0, 26.0


def drawing(places: Mapping[str, str]) -> Drawing:
    """Lay the block out for a method that acts at these places; the task head always trains.

    Unknown places are left out: a catalogue may be newer than this drawing.
    """
    marked = {"head": "trains", **{place: what for place, what in places.items() if place in PLACES}}
    rows = [row for row in _ROWS if all(place not in _OPTIONAL or place in marked for place, _ in row)]
    height = _STEP * len(rows) + 16
    boxes: list[Box] = []
    spans: list[tuple[str, float]] = []
    for number, row in enumerate(rows):
        y = height - 8 - _STEP * (number + 1) + (_STEP - _HEIGHT)
        spans.append((row[0][0], y))
        boxes += _row(row, y, marked)
    edges = dict(spans)
    arrows = tuple(
        (MIDDLE, lower, MIDDLE, upper + _HEIGHT) for (_, lower), (_, upper) in itertools.pairwise(spans)
    )
    inside = [y for place, y in spans if place not in ("input", "embeddings", "head")]
    frame = Box(
        36, min(inside) - 7, WIDTH - 72, max(inside) + _HEIGHT + 7 - min(inside) + 7, "one of the blocks"
    )
    # A residual leaves below the sub-layer and enters the addition from the side.
    starts = (max(inside) + _HEIGHT + 5, edges["attention_norm"] - 5)
    ends = (edges["attention_norm"] + _HEIGHT / 2, edges["feed_forward_norm"] + _HEIGHT / 2)
    residuals = tuple(
        f"M{MIDDLE} {start:g}H{RIGHT + 12}V{end:g}H{RIGHT}" for start, end in zip(starts, ends, strict=True)
    )
    return Drawing(
        boxes=tuple(boxes),
        arrows=arrows,
        residuals=residuals,
        frame=frame,
        height=height,
        marks=tuple((box.spoken, box.mark) for box in reversed(boxes) if box.mark),
    )


def _row(row: tuple[tuple[str, str], ...], y: float, marked: Mapping[str, str]) -> list[Box]:
    gap = 8.0
    width = (RIGHT - LEFT - gap * (len(row) - 1)) / len(row)
    found = []
    for number, (place, name) in enumerate(row):
        mark = marked.get(place, "")
        shown = _OPTIONAL.get(place, name)
        x = LEFT + number * (width + gap)
        spoken = _SPOKEN.get(place, shown)
        found.append(Box(x, y, width, _HEIGHT, shown, mark, spoken, place in _OPTIONAL))
    return found

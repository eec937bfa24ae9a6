"""Rows of one batch in parts of similar length, each padded to its own longest row.

What is padding is computed as any token is. Batches of few rows, or drawn from few, have much of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

PART_TOKENS = 16.0
"""What a part is taken to cost beside its tokens, in tokens: a pass begins and ends every layer once."""


@dataclass(frozen=True)
class Part:
    """Some rows of a batch."""

    rows: tuple[int, ...]
    width: int
    """Tokens of the longest."""

    @property
    def positions(self) -> int:
        """Tokens that are computed, padding included."""
        return len(self.rows) * self.width


def parted(lengths: Sequence[int], cost: float = PART_TOKENS) -> list[Part]:
    """All rows in the parts that cost the least, the longest rows first.

    Args:
        lengths: tokens of each row.
        cost: of a part, in tokens, beside those of its rows.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    alike = [list(rows) for _, rows in groupby(order, key=lambda row: lengths[row])]
    ends = [0]
    for rows in alike:
        ends.append(ends[-1] + len(rows))
    best, begins = [0.0], [0]  # what the first so many lengths cost, and where their last part begins
    for end in range(1, len(ends)):
        least, begin = min(
            (best[start] + cost + (ends[end] - ends[start]) * lengths[alike[start][0]], start)
            for start in range(end)
        )
        best.append(least)
        begins.append(begin)
    found: list[Part] = []
    end = len(alike)
    while end:
        start = begins[end]
        inside = tuple(order[ends[start] : ends[end]])
        found.append(Part(inside, int(lengths[inside[0]])))
        end = start
    return found[::-1]

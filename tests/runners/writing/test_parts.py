"""Rows in parts: every row once, padded no further than needed, and no cheaper way to part them."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.writing.parts import parted

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=7)


def least(lengths: list[int], cost: float) -> float:
    """By all ways to cut rows of falling length."""
    ordered = sorted(lengths, reverse=True)
    ways = (
        (0, *cuts, len(ordered))
        for count in range(len(ordered))
        for cuts in combinations(range(1, len(ordered)), count)
    )
    return min(sum(cost + ordered[start] * (end - start) for start, end in pairwise(way)) for way in ways)


@given(LENGTHS, st.sampled_from([0.0, 2.5, 16.0]))
def test_every_row_once_at_the_least_cost(lengths: list[int], cost: float) -> None:
    parts = parted(lengths, cost)
    assert sorted(row for part in parts for row in part.rows) == list(range(len(lengths)))
    assert all(part.width == max(lengths[row] for row in part.rows) for part in parts)
    assert sum(cost + part.positions for part in parts) == pytest.approx(least(lengths, cost))


def test_rows_of_one_length_stay_together() -> None:
    (part,) = parted([7] * 5, 0.0)
    assert (part.rows, part.positions) == ((0, 1, 2, 3, 4), 35)

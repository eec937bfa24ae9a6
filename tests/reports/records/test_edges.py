from __future__ import annotations

from typing import Any

import pytest

from reports.records.edges import edges

GRID = {"values": [0.03, 0.001, 0.01]}
RANGE = {"low": 0.0001, "high": 0.01}  # 5 % of it is a factor of 1.26


@pytest.mark.parametrize(
    ("searched", "value", "end"),
    [
        (GRID, 0.03, "highest"),
        (GRID, 0.01, None),
        (GRID, 0.001, "lowest"),
        (RANGE, 0.0101, "highest"),
        (RANGE, 0.0081, "highest"),
        (RANGE, 0.0078, None),
        (RANGE, 0.00012, "lowest"),
        (RANGE, 0.00013, None),
        ({"values": [4, 8, 16]}, 16, "highest"),
        ({"values": [8]}, 8, None),
        ({"values": ["mean", "max"]}, "max", None),
        ({"values": [True, False]}, True, None),
        ({"values": [None, 0.1]}, 0.1, None),
        (GRID, None, None),
        ({"low": 0.0, "high": 1.0}, 1.0, None),  # no logarithmic range
    ],
)
def test_what_lies_at_an_end(searched: dict[str, Any], value: Any, end: str | None) -> None:
    assert edges({"x": searched}, {"x": value}) == ({} if end is None else {"x": end})

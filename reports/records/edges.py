"""Where a search chose what lies at an end of what it searched: something better may lie beyond."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeGuard

End = Literal["lowest", "highest"]

NEAR: Final = 0.05
"""The share of a logarithmic range that counts as its end."""


def edges(space: Mapping[str, Mapping[str, Any]], chosen: Mapping[str, Any]) -> dict[str, End]:
    """The numbers of a chosen setting that lie at an end, by name.

    Args:
        space: what was searched, as in `Tuning.space`.
        chosen: the setting found, as in `Tuning.chosen`.
    """
    found: dict[str, End] = {}
    for name, searched in space.items():
        ends = _ends(searched)
        value = chosen.get(name)
        if ends is None or not _is_number(value):
            continue
        low, high = ends
        if value <= low:
            found[name] = "lowest"
        elif value >= high:
            found[name] = "highest"
    return found


def _ends(searched: Mapping[str, Any]) -> tuple[float, float] | None:
    """Up to where, and from where on, a number is at the end; None of what has no order."""
    if "values" in searched:
        values = searched["values"]
        if not all(map(_is_number, values)) or len(set(values)) < 2:
            return None
        return min(values), max(values)
    low, high = searched.get("low"), searched.get("high")
    if not (_is_number(low) and _is_number(high) and 0 < low < high):
        return None
    margin = math.exp(NEAR * math.log(high / low))
    return low * margin, high / margin


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)

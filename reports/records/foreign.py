"""Reading values of another suite's JSON: what is not there, or a placeholder, is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reports.errors import RecordError


def number(value: Any, placeholders: Sequence[int] = ()) -> float | None:
    """A measured number; a placeholder, text and everything else is missing."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value in placeholders:
        return None
    return float(value)


def whole(value: Any, placeholders: Sequence[int] = ()) -> int | None:
    """The same, rounded."""
    found = number(value, placeholders)
    return None if found is None else round(value)


def seconds_of(value: Any, path: str) -> float:
    """A time; raises :class:`RecordError` with the path where there is none."""
    found = number(value)
    if found is None:
        raise RecordError(f"{path} is {value!a:.80}, expected seconds")
    return found


def part(
    data: Mapping[str, Any], name: str, path: str = "$", *, what: str = "an object"
) -> Mapping[str, Any]:
    """An object inside another; raises :class:`RecordError` where there is none."""
    value = data.get(name)
    if not isinstance(value, Mapping):
        raise RecordError(f"{path}.{name} is {value!a:.80}, expected {what}")
    return value


def text_of(data: Mapping[str, Any], name: str, path: str) -> str:
    """Text inside an object; raises :class:`RecordError` where there is none."""
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise RecordError(f"{path}.{name} is {value!a:.80}, expected text")
    return value


def items(data: Mapping[str, Any], name: str) -> list[Any]:
    """A list inside an object; nothing where there is none."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def in_order(value: Any) -> Any:
    """Lists of names in a fixed order; their writer makes them of sets."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return value

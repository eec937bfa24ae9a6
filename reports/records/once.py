"""What a record says, worked out once for as long as the record lives."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")


def once(function: Callable[[R], T]) -> Callable[[R], T]:
    """Keep what a function says of each record, which never changes.

    By the record itself and not by its content: two equal ones are worked out each, and a changed copy anew.
    """
    known: dict[int, tuple[weakref.ref[R], T]] = {}

    @functools.wraps(function)
    def found(record: R) -> T:
        key = id(record)
        kept = known.get(key)
        if kept is not None and kept[0]() is record:
            return kept[1]
        value = function(record)
        known[key] = weakref.ref(record, lambda _: known.pop(key, None)), value
        return value

    return found

"""Equal parts of records as one object: all trials of a study tell the same model, task and machine.

Parts are frozen, so nobody can tell but by the memory that ten thousand records take.
"""

from __future__ import annotations

from typing import TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel

P = TypeVar("P", bound=BaseModel)

_KNOWN: WeakValueDictionary[tuple[type, bytes], BaseModel] = WeakValueDictionary()


def shared(part: P) -> P:
    """The part that says the same and was there before, or this one where there is none."""
    said = type(part), part.__pydantic_serializer__.to_json(part)
    return _KNOWN.setdefault(said, part)  # type: ignore[return-value]  # of the same type, by its key

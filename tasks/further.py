"""Further report splits: examples that a trained model is scored on beside the split that ranks.

A task is trained once and selected once. Its report split is scored once, at the end, and so is every further
one, such as other genres or another domain. They change nothing of the three splits: what is trained on, what
selects and what ranks are those of the task without them, so that one can be added to a task whose scores are
published. What of a further split touches the training or the selection split (`tasks/splits.py`) is left out
of it, and counted. This file imports nothing of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import datasets

TAKEN: Final = ("train", "selection", "report", "file")
"""What no further report split is called."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Further:
    """The examples of a further report split, with the columns and the order of the report split."""

    rows: datasets.Dataset
    left_out: int
    """Rows that touch the training or the selection split, and are not scored."""
    sha256: str
    """Of their content."""


def told(size: int, left_out: int, sha256: str) -> dict[str, Any]:
    """What is kept of a further report split beside its rows."""
    return {"size": size, "left_out": left_out, "sha256": sha256}


def sizes(kept: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """How many rows each has, by name."""
    return {name: int(one["size"]) for name, one in kept.items()}


def read(kept: Mapping[str, Mapping[str, Any]], tables: Sequence[datasets.Dataset]) -> dict[str, Further]:
    """The further report splits of what was kept, with their rows."""
    return {
        name: Further(table, one["left_out"], one["sha256"])
        for (name, one), table in zip(kept.items(), tables, strict=True)
    }


def misnamed(names: Sequence[Any]) -> list[Any]:
    """Those that cannot be names of further report splits, or are there twice."""
    return [
        name
        for index, name in enumerate(names)
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in TAKEN or name in names[:index]
    ]

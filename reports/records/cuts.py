"""How many examples were longer than what a model was given of them, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports import text
from reports.records.schema import Record, TaskInfo

MUCH: Final = 0.1
"""Share of the training examples from which on a reader is told at once."""

_SPLITS = {"train": "to train on", "selection": "of the selection split", "report": "of the reported split"}


def cut(tasks: Sequence[TaskInfo]) -> str:
    """Such as ``170 of 6,817 (2 %) to train on``, for every split; empty where no record tells it.

    Where trials differ in it, as those that train on other parts of a split do, from the least to the most.
    """
    told = [f"{shown} {where}" for split, where in _SPLITS.items() if (shown := _share(_pairs(tasks, split)))]
    return ", ".join(told)


def much_cut(records: Sequence[Record]) -> list[str]:
    """A sentence on each task of which :data:`MUCH` of the training examples or more are cut."""
    found: dict[str, list[TaskInfo]] = {}
    for record in records:
        if record.task is not None:
            found.setdefault(record.task.name, []).append(record.task)
    sentences = []
    for name, tasks in found.items():
        pairs = _pairs(tasks, "train")
        if any(lost >= MUCH * size for lost, size in pairs):
            sentences.append(
                f"{text.name(name)}: {_share(pairs)} of the examples to train on are longer than max_length "
                "or than the model takes, and what is too long is cut."
            )
    return sentences


def _pairs(tasks: Sequence[TaskInfo], split: str) -> set[tuple[int, int]]:
    """Examples that were cut, and all of the split that were used."""
    both = {(getattr(task.truncated, split, None), getattr(task.sizes, split)) for task in tasks}
    return {(lost, size) for lost, size in both if lost is not None and size}


def _share(pairs: set[tuple[int, int]]) -> str:
    if not pairs:
        return ""
    low, *_, high = sorted((*pairs, *pairs), key=lambda pair: pair[0] / pair[1])
    if low == high:
        return f"{low[0]:,} of {low[1]:,} ({text.percent(low[0] / low[1])})"
    return f"{text.percent(low[0] / low[1])} to {text.percent(high[0] / high[1])}"

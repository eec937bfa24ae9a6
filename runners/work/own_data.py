"""Data of one's own before anything is trained on it: labels, lengths, the score of a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import tasks
from runners.trials import batches, tokens
from tasks.own.preparing import Resolved

LIMITS = (64, 128, 256, 512)
"""Longest inputs for which it is told how many rows would be cut."""

_WHOLE = 1_000_000  # tokens, which no text has


@dataclass(frozen=True)
class Lengths:
    """Of the rows of a split, in tokens of a model, with those that it adds."""

    median: int
    p95: int
    longest: int
    cut: Mapping[int, int]
    """By longest input: rows that it would cut."""


def label_counts(task: Resolved) -> dict[str, list[int]]:
    """How many rows of each split have each label; nothing for a regression."""
    if not task.own.labels:
        return {}
    count = len(task.own.labels)
    return {name: np.bincount(split, minlength=count).tolist() for name, split in _labels(task).items()}


def majority(task: Resolved) -> dict[str, float]:
    """What always answering the most frequent training label, or the mean, scores on the report split."""
    labels = _labels(task)
    return tasks.majority(task.spec, labels["train"], labels["report"])


def lengths(task: Resolved, model: str, limits: Sequence[int] = LIMITS) -> dict[str, Lengths]:
    """How long the rows of each split are.

    Raises:
        ModelError: there is no such model.
    """
    read = batches.tokenizer(model)
    found = {}
    for name in task.data.sizes:
        split = tokens.encoded(getattr(task.data, name), (f"{task.name}-{name}",), read, _WHOLE, None)
        some = split.lengths
        found[name] = Lengths(
            median=int(np.median(some)),
            p95=int(np.percentile(some, 95)),
            longest=int(some.max()),
            cut={limit: int((some > limit).sum()) for limit in limits},
        )
    return found


def _labels(task: Resolved) -> dict[str, np.ndarray]:
    return {
        name: getattr(task.data, name).with_format("arrow")["label"].to_numpy() for name in task.data.sizes
    }

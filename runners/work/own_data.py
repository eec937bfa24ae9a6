"""Data of one's own before anything is trained on it: labels, lengths, the score of a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

import tasks
from runners.trials import batches, pieces, tokens
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


def sizes(task: Resolved) -> dict[str, int]:
    """Rows of every split, those of further report splits after the three."""
    return {**task.data.sizes, **{name: len(one.rows) for name, one in task.data.further.items()}}


def label_counts(task: Resolved) -> dict[str, list[int]]:
    """How many rows, or words, of each split have each label; nothing for a regression."""
    if not task.own.labels:
        return {}
    count, tagged = len(task.own.labels), task.spec.is_tagged
    every = {name: np.concatenate(one) if tagged else one for name, one in _labels(task).items()}
    return {name: np.bincount(one, minlength=count).tolist() for name, one in every.items()}


def majority(task: Resolved) -> dict[str, float]:
    """What always answering the most frequent training label or target, or the mean, scores in the end."""
    if task.own.problem == "generation":
        return tasks.majority(task.spec, task.data.train["target"], task.data.report["references"])
    labels = _labels(task)
    return tasks.majority(task.spec, labels["train"], labels["report"])


def lengths(task: Resolved, model: str, limits: Sequence[int] = LIMITS) -> dict[str, Lengths]:
    """How long the rows of each split are; where text is written also the targets that are trained on.

    Raises:
        ModelError: there is no such model.
    """
    read = batches.tokenizer(model)
    found = {}
    for name in sizes(task):
        found[name] = _told(_counted(task.data.split(name)[0], read), limits)
    if task.own.problem == "generation":
        targets = task.data.train.select_columns("target").rename_column("target", "text")
        found["targets"] = _told(_counted(targets, read), limits)
    return found


def _counted(rows: Dataset, read: PreTrainedTokenizerBase) -> np.ndarray:
    """Tokens of each row; labels do not matter."""
    if "words" in rows.column_names:
        return pieces.encoded(rows, read, _WHOLE).lengths
    texts = [name for name in ("text", "text_pair") if name in rows.column_names]
    rows = rows.select_columns(texts)
    rows = rows.add_column("label", np.zeros(len(rows), np.int64))
    return tokens.encoded(rows, ("rows",), read, _WHOLE, None).lengths


def _told(some: np.ndarray, limits: Sequence[int]) -> Lengths:
    return Lengths(
        median=int(np.median(some)),
        p95=int(np.percentile(some, 95)),
        longest=int(some.max()),
        cut={limit: int((some > limit).sum()) for limit in limits},
    )


def _labels(task: Resolved) -> dict[str, Any]:
    """The label of each row, or of each word of each, by split."""
    splits = {name: task.data.split(name)[0] for name in sizes(task)}
    if task.spec.is_tagged:
        return {name: list(map(np.array, rows["tags"])) for name, rows in splits.items()}
    return {name: rows.with_format("arrow")["label"].to_numpy() for name, rows in splits.items()}

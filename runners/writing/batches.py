"""Batches of prompts: with their targets to train on, or alone for a model to go on from.

Training pads on the right. What a causal model goes on from is padded on the left, so that all rows end where
it begins to write. Padding is masked, and the loss is on targets alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from runners.optimisation import IGNORED
from runners.writing.tokens import Form, Prompted, Ragged

Batch = dict[str, torch.Tensor]


def training(rows: Prompted, which: Sequence[int] | np.ndarray, form: Form) -> Batch:
    """Some rows with their targets (rows x length): what is read, its mask, labels on targets alone."""
    prompts, targets = rows.prompts, rows.targets
    if targets is None:
        raise ValueError("there are no targets to train on")
    asked = [prompts[index] for index in which]
    told = [targets[index] for index in which]
    if form.pair:
        read, labels = asked, told
    else:
        read = [np.concatenate(both) for both in zip(asked, told, strict=True)]
        labels = [
            np.concatenate([np.full(len(prompt), IGNORED), target])
            for prompt, target in zip(asked, told, strict=True)
        ]
    return {**_filled(read, form.padding, left=False), "labels": _filled(labels, IGNORED)["input_ids"]}


def asking(rows: Prompted, which: Sequence[int] | np.ndarray, form: Form) -> Batch:
    """Some prompts (rows x length of the longest) for ``generate()``, which makes the positions."""
    return _filled([rows.prompts[index] for index in which], form.padding, left=not form.pair)


def with_word(rows: Prompted, words: Ragged, word: int) -> Prompted:
    """The same prompts, each followed by one of some words."""
    targets = Ragged.of([words[word]] * len(rows))
    return Prompted(rows.prompts, targets, rows.cut, np.zeros(len(rows), bool))


def _filled(rows: Sequence[np.ndarray], fill: int, left: bool = False) -> Batch:
    width = max(len(row) for row in rows)
    ids = np.full((len(rows), width), fill, np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for index, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(len(row))
        ids[index, place], mask[index, place] = row, 1
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}

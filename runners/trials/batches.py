"""From a task's examples to batches: tokens once, batches of similar length, padding to the longest.

Batches of random examples waste much of a training step on padding. Here an epoch is shuffled, cut into
pools of many batches, sorted by length inside each pool, and the resulting batches are shuffled again,
so that every batch has one length and the order of lengths is random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler
from transformers import PreTrainedTokenizerBase

import tasks
from runners import models, processes
from runners.optimisation import IGNORED
from runners.trials import pieces, tokens
from runners.trials.tokens import Encoded, Rows
from tasks.spec import TaskData, TaskSpec

Batch = dict[str, torch.Tensor]

SCORING_BATCH = 64
"""Examples per batch without gradients; it moves no score, only time."""


@lru_cache(maxsize=4)
def load(task: str | TaskSpec, data: str | None) -> TaskData:
    """Load a task's splits; kept, since the trials of a study share them."""
    return tasks.load(task, data)


@lru_cache(maxsize=4)
def tokenizer(model: str) -> PreTrainedTokenizerBase:
    """Read a model's tokenizer; kept, since the stages of a trial share it."""
    return models.tokenizer(model)


@lru_cache(maxsize=4)
def _identity(model: str) -> str | None:
    return tokens.identity(tokenizer(model))


@lru_cache(maxsize=16)
def encode(model: str, task: str | TaskSpec, data: str | None, split: str, max_length: int) -> Encoded:
    """Tokenize a split, see :func:`runners.trials.tokens.encoded`; kept, since trials share it.

    Sentences whose words are labelled are read by :mod:`runners.trials.pieces`.
    """
    rows, sha256 = load(task, data).split(split)
    if "words" in rows.column_names:
        return pieces.encoded(rows, tokenizer(model), max_length)
    name = task if isinstance(task, str) else task.name
    content = (f"{name}-{split}", sha256)
    return tokens.encoded(rows, content, tokenizer(model), max_length, _identity(model))


class LengthGroupedBatches(Sampler[list[int]]):
    """Yield ``steps`` batches of indices, each of rows of similar length.

    Args:
        lengths: tokens per row.
        batch_size: rows per batch; the rest of an epoch that fills no batch is left out, unless the
            whole split is smaller than one batch.
        steps: number of batches, over as many epochs as needed.
        seed: decides the order, together with the epoch.
        done: leading batches that are passed over, since training goes on after them.
    """

    def __init__(
        self, lengths: Sequence[int] | np.ndarray, batch_size: int, steps: int, seed: int, done: int = 0
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.drop_last = False
        self.steps = steps
        self.seed = seed
        self.done = done

    def __len__(self) -> int:
        return self.steps - self.done

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed)
        given = 0
        while given < self.steps:
            for batch in self._epoch(generator)[: self.steps - given]:
                if given >= self.done:
                    yield batch.tolist()
                given += 1

    def _epoch(self, generator: torch.Generator) -> np.ndarray:
        size, rows = self.batch_size, len(self.lengths)
        # What fills no batch is left out at random: cut off after sorting, it would be the shortest rows.
        kept = torch.randperm(rows, generator=generator).numpy()[: max(rows // size, 1) * size]
        ordered = kept[length_grouped(self.lengths[kept], size, generator)]
        batches = ordered.reshape(-1, min(size, len(kept)))
        return batches[torch.randperm(len(batches), generator=generator).numpy()]


def length_grouped(lengths: np.ndarray, size: int, generator: torch.Generator) -> np.ndarray:
    """An order in which batches of ``size`` have rows of similar length, the longest row first.

    It is transformers' ``get_length_grouped_indices``, in arrays: that takes a second for 400,000 rows.
    """
    pool = size * max(1, min(len(lengths) // (size * 4), 50))
    order = torch.randperm(len(lengths), generator=generator).numpy()
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        order[start : start + pool] = part[np.argsort(-lengths[part], kind="stable")]
    longest = pool * int(np.argmax(lengths[order[::pool]]))
    order[[0, longest]] = order[[longest, 0]]
    return order


class Shares(Sampler[list[int]]):
    """What this process does of batches of indices: nothing where others do all rows."""

    def __init__(self, batches: LengthGroupedBatches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return (list(processes.share(batch)) for batch in self.batches)


def steps_of(epochs: float, examples: int, batch_size: int) -> int:
    """Optimiser steps of ``epochs`` passes over ``examples``; at least one."""
    return max(1, round(epochs * max(1, examples // batch_size)))


class States(Protocol):
    """What is kept for rows of a split, by their number: (length x width) each."""

    def __getitem__(self, row: int, /) -> torch.Tensor: ...


@dataclass(frozen=True)
class WithStates:
    """The rows of a split with what is kept for each, as their ``states``."""

    split: Encoded
    states: States

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {**self.split[index], "states": self.states[index]}


class Collator:
    """Pads the rows of a batch to its longest. Labels become int64, or float32 in a regression.

    States that come with the rows are padded with zeros, as the tokens are; padding has no label.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.fill = {
            "attention_mask": 0,
            "token_type_ids": tokenizer.pad_token_type_id,
            tokenizer.model_input_names[0]: tokenizer.pad_token_id,
            "labels": IGNORED,
        }
        self.pads_as_all = type(tokenizer)._pad is PreTrainedTokenizerBase._pad

    def __call__(self, rows: Rows | Sequence[dict[str, Any]]) -> Batch:
        """Rows to tensors, each (batch x length), labels (batch) unless they are of tokens.

        An empty share of a batch has none.
        """
        if not len(rows):
            return {}
        if isinstance(rows, Rows):
            if self.pads_as_all and rows.split.columns.keys() <= self.fill.keys():
                made = rows.padded(self.fill, self.tokenizer.padding_side)
                made.setdefault("labels", rows.labels())
                return {name: torch.from_numpy(v) for name, v in made.items()}
            rows = [rows.split[i] for i in rows.indices]
        beside = ("labels", "states")
        inputs = [{name: value for name, value in row.items() if name not in beside} for row in rows]
        batch = dict(self.tokenizer.pad(inputs, return_tensors="pt"))
        length, labels = batch["input_ids"].shape[1], [row["labels"] for row in rows]
        if isinstance(labels[0], list):
            ignored = torch.full((len(rows), length), IGNORED)
            batch["labels"] = self._filled([torch.tensor(own) for own in labels], ignored)
        else:
            batch["labels"] = torch.tensor(labels)
        if "states" in rows[0]:
            states = [row["states"] for row in rows]
            padded = states[0].new_zeros(len(rows), length, states[0].shape[-1])
            batch["states"] = self._filled(states, padded)
        return batch

    def _filled(self, values: Sequence[torch.Tensor], padded: torch.Tensor) -> torch.Tensor:
        """What each row has of every token, put where its tokens stand."""
        left, length = self.tokenizer.padding_side == "left", padded.shape[1]
        for into, own in zip(padded, values, strict=True):
            into[length - len(own) if left else 0 :][: len(own)] = own
        return padded


def training_loader(
    split: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    batch_size: int,
    steps: int,
    seed: int,
    done: int = 0,
    pinned: bool = False,
    states: States | None = None,
) -> Any:
    """This process's shares of the batches for training, those after the first ``done``.

    A batch is the same rows on any number of processes. Its rows are of falling length, so that shares are of
    about the same. They are in page-locked memory if ``pinned``, and come with ``states`` if there are any.
    """
    order = Shares(LengthGroupedBatches(split.lengths, batch_size, steps, seed, done))
    options: dict[str, Any] = {"collate_fn": Collator(tokenizer), "pin_memory": pinned}
    rows: Any = split if states is None else WithStates(split, states)
    return DataLoader(rows, batch_sampler=order, **options)


def scoring_loader(
    split: Encoded,
    tokenizer: PreTrainedTokenizerBase,
    batch_size: int = SCORING_BATCH,
    states: States | None = None,
) -> Any:
    """This process's rows, longest first; of all every row once. Metrics do not depend on the order, padding
    does. They come with ``states`` if there are any.
    """
    options: dict[str, Any] = {
        "sampler": processes.share(longest_first(split).tolist()),
        "collate_fn": Collator(tokenizer),
    }
    rows: Any = split if states is None else WithStates(split, states)
    return DataLoader(rows, batch_size=batch_size, **options)


def longest_first(split: Encoded) -> np.ndarray:
    """The rows by falling length; of equal ones the first comes first."""
    return np.argsort(-split.lengths, kind="stable")


def longest(split: Encoded, tokenizer: PreTrainedTokenizerBase, size: int) -> Batch:
    """The longest rows of a split as one batch: what a training step has to fit."""
    return Collator(tokenizer)(Rows(split, longest_first(split)[:size]))


def one_input(split: Encoded, length: int) -> Batch:
    """One input of exactly ``length`` tokens (1 x length): the split's own text, row after row."""
    ids: list[int] = []
    index = 0
    while len(ids) < length:
        ids += split[index % len(split)]["input_ids"]
        index += 1
    input_ids = torch.tensor([ids[:length]])
    return {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}

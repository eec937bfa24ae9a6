"""The states that leave a frozen front (:mod:`runners.trials.frozen`), computed once for each row trained on.

They lie in host memory without padding. Which rows a training reads follows from its seed, so that what is
computed does not depend on where it was stopped or goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from runners import processes
from runners.plan.spec import Protocol
from runners.trials import batches
from runners.trials.batches import Batch, Encoded
from runners.trials.frozen import Behind
from runners.trials.loading import Splits
from runners.trials.recall import Recall, digest

MOST_BYTES: Final = 2 << 30
"""Of the states of a training, over all processes; more are computed anew in every step. It is no question of
what is free: a trial must be the same wherever it runs."""

_RECALL: Final = Recall()


@dataclass(frozen=True)
class Rows:
    """The states of some rows of a split, each (length x width); all lie in one tensor."""

    states: Tensor
    places: dict[int, tuple[int, int]]
    """Where those of a row begin and end."""
    seconds: float
    """That computing them took, now or for an earlier trial."""

    def __getitem__(self, row: int) -> Tensor:
        begin, end = self.places[row]
        return self.states[begin:end]


@dataclass(frozen=True)
class Used:
    """What a training reads."""

    all: frozenset[int]
    """The rows that it trains on."""
    own: dict[int, list[int]]
    """Those of them that this process has, longest first, by the last step of the part in which it first has
    them."""


def used(train: Encoded, batch_size: int, ends: Sequence[int], seed: int) -> Used:
    """Follow the batches of a training, all of them: where it stops or goes on in between changes nothing.

    Args:
        train: what it trains on.
        batch_size: rows of a step.
        ends: the steps after which it may stop; the largest is the last.
        seed: decides the order.
    """
    every: set[int] = set()
    seen: set[int] = set()
    own: dict[int, list[int]] = {end: [] for end in sorted(ends)}
    order = batches.LengthGroupedBatches(train.lengths, batch_size, max(ends), seed)
    for step, batch in enumerate(order, start=1):
        every.update(batch)
        fresh = set(processes.share(batch)) - seen
        own[next(end for end in own if step <= end)].extend(fresh)
        seen |= fresh
    for rows in own.values():
        rows.sort(key=lambda row: (-train.lengths[row], row))
    return Used(frozenset(every), own)


@dataclass(frozen=True)
class Kept:
    """What is computed once of a front, and how long that takes."""

    train: Rows | None = None
    selection: Rows | None = None
    """None where it is scored once only, or too much is to be kept."""
    blocks: int = 0
    train_seconds: float = 0.0
    selection_seconds: float = 0.0


def keep(
    model: nn.Module,
    splits: Splits,
    model_name: str,
    protocol: Protocol,
    used: Used,
    until: int,
    evaluations: int,
) -> Kept:
    """Compute the states of all rows that a training reads, those that this process has a share in.

    Args:
        model: as it trains.
        splits: what is trained on, and what selects.
        model_name: of its tokenizer.
        protocol: how many rows may be computed at once.
        used: the rows that are trained on.
        until: the step after which the training stops, one of its ends.
        evaluations: how often it is scored by then.
    """
    if not isinstance(model, Behind) or not model.stands_in:
        return Kept()
    train, selection = splits.train, splits.selection
    tokens = sum(train.lengths[row] for row in used.all)
    tokens += sum(selection.lengths)
    if tokens * model.front.token_bytes > MOST_BYTES:
        return Kept()
    share = protocol.micro_batch or processes.largest_share(protocol.batch_size)
    parts = [rows for end, rows in used.own.items() if end <= until]
    front = digest(model, protocol)
    first = _rows(model, front, train, parts, model_name, min(share, batches.SCORING_BATCH))
    second = None
    if evaluations > 1:  # in the very batches that are scored, so that not a bit of a score is another
        own = processes.share(batches.longest_first(selection).tolist())
        second = _rows(model, front, selection, [own], model_name, batches.SCORING_BATCH)
    return Kept(first, second, len(model.front.blocks), first.seconds, second.seconds if second else 0.0)


def _rows(
    model: Behind,
    front: bytes | None,
    split: Encoded,
    parts: Sequence[Sequence[int]],
    model_name: str,
    at_once: int,
) -> Rows:
    """The states of rows of a split, computed part by part so many at once, in the order given."""
    collate = batches.Collator(batches.tokenizer(model_name))
    where = next(model.parameters()).device

    def compute(batch: Batch) -> Tensor:
        found = model.states_of({name: value.to(where) for name, value in batch.items()})
        return found[batch["attention_mask"].bool().to(where)].cpu()

    states = torch.empty(int(sum(split.lengths[row] for rows in parts for row in rows)), 0)
    places: dict[int, tuple[int, int]] = {}
    done, seconds = 0, 0.0
    together = [rows[start : start + at_once] for rows in parts for start in range(0, len(rows), at_once)]
    for part in together:
        batch = collate([split[row] for row in part])
        batch.pop("labels")
        made = _RECALL.states(front, batch, partial(compute, batch))
        found, seconds = made.values, seconds + made.seconds
        if not places:
            states = found.new_empty(len(states), found.shape[1])
        states[done : done + len(found)] = found
        for row in part:
            places[row] = done, done + split.lengths[row]
            done += split.lengths[row]
    return Rows(states, places, seconds)

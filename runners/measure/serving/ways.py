"""The ways in which a batch of several tasks can be served, as calls to be timed side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from methods import Adapted, Bank, Checkpoint
from reports.records.serving_schema import Mix, Way
from runners.measure.serving.draws import Draws, groups
from runners.measure.timing import Contender

Inputs = dict[str, Any]


def task_name(number: int) -> str:
    """What a bank calls the task of that number."""
    return f"task {number}"


@dataclass(frozen=True)
class Models:
    """What serves: two untouched bases, a bank, and a merged model where the method merges.

    Each has weights of its own, so that none finds another's in the caches.
    """

    base: PreTrainedModel
    control: PreTrainedModel
    bank: Bank
    merged: Adapted | None
    checkpoints: Sequence[Checkpoint]
    """Of the tasks, for the merged model; empty without it."""


class Rows:
    """The inputs of one batch, and the tasks that its rows belong to; drawn anew before each call.

    Args:
        inputs: tensors whose first axis are the rows, and settings that all rows share.
        draws: which tasks rows belong to.
    """

    def __init__(self, inputs: Inputs, draws: Draws) -> None:
        self.inputs, self._draws = inputs, draws
        self.count = int(inputs["input_ids"].shape[0])
        self.names: list[str] = []
        self.parts: list[tuple[int, Tensor]] = []
        self.distinct: list[int] = []

    def draw(self) -> None:
        """Draw the next batch's tasks."""
        who = self._draws.batch()
        self.names = [task_name(task) for task in who.tolist()]
        device = self.inputs["input_ids"].device
        self.parts = [(task, torch.tensor(rows, device=device)) for task, rows in groups(who).items()]
        self.distinct.append(len(self.parts))

    def of(self, rows: Tensor) -> Inputs:
        """The inputs of some of the rows."""
        return {key: value[rows] if torch.is_tensor(value) else value for key, value in self.inputs.items()}


def answers(output: Any) -> Tensor:
    """What is read off a model: logits, or the states of one without a head."""
    return output.logits if "logits" in output else output[0]


def serve(way: Way, models: Models, rows: Rows) -> Tensor:
    """Answer one batch, shape (rows, ...); ``rows`` has been drawn.

    Raises:
        MethodError: the model cannot mix the method's tasks in a batch.
    """
    if way == "mixed":
        return answers(models.bank.model(**rows.inputs, task=rows.names))
    parts: list[Tensor] = []
    for task, own in rows.parts:
        if way == "in turn":
            output = models.bank.model(**rows.of(own), task=task_name(task))
        else:
            assert models.merged is not None
            if len(models.checkpoints) > 1:  # else it is merged already
                models.merged.switch(models.checkpoints[task])
            output = models.merged.model(**rows.of(own))
        parts.append(answers(output))
    whole = parts[0].new_empty(rows.count, *parts[0].shape[1:])
    for (_, own), part in zip(rows.parts, parts, strict=True):
        whole[own] = part
    return whole


def contenders(
    models: Models, inputs: Inputs, mix: Mix, tasks: int, seed: int
) -> tuple[dict[str, Contender], dict[str, Contender], Rows]:
    """Calls to time, what goes before each untimed, and the rows of ``mixed``.

    Every call draws the batch of the round for itself, from equal seeds: all of a round serve the same rows.
    """
    calls: dict[str, Contender] = {
        "base": lambda: models.base(**inputs),
        "base again": lambda: models.control(**inputs),
    }
    before: dict[str, Contender] = {name: lambda: None for name in calls}

    def add(name: str, call: Callable[[Rows], object], ready: Callable[[Rows], object] | None = None) -> Rows:
        rows = Rows(inputs, Draws(mix, tasks, int(inputs["input_ids"].shape[0]), seed))

        def prepare() -> None:
            rows.draw()
            if ready is not None:
                ready(rows)

        calls[name], before[name] = (lambda: call(rows)), prepare
        return rows

    add("one task", lambda rows: models.bank.model(**inputs, task=rows.names[0]))
    mixed = add("mixed", lambda rows: serve("mixed", models, rows))
    add("in turn", lambda rows: serve("in turn", models, rows))
    if (merged := models.merged) is not None:
        add(
            "merged",
            lambda rows: merged.model(**inputs),
            lambda rows: merged.switch(models.checkpoints[rows.parts[0][0]]),
        )
        add("merged in turn", lambda rows: serve("merged in turn", models, rows))
    return calls, before, mixed

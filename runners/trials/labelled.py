"""A trial whose answers are labels or numbers, given by a head on one text or two."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from accelerate import Accelerator
from torch import nn

from methods import Adapted
from reports.records.schema import SplitSizes
from runners import device
from runners.plan.spec import TrialSpec
from runners.trials import adapting, batches, frozen, loading, scoring, states
from runners.trials.batches import Batch, Encoded
from runners.trials.kind import Fitting
from runners.trials.loading import Splits
from runners.trials.scoring import Reported, Score


class Labelled:
    """A :class:`runners.trials.kind.Kind`: classification and regression.

    Args:
        spec: the trial.
        accelerator: holds the device and the other processes.
        adapted: the model, on the device.
    """

    def __init__(self, spec: TrialSpec, accelerator: Accelerator, adapted: Adapted) -> None:
        self.spec, self.task = spec, spec.declared
        self.accelerator, self.adapted = accelerator, adapted
        self.tokenizer = batches.tokenizer(spec.model)

    @cached_property
    def splits(self) -> Splits:
        """What is trained on, and what selects, as tokens."""
        return loading.splits(self.spec, self.adapted)

    @cached_property
    def reported(self) -> Encoded:
        """What is reported on, as tokens."""
        return loading.reported(self.spec, self.adapted)

    @property
    def sizes(self) -> SplitSizes:
        """Examples of the three splits, as far as the trial uses them."""
        return self.splits.sizes

    def truncated(self, reported: bool = False) -> SplitSizes:
        """How many of them are cut."""
        return self.splits.truncated(self.reported if reported else None)

    def set_out(self) -> None:
        """Let a fresh head of a regression begin at the mean of the training labels."""
        if self.task.problem_type == "regression":
            adapting.start_at_mean(self.adapted, self.splits.train.labels())

    def as_trained(self) -> nn.Module:
        """The adapted model; where something is frozen in front of all that trains, a module around it."""
        return frozen.as_trained(self.adapted, self.splits.train, self.spec.model)

    def longest(self, size: int) -> Batch:
        """The longest training examples as one batch."""
        return batches.longest(self.splits.train, self.tokenizer, size)

    def targets(self) -> None:
        """No token of an example: the model does not write."""
        return

    def selecting(self) -> int:
        """Examples that select."""
        return len(self.splits.selection)

    def fitting(self, steps: int, ends: Sequence[int], scorings: int) -> Fitting:
        """Batches of similar length; what is frozen in front is computed once for each of their rows."""
        spec, splits = self.spec, self.splits
        size, model = spec.protocol.batch_size, self.as_trained()
        reads = states.used(splits.train, size, ends, spec.seed)
        kept = states.keep(model, splits, spec.model, spec.protocol, reads, steps, scorings)
        selection = batches.scoring_loader(splits.selection, self.tokenizer, states=kept.selection)
        pinned = device.pins(self.accelerator.device)
        return Fitting(
            model,
            lambda done: batches.training_loader(
                splits.train, self.tokenizer, size, steps, spec.seed, done, pinned, kept.train
            ),
            lambda: self.score(model, selection),
            front_seconds=kept.train_seconds,
            reused_blocks=kept.blocks,
            selection_seconds=kept.selection_seconds,
        )

    def score(self, model: nn.Module, selection: Any) -> Score:
        """Metric values on the selection split, whose batches are given."""
        return scoring.score(self.accelerator, model, selection, self.task)

    def report(self, split: str = "report") -> Reported:
        """Score the report split, or a further one by its name, once."""
        main = split == "report"
        rows = self.reported if main else loading.reported(self.spec, self.adapted, split)
        model, train = self.adapted.model, self.splits.train
        return scoring.report(self.spec, self.task, self.accelerator, model, train, rows)

    def one_input(self, length: int) -> Batch:
        """Text of the reported split, row after row (1 x length)."""
        return batches.one_input(self.reported, length)

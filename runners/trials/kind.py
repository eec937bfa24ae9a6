"""What differs between trials by the kind of their task: rows into batches, and answers into scores.

A trial of any kind runs through the same stages (:mod:`runners.trials.trial`), and its training is the same
loop. What a stage has to know of rows and answers it asks the trial's :class:`Kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from accelerate import Accelerator
from torch import nn

from methods import Adapted
from reports.records.schema import SplitSizes
from runners.plan.spec import TrialSpec
from runners.trials.batches import Batch
from runners.trials.scoring import Reported, Score


def padded(batch: Batch) -> int:
    """Tokens of a batch that is computed as it is, padding included."""
    return batch["attention_mask"].numel()


@dataclass(frozen=True)
class Fitting:
    """What the loop of a training goes over."""

    model: nn.Module
    """What is called in a step: the adapted model, or a module around it."""
    loader: Callable[[int], Any]
    """The batches after so many steps."""
    evaluate: Callable[[], Score]
    """Metric values of the model, as it is, on the selection split."""
    positions: Callable[[Batch], int] = padded
    """Tokens of a batch that are computed, padding included."""
    front_seconds: float = 0.0
    """That what is frozen in front took, for the rows that are trained on."""
    reused_blocks: int = 0
    selection_seconds: float = 0.0
    """The same for the rows that are scored."""


class Kind(Protocol):
    """The rows of one trial as tokens, in batches, and scored; made when its model is on the device.

    Splits are read when something asks for them, the reported one last: a trial of a search never does.
    """

    def __init__(self, spec: TrialSpec, accelerator: Accelerator, adapted: Adapted) -> None: ...

    @property
    def sizes(self) -> SplitSizes:
        """Rows of the three splits, as far as the trial uses them."""
        ...

    def truncated(self, reported: bool = False) -> SplitSizes:
        """How many of them lost tokens; of the reported split if it is to be read for it."""
        ...

    def set_out(self) -> None:
        """Let a fresh head begin where the data are."""
        ...

    def as_trained(self) -> nn.Module:
        """What is called in a training step."""
        ...

    def longest(self, size: int) -> Batch:
        """The longest rows that are trained on as one batch: what a step has to fit."""
        ...

    def targets(self) -> float | None:
        """Tokens of an example that are trained on, on average; None where the model does not write."""
        ...

    def selecting(self) -> int:
        """What scoring the selection split once takes, in passes of one row."""
        ...

    def fitting(self, steps: int, ends: Sequence[int], scorings: int) -> Fitting:
        """What is trained on, and what selects.

        Args:
            steps: batches that this training goes over.
            ends: the steps after which a training with these settings may stop, the last among them.
            scorings: how often this training scores the selection split.
        """
        ...

    def report(self, split: str = "report") -> Reported:
        """Score the report split, or a further one by its name, once."""
        ...

    def one_input(self, length: int) -> Batch:
        """One input of exactly so many tokens (1 x length), which latency is measured on."""
        ...

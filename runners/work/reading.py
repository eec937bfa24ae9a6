"""What a trial reads, in tokens: how long its batches are, before any of them is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import islice

from methods import Adapted
from runners import processes
from runners.plan import halving
from runners.plan.evaluations import evaluation_steps
from runners.plan.spec import Protocol, TrialSpec
from runners.trials import batches, loading
from runners.trials.batches import SCORING_BATCH, Encoded, LengthGroupedBatches
from tasks.spec import TaskSpec

MOST_BATCHES = 500
"""Whose lengths are looked at; their order is random."""


@dataclass(frozen=True)
class Shape:
    """Batches of about one shape: so many, of rows x tokens, padding included."""

    batches: float
    rows: int
    length: int


@dataclass(frozen=True)
class Reading:
    """What the stages of a trial read."""

    training: Shape
    steps: int
    """Of the whole training."""
    distinct: int
    """Rows that it trains on, each counted once."""
    longest: Shape
    """The one batch that decides the memory."""
    selection: Shape
    """Of one evaluation."""
    report: Shape
    """None of it in a trial of a search."""
    further: tuple[Shape, ...]
    """Further report splits, likewise."""
    evaluate_at: tuple[int, ...]
    """The steps after which the selection split is scored."""


def of(spec: TrialSpec, adapted: Adapted) -> Reading:
    """What a trial reads.

    Args:
        spec: the trial.
        adapted: its model with its method, which may lack weights.

    Raises:
        DataError: the data are not there.
    """
    # A search has many learning rates, and reads the same.
    protocol = spec.protocol.model_copy(update={"learning_rate": None})
    task, limit = spec.declared, adapted.max_input_length
    return _of(spec.model, task, spec.data, protocol, spec.seed, spec.halving, limit)


@cache
def _of(
    model: str,
    task: TaskSpec,
    data: str | None,
    protocol: Protocol,
    seed: int,
    halved: bool,
    limit: int | None,
) -> Reading:
    length = min(protocol.max_length, limit or protocol.max_length)

    def split(name: str) -> Encoded:
        return batches.encode(model, task, data, split=name, max_length=length)

    train = loading.subset(split("train"), protocol.train_examples, seed)
    scored = protocol.scored_examples
    steps = protocol.steps or batches.steps_of(protocol.epochs, len(train), protocol.batch_size)
    rows = min(len(train), protocol.batch_size)
    order = LengthGroupedBatches(train.lengths, protocol.batch_size, min(steps, MOST_BATCHES), seed)
    lengths = [max(train.lengths[i] for i in batch) for batch in islice(order, MOST_BATCHES)]
    selection = loading.first(split("selection"), scored)
    regular = evaluation_steps(protocol.evaluate_every, steps, rows, len(selection))
    return Reading(
        steps=steps,
        distinct=min(len(train), steps * rows),
        training=Shape(steps, rows, _mean(lengths)),
        longest=Shape(1, processes.largest_share(rows), int(max(train.lengths))),
        selection=_scoring(selection),
        report=_scoring(loading.first(split("report"), scored)),
        further=tuple(
            _scoring(loading.first(split(name), scored)) for name in batches.load(task, data).further
        ),
        evaluate_at=tuple(sorted({*regular, *(halving.rungs(steps) if halved else ())})),
    )


def _scoring(split: Encoded) -> Shape:
    """The batches of a split that is scored, which are of falling length; of all the mean one."""
    lengths = sorted(split.lengths, reverse=True)
    starts = range(0, len(lengths), SCORING_BATCH)
    padded = sum(lengths[start] * min(SCORING_BATCH, len(lengths) - start) for start in starts)
    rows = min(len(lengths), SCORING_BATCH)
    return Shape(len(lengths) / rows, rows, max(1, round(float(padded) / len(lengths))))


def _mean(values: list[int]) -> int:
    return max(1, round(float(sum(values)) / len(values)))

"""What a trial reads, in tokens: how long its batches are, before any of them is trained on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice

from methods import Adapted
from runners import device, processes
from runners.plan import halving
from runners.plan.evaluations import evaluation_steps
from runners.plan.spec import Protocol, TrialSpec
from runners.trials import batches, kinds, loading
from runners.trials.batches import SCORING_BATCH, Encoded, LengthGroupedBatches
from runners.trials.prompted import SCORING_BATCH as SCORING_PROMPTS
from runners.trials.prompted import Prompting, Split, settings
from runners.writing.parts import parted
from tasks.spec import TaskSpec

MOST_BATCHES = 500
"""Whose lengths are looked at; their order is random."""


@dataclass(frozen=True)
class Shape:
    """Batches of about one shape: so many, of rows x tokens, padding included."""

    batches: float
    rows: int
    length: int
    """Of an encoder-decoder the mean of what it reads and of what it writes."""
    targets: float | None = None
    """Tokens of a row that logits are computed for; None for all."""


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
    written: int = 0
    """Tokens that are written at most for each row that is scored; 0 where it is answered in a pass."""


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
    if spec.writes:
        asked = (spec.model, task, spec.data, protocol, spec.seed, spec.halving, limit)
        return _written(_Asked(asked, spec, adapted))
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


@dataclass(frozen=True)
class _Asked:
    """A trial that writes, and what decides what it reads."""

    key: tuple[Hashable, ...]
    spec: TrialSpec = field(compare=False)
    adapted: Adapted = field(compare=False)


@cache
def _written(asked: _Asked) -> Reading:
    spec, protocol, task = asked.spec, asked.spec.protocol, asked.spec.declared
    kind = kinds.of(spec)(spec, device.accelerator(), asked.adapted)
    assert isinstance(kind, Prompting)
    train, pair = kind.train.rows, kind.form.pair
    assert train.targets is not None  # of what is trained on
    steps = protocol.steps or batches.steps_of(protocol.epochs, len(train), protocol.batch_size)
    rows = min(len(train), protocol.batch_size)
    order = LengthGroupedBatches(train.lengths, protocol.batch_size, min(steps, MOST_BATCHES), spec.seed)
    read, told = train.prompts.lengths, train.targets.lengths
    if pair:
        lengths = [(max(read[batch]) + max(told[batch])) / 2 for batch in order]
        longest = max(int(max(read)), int(max(told)))
    else:
        in_parts = device.likes_parts(device.local())
        sizes = [train.lengths[batch] for batch in order]
        lengths = [
            sum(part.positions for part in parted(own.tolist())) / rows if in_parts else float(max(own))
            for own in sizes
        ]
        longest = int(max(train.lengths))
    targets = float(told.mean())
    writes = task.problem_type == "generation"
    words = None if writes else kind.form.words()
    answered = 0.0 if words is None else float(words.lengths.mean())

    def scoring(split: Split) -> Shape:
        """Prompts in batches of falling length, or each prompt with every word."""
        own = split.rows.prompts.lengths + answered
        whole = _in_batches((own / 2 if pair else own).tolist(), SCORING_PROMPTS)
        if words is None:
            return replace(whole, targets=1)
        return replace(whole, batches=whole.batches * len(words))

    regular = evaluation_steps(protocol.evaluate_every, steps, rows, kind.selecting())
    return Reading(
        steps=steps,
        distinct=min(len(train), steps * rows),
        training=Shape(steps, rows, max(1, round(sum(lengths) / len(lengths))), targets),
        longest=Shape(1, processes.largest_share(rows), longest, targets),
        selection=scoring(kind.selection),
        report=scoring(kind.reported),
        further=tuple(scoring(kind.scored(name)) for name in batches.load(task, spec.data).further),
        evaluate_at=tuple(sorted({*regular, *(halving.rungs(steps) if spec.halving else ())})),
        written=settings(spec).longest if writes else 0,
    )


def _scoring(split: Encoded) -> Shape:
    """The batches of a split that is scored, which are of falling length; of all the mean one."""
    return _in_batches(split.lengths.tolist(), SCORING_BATCH)


def _in_batches(of_rows: Sequence[float], size: int) -> Shape:
    lengths = sorted(of_rows, reverse=True)
    starts = range(0, len(lengths), size)
    padded = sum(lengths[start] * min(size, len(lengths) - start) for start in starts)
    rows = min(len(lengths), size)
    return Shape(len(lengths) / rows, rows, max(1, round(float(padded) / len(lengths))))


def _mean(values: list[int]) -> int:
    return max(1, round(float(sum(values)) / len(values)))

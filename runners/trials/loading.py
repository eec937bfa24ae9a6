"""The first stage of a trial: its task's data, and as tokens the part of it that the trial uses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import tasks
from methods import Adapted
from reports.records.schema import MetricInfo, SplitSizes, TaskInfo
from runners.plan.spec import TrialSpec
from runners.trials import batches
from runners.trials.batches import Encoded
from tasks.own.declaration import ORIGIN
from tasks.spec import FileSource, TaskData, TaskSpec


@dataclass(frozen=True)
class Loaded:
    """A task and its data."""

    task: TaskSpec
    data: TaskData
    info: TaskInfo
    """The record's part on them."""


@dataclass(frozen=True)
class Splits:
    """What a trial trains on and selects by, as tokens."""

    train: Encoded
    selection: Encoded
    sizes: SplitSizes
    """Of all three splits, as far as the trial uses them."""

    def truncated(self, reported: Encoded | None = None) -> SplitSizes:
        """How many of their examples are cut; of the reported split, once it has been read."""
        parts = {"train": self.train, "selection": self.selection, "report": reported}
        cut = {name: None if part is None else int(part.cut.sum()) for name, part in parts.items()}
        return SplitSizes(**cut)


def load(spec: TrialSpec) -> Loaded:
    """Read the task's data.

    Raises:
        DataError: it is not there.
    """
    task, data = spec.declared, batches.load(spec.declared, spec.data)
    info = TaskInfo(
        name=task.name,
        version=task.version,
        main_metric=task.main_metric.name,
        metrics=tuple(
            MetricInfo(name=m.name, higher_is_better=m.higher_is_better, unit=m.unit) for m in task.metrics
        ),
        source=data.source,
        license=task.license,
        sizes=SplitSizes(**data.sizes),
        dropped_train_examples=data.dropped_train_examples,
        data_sha256=data.sha256,
        origin=ORIGIN if isinstance(task.source, FileSource) else tasks.origin(task.name),
    )
    return Loaded(task, data, info)


def splits(spec: TrialSpec, adapted: Adapted) -> Splits:
    """Turn what is trained on and what selects into tokens."""
    train = subset(_encoded(spec, adapted, "train"), spec.protocol.train_examples, spec.seed)
    scored = spec.protocol.scored_examples
    selection = first(_encoded(spec, adapted, "selection"), scored)
    whole = batches.load(spec.declared, spec.data).sizes["report"]
    reported = min(whole, scored or whole)
    sizes = SplitSizes(train=len(train), selection=len(selection), report=reported)
    return Splits(train, selection, sizes)


def reported(spec: TrialSpec, adapted: Adapted, split: str = "report") -> Encoded:
    """Turn what is reported on into tokens: late, since a trial of a search has no business with it.

    Args:
        spec: the trial.
        adapted: its model with its method.
        split: the report split, or a further one by its name.
    """
    return first(_encoded(spec, adapted, split), spec.protocol.scored_examples)


def _encoded(spec: TrialSpec, adapted: Adapted, split: str) -> Encoded:
    limit = min(spec.protocol.max_length, adapted.max_input_length or spec.protocol.max_length)
    return batches.encode(spec.model, spec.declared, spec.data, split=split, max_length=limit)


def subset(split: Encoded, count: int | None, seed: int) -> Encoded:
    """A random part of a split; with one seed, smaller parts lie inside larger ones."""
    if count is None or count >= len(split):
        return split
    return split.part(drawn(len(split), count, seed))


def drawn(rows: int, count: int | None, seed: int) -> np.ndarray:
    """The rows of such a part; all of them, in their order, where there are no more."""
    if count is None or count >= rows:
        return np.arange(rows)
    return np.random.default_rng(seed).permutation(rows)[:count]


def first(split: Encoded, count: int | None) -> Encoded:
    """The first examples of a split that is in hash order: the same ones for every trial."""
    return split if count is None else split.part(range(min(count, len(split))))

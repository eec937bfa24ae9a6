"""What is learned and how it is scored: task declarations, their data, their metrics.

    tasks.names()                          every task
    tasks.get("mrpc")                      its declaration (TaskSpec)
    tasks.load("mrpc", data="glue")        its three splits (TaskData)
    tasks.score(spec, predictions, refs)   {"accuracy": ..., "f1": ...}
    tasks.majority(spec, labels, refs)     the same, for always predicting the majority label

Importing this package is cheap: `datasets` and `evaluate` are imported when first needed.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks import glue, reviews, writing
from tasks.spec import (
    DataError,
    HubSource,
    MetricSpec,
    PackageSource,
    TaskData,
    TaskError,
    TaskSpec,
    Template,
)

if TYPE_CHECKING:
    import numpy as np

_TASKS: dict[str, TaskSpec] = {}
for _task in (*glue.TASKS, *reviews.TASKS, *writing.TASKS):
    if _task.name in _TASKS:
        raise TaskError(f"the task {_task.name!r} is declared twice")
    _TASKS[_task.name] = _task


def names() -> tuple[str, ...]:
    """The names of all tasks, in the order they are declared."""
    return tuple(_TASKS)


def get(name: str) -> TaskSpec:
    """The declaration of one task; raises TaskError, naming the nearest, when there is none."""
    if name not in _TASKS:
        near = difflib.get_close_matches(name.lower(), _TASKS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}? There are: " if near else "there are: "
        raise TaskError(f"unknown task {name!r}; {hint}{', '.join(_TASKS)}")
    return _TASKS[name]


def load(task: str | TaskSpec, data: str | None = None) -> TaskData:
    """The three splits of a task, by its name or declaration; `data` is a local folder of the hub's layout.

    Tasks whose data is in a package do not need `data` and do not look at it, so that one folder can be
    given to a study of several tasks. Raises TaskError for an unknown task, DataError for its data.
    """
    from tasks import loading

    return loading.load(task if isinstance(task, TaskSpec) else get(task), data)


def score(
    spec: TaskSpec,
    predictions: np.ndarray | Sequence[str],
    references: np.ndarray | Sequence[Sequence[str]],
) -> dict[str, float]:
    """Every metric of a task by name: label numbers for a classification, floats for a regression.

    Where text is written, one text per input, and a list of references for each.
    """
    from tasks import metrics

    return metrics.score(spec, predictions, references)


def majority(
    spec: TaskSpec,
    train_labels: np.ndarray | Sequence[str],
    references: np.ndarray | Sequence[Sequence[str]],
) -> dict[str, float]:
    """The score of always predicting the most frequent training label or target (regression: the mean)."""
    from tasks import metrics

    return metrics.majority(spec, train_labels, references)


__all__ = [
    "DataError",
    "HubSource",
    "MetricSpec",
    "PackageSource",
    "TaskData",
    "TaskError",
    "TaskSpec",
    "Template",
    "get",
    "load",
    "majority",
    "names",
    "score",
]

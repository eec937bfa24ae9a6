"""What is learned and how it is scored: task declarations, their data, their metrics.

    tasks.names()                          every task
    tasks.get("mrpc")                      its declaration (TaskSpec)
    tasks.load("mrpc", data="glue")        its three splits (TaskData)
    tasks.score(spec, predictions, refs)   {"accuracy": ..., "f1": ...}
    tasks.majority(spec, labels, refs)     the same, for always predicting the majority label
    tasks.register(TaskSpec(...))          a task of yours beside ours, for this process

Installed packages bring tasks of their own by entry points of the group `paretune.tasks`.
Importing this package is cheap: `datasets` and `evaluate` are imported when first needed.

Data of users' own are read in the room `own`. Ground floor: `spec`, `bio`, `needs`, `hub`, `joined`,
`further`, `splits`, `pairs`, `tagged`, `cache`, `named`, `reading`.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks import glue, inference, intents, reviews, superglue, tagging, topics, webnlg, writing
from tasks.hub import FurtherSplit, HubSource
from tasks.registry import Registry
from tasks.spec import (
    DataError,
    MetricSpec,
    PackageSource,
    RowsSource,
    TaskData,
    TaskError,
    TaskSpec,
    Template,
)

if TYPE_CHECKING:
    import numpy as np

_TASKS: dict[str, TaskSpec] = {}
_OURS = (glue, reviews, tagging, writing, webnlg, superglue, inference, topics, intents)
for _task in (task for declared in _OURS for task in declared.TASKS):
    if _task.name in _TASKS:
        raise TaskError(f"the task {_task.name!r} is declared twice")
    _TASKS[_task.name] = _task


def _checked(given: object) -> tuple[str, TaskSpec]:
    if not isinstance(given, TaskSpec):
        raise TaskError(f"received {given!r:.80}, expected a task: tasks.TaskSpec(...).")
    return given.name, given


_REGISTRY = Registry("task", _TASKS, _checked, TaskError)


def names() -> tuple[str, ...]:
    """The names of all tasks: ours in the order they are declared, then those that were brought."""
    _REGISTRY.discover()
    return tuple(_TASKS)


def get(name: str) -> TaskSpec:
    """The declaration of one task; raises TaskError, naming the nearest, when there is none."""
    if name not in _TASKS:
        _REGISTRY.discover()
    if name not in _TASKS:
        near = difflib.get_close_matches(name.lower(), _TASKS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}? There are: " if near else "there are: "
        if "." in name or "/" in name:  # a file
            hint = f"own data are a line of a study, which `paretune check-data {name}` tells; {hint}"
        raise TaskError(_REGISTRY.beside(f"unknown task {name!r}; {hint}{', '.join(_TASKS)}"))
    return _TASKS[name]


def register(task: TaskSpec) -> None:
    """Add a task to those that this process knows; records say that it is not one of Paretune's.

    Raises TaskError where it is no task, or its name is taken. A process that this one starts, as for
    `--workers`, does not know it: for those a package declares an entry point of the group `paretune.tasks`,
    whose value is a TaskSpec or a list of them.
    """
    _REGISTRY.register(task, sys._getframe(1).f_globals)


def origin(name: str) -> str | None:
    """Whose a task is, such as `my-package 1.2`; None for ours, and for what is no task of that name."""
    return _REGISTRY.origin(name)


def only_here(name: str) -> bool:
    """Whether a task was registered in this process, so that no other one knows it."""
    return _REGISTRY.only_here(name)


def faults() -> tuple[str, ...]:
    """A sentence on each entry point of another package that brings no task, for whatever reason."""
    _REGISTRY.discover()
    return tuple(_REGISTRY.faults)


def load(task: str | TaskSpec, data: str | None = None) -> TaskData:
    """The three splits of a task, by its name or declaration; `data` is a local folder of the hub's layout.

    Tasks whose data is in a package do not need `data` and do not look at it, so that one folder can be
    given to a study of several tasks. Raises TaskError for an unknown task, DataError for its data.
    """
    from tasks import loading

    return loading.load(task if isinstance(task, TaskSpec) else get(task), data)


def score(
    spec: TaskSpec,
    predictions: np.ndarray | Sequence[str] | Sequence[np.ndarray],
    references: np.ndarray | Sequence[Sequence[str]] | Sequence[np.ndarray],
) -> dict[str, float]:
    """Every metric of a task by name: label numbers for a classification, floats for a regression.

    Where text is written, one text per input, and a list of references for each. Where words are labelled,
    for each sentence the label numbers of all of its words.
    """
    from tasks import metrics

    return metrics.score(spec, predictions, references)


def majority(
    spec: TaskSpec,
    train_labels: np.ndarray | Sequence[str] | Sequence[np.ndarray],
    references: np.ndarray | Sequence[Sequence[str]] | Sequence[np.ndarray],
) -> dict[str, float]:
    """The score of always predicting the most frequent training label or target (regression: the mean)."""
    from tasks import metrics

    return metrics.majority(spec, train_labels, references)


__all__ = [
    "DataError",
    "FurtherSplit",
    "HubSource",
    "MetricSpec",
    "PackageSource",
    "RowsSource",
    "TaskData",
    "TaskError",
    "TaskSpec",
    "Template",
    "faults",
    "get",
    "load",
    "majority",
    "names",
    "only_here",
    "origin",
    "register",
    "score",
]

"""A method out of a model for a while: the base as it was, its own parameters included."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from methods.core.injection import Injection
from methods.core.places import every_place
from methods.core.standing_in import give_back, stand_in
from methods.core.task_parameters import TaskParameters


@contextmanager
def disabled(injection: Injection, task: TaskParameters) -> Iterator[None]:
    """Let a model be what it was before the method; afterwards the very same tensors are in it again.

    Args:
        injection: the method, not folded.
        task: its parameters, some of which may be the base's own.
    """
    injection.undo()
    try:
        places = every_place(task.anatomy.model.modules())
        own = [(place.parameter, original) for place, original in task.originals]
        # In the dtype of then: what stands beside them has it again as well.
        kept = stand_in([(places[id(p)], original.to(p.device)) for p, original in own], as_given=True)
        for one in kept:
            one.places[0].parameter.requires_grad_(False)
        try:
            yield
        finally:
            give_back(kept)
    finally:
        injection.redo()

"""A model that is to hold a checkpoint: the method, and the head with what of the body belongs to it."""

from __future__ import annotations

from typing import Any

from methods.anatomy import Model, mark_fresh
from methods.core.adapted import Adapted
from methods.core.checkpoint import Checkpoint
from methods.core.method import Method
from methods.core.options import Options


def fitting(model: Model, method: Method[Any], options: Options, saved: Checkpoint) -> Adapted:
    """Put a method into a model, whose head is as a checkpoint has it; the tensors are still to be taken.

    What the checkpoint's model drew in its body (:mod:`methods.anatomy.drawn`) is the head's until the method
    is removed, in a model too that brings its own.

    Raises:
        MethodError: as :class:`Adapted`. The model is then as it was.
    """
    before = mark_fresh(model, saved.fresh(model))
    try:
        return Adapted(model, method, options, fresh_without=before)
    except BaseException:
        mark_fresh(model, before)
        raise

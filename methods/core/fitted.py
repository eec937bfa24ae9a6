"""A model that is to hold a checkpoint: the method, and the head with what of the body belongs to it."""

from __future__ import annotations

import warnings
from typing import Any

from methods.anatomy import Anatomy, Model, mark_fresh
from methods.core.adapted import Adapted
from methods.core.checkpoint import Checkpoint
from methods.core.method import Method
from methods.core.options import Options
from methods.errors import IncompleteHeadWarning


def fitting(model: Model, method: Method[Any], options: Options, saved: Checkpoint) -> Adapted:
    """Put a method into a model, whose head is as a checkpoint has it; the tensors are still to be taken.

    What the checkpoint's model drew in its body (:mod:`methods.anatomy.drawn`) is the head's until the method
    is removed, in a model too that brings its own.

    Raises:
        MethodError: as :class:`Adapted`. The model is then as it was.

    Warns:
        IncompleteHeadWarning: the model drew something that the checkpoint does not hold.
    """
    before = mark_fresh(model, ())
    try:
        named = dict(model.named_parameters())
        own = {name for part, _, name in (key.partition(".") for key in saved.tensors) if part == "head"}
        kept = own & named.keys() - Anatomy(model).head_parameters().keys()
        mark_fresh(model, kept)
        adapted = Adapted(model, method, options, fresh_without=before)
    except BaseException:
        mark_fresh(model, before)
        raise
    taken = {id(parameter) for parameter in adapted.of_the_task().values()}
    if left_out := sorted(name for name in before - kept if name in named and id(named[name]) not in taken):
        warnings.warn(IncompleteHeadWarning(saved.origin, left_out), stacklevel=4)
    return adapted

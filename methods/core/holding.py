"""The handle of a method that a model holds, found again."""

from __future__ import annotations

from torch import nn

from methods.core.adapted import MARK, Adapted
from methods.errors import MethodError


def held_by(model: nn.Module) -> Adapted:
    """The handle of the method that a model holds, for who lost it; also of a copy, or behind a wrapper.

    Raises:
        MethodError: it holds none.
    """
    inner = getattr(model, "module", model)  # DistributedDataParallel
    found = getattr(inner, MARK, None)
    if found is not None and not isinstance(found, Adapted):
        kind = type(found).__name__
        raise MethodError(f"{type(inner).__name__} holds a {kind} of several tasks, and no one method.")
    if not isinstance(found, Adapted):
        raise MethodError(f"{type(inner).__name__} holds no method: apply one.")
    return found

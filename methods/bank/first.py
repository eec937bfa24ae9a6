"""Whether a model that nobody described keeps the rows of a batch in the first dimension, tried out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from methods.anatomy.small import has_values, sample
from methods.bank.rowwise import Computed, RowWise
from methods.core import Adapted
from methods.core.modes import evaluating
from methods.errors import MethodError


def rows_come_first(adapted: Adapted, units: Sequence[RowWise]) -> None:
    """Check that the modules that compute row by row read the rows of a batch in the first dimension.

    Args:
        adapted: a model with the method in it.
        units: those modules.

    Raises:
        MethodError: one does not, or that cannot be tried out.
    """
    body = adapted.anatomy.body
    inputs = sample(body) if has_values(body) else None  # type: ignore[arg-type]
    if inputs is None:
        raise MethodError(
            f"{adapted.anatomy} is not among the architectures that are known, and cannot be tried out: a "
            "bank cannot tell the rows of its batches."
        )
    batch, wrong = len(next(iter(inputs.values()))), []

    def look(module: nn.Module, args: Any) -> None:
        if isinstance(args[0], Tensor) and args[0].shape[0] != batch:
            wrong.append(tuple(args[0].shape))

    handles = [
        unit.module.register_forward_pre_hook(look)
        for unit in units
        if isinstance(unit, Computed) and unit.in_body
    ]
    try:
        with evaluating(body):
            body(**inputs)
    finally:
        for handle in handles:
            handle.remove()
    if wrong:
        raise MethodError(
            f"a bank cannot serve {adapted.method.name} on {adapted.anatomy}: a module reads a tensor of "
            f"{wrong[0]} in a batch of {batch}, expected its rows in the first dimension."
        )

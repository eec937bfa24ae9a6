"""What merging rounds away, measured on logits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import nn

from methods.anatomy.anatomy import Model


class Mergeable(Protocol):
    """What is asked of an ``Adapted``."""

    model: Model
    merged: bool

    def merge(self) -> None:
        """Write the method into the base."""

    def unmerge(self) -> None:
        """Undo it."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode; afterwards every module has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def merge_difference(adapted: Mergeable, inputs: dict[str, Any]) -> float:
    """Largest absolute difference between a logit of the unmerged model and of the merged one.

    Afterwards the model is merged, or not, as it was.
    """
    merged = adapted.merged
    if merged:
        adapted.unmerge()
    try:
        with evaluating(adapted.model), torch.no_grad():
            before = adapted.model(**inputs).logits
            adapted.merge()
            after = adapted.model(**inputs).logits
    finally:
        if adapted.merged != merged:
            adapted.merge() if merged else adapted.unmerge()
    return float((after.double() - before.double()).abs().max())

"""What merging rounds away, measured on logits."""

from __future__ import annotations

from typing import Any, Protocol

from methods.anatomy.parameters import Model
from methods.core.modes import evaluating


class Mergeable(Protocol):
    """What is asked of an ``Adapted``."""

    model: Model
    merged: bool

    def merge(self) -> None:
        """Write the method into the base."""

    def unmerge(self) -> None:
        """Undo it."""


def merge_difference(adapted: Mergeable, inputs: dict[str, Any]) -> float:
    """Largest absolute difference between a logit of the unmerged model and of the merged one.

    Afterwards the model is merged, or not, as it was.
    """
    merged = adapted.merged
    if merged:
        adapted.unmerge()
    try:
        with evaluating(adapted.model):
            before = adapted.model(**inputs).logits
            adapted.merge()
            after = adapted.model(**inputs).logits
    finally:
        if adapted.merged != merged:
            adapted.merge() if merged else adapted.unmerge()
    return float((after.double() - before.double()).abs().max())

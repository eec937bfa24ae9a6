"""``save_pretrained`` of a model that holds a method: ``from_pretrained`` reads what it writes, or it fails.

The layers of an adapted model have other names, with the method's tensors between them, and what
``from_pretrained`` does not find it fills with fresh numbers. Merged, or where a method only trains what the
base has, the names are the base's own. ``push_to_hub`` and the Trainer of transformers save by the same
function.
"""

from __future__ import annotations

from typing import Any, Protocol

from methods.anatomy.parameters import Model
from methods.core.method import Method
from methods.errors import MethodError

NAME = "save_pretrained"


class Holder(Protocol):
    """What is asked of an ``Adapted``."""

    model: Model
    method: Method[Any]
    merged: bool


class GuardedSave:
    """``save_pretrained`` of one model while a method is in it: an attribute, copied and pickled with it."""

    def __init__(self, adapted: Holder) -> None:
        self.adapted = adapted

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Save as the model's class does.

        Raises:
            MethodError: the method is in the model's modules. Nothing is written then.
        """
        model, method = self.adapted.model, self.adapted.method
        if not self.adapted.merged:
            first = "call merge() first, or " if method.mergeable else ""
            raise MethodError(
                f"save_pretrained() would write a model with {method.name} in it, which from_pretrained() "
                f"cannot read: {first}save the method alone with methods.adapted(model).save(folder); "
                "a Trainer is kept from it by save_strategy='no'."
            )
        return type(model).save_pretrained(model, *args, **kwargs)


def guard(adapted: Holder) -> None:
    """Let the model of a method that changes its modules be saved only where it can be read again."""
    vars(adapted.model)[NAME] = GuardedSave(adapted)


def unguard(model: Model) -> None:
    """Let a model be saved as its class does."""
    vars(model).pop(NAME, None)

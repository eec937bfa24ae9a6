"""What of a model's body came from no checkpoint: drawn at random, it trains and is kept with the task head.

A BERT that was trained on masked words alone has no pooler, and transformers draws one. Frozen as the body
is, it would be a random layer under every head, and a file of the method without it another function. A model
does not know what it was loaded from, so whoever loads it has to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from transformers import PreTrainedModel

from methods.errors import MethodError

_NAMES = "_paretune_fresh"
"""The attribute of a model that holds them, by the names of ``named_parameters()``."""


def fresh(model: PreTrainedModel) -> frozenset[str]:
    """The parameters of a model's body that belong to its head."""
    found: frozenset[str] = getattr(model, _NAMES, frozenset())
    return found


def mark_fresh(model: PreTrainedModel, names: Iterable[str]) -> frozenset[str]:
    """Say which parameters those are; return what was said before.

    Raises:
        MethodError: the model is a language model, whose head is pretrained: it has no task head.
    """
    before, now = fresh(model), frozenset(names)
    if now and model.get_output_embeddings() is not None:
        raise MethodError(
            f"{min(now)!r} is to belong to the task head of a {type(model).__name__}, which has none: "
            "expected a classifier, or a checkpoint that holds all of a language model."
        )
    if now:
        setattr(model, _NAMES, now)
    elif before:
        delattr(model, _NAMES)
    return before

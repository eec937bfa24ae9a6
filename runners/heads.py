"""The task head of a loaded model: drawn anew, or the checkpoint's where its labels have the task's names.

What a checkpoint lacks outside of blocks and head, such as BERT's pooler, is drawn at random as well. It then
belongs to the head: with every method it trains, and is kept.

A checkpoint that was trained on another task has the head of that task, maybe with as many outputs. Its order
of labels is its own: what it calls number 0 need not be what the task does. So none is kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from methods.anatomy import Anatomy, fresh, mark_fresh
from methods.errors import AnatomyError

FRESH = "fresh"
REPLACED = "fresh, in place of the checkpoint's own"
MAPPED = "of the checkpoint, labels by name"

_HEAD = "_paretune_head"
"""The attribute of a model that says where its head is from."""


def origin(model: PreTrainedModel) -> str | None:
    """Where a model's head is from: one of the three above, and what else was drawn at random.

    None where :func:`settle` did not see it.
    """
    found, too = getattr(model, _HEAD, None), sorted(fresh(model))
    return f"{found}; drawn in the body: {', '.join(too)}" if too else found


def lacking(model: PreTrainedModel, told: Mapping[str, Any]) -> list[str]:
    """The parameters inside of a model's blocks that its checkpoint did not fill, by name.

    Args:
        model: as loaded.
        told: what transformers tells of the loading.
    """
    absent = {*told["missing_keys"], *(name for name, *_ in told["mismatched_keys"])}
    try:
        blocks = Anatomy(model).blocks
    except AnatomyError:  # of what is not known nothing is missing
        return []
    before = f"{model.base_model_prefix}." if model.base_model is not model else ""
    return sorted(name for name in absent if name.startswith(tuple(f"{before}{b.path}." for b in blocks)))


def settle(
    model: PreTrainedModel,
    missing: Set[str],
    of_another_size: Set[str],
    theirs: Mapping[int, str],
    ours: Sequence[str],
    state: Tensor,
) -> None:
    """Give a model that was loaded the head that a task begins with.

    A checkpoint's own head is kept where its labels have the names of the task's, but for case and
    punctuation; its rows are put into the task's order. Any other is drawn anew: the same one as over a
    checkpoint without a head.

    Args:
        model: its head is drawn where the checkpoint has none, or one of another size.
        missing: names of the parameters that the checkpoint does not hold.
        of_another_size: of those that it holds in another size.
        theirs: the checkpoint's labels by number.
        ours: the task's labels in the order of their numbers; none for a regression.
        state: of the generator, before the model was loaded.
    """
    head, every = Anatomy(model).head_parameters(), dict(model.named_parameters())
    body = {n: p for n, p in every.items() if n not in head and n in missing | of_another_size}
    found = FRESH
    if head.keys() - missing:
        order = _order(theirs, ours)
        if order is not None and not head.keys() & missing and _reorder(model, head, order):
            found = MAPPED
        else:
            _redraw(model, {**head, **body}, state)
            found = REPLACED
    setattr(model, _HEAD, found)
    mark_fresh(model, body)


def _order(theirs: Mapping[int, str], ours: Sequence[str]) -> list[int] | None:
    """The checkpoint's number of each of the task's labels; None where they are other labels."""
    numbers = {_plain(name): number for number, name in theirs.items()}
    names = [_plain(name) for name in ours]
    if len(numbers) != len(theirs) or len(names) < 2 or set(names) != set(numbers):
        return None
    return [numbers[name] for name in names]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def _reorder(model: PreTrainedModel, head: Mapping[str, nn.Parameter], order: list[int]) -> bool:
    """Put the rows of the head's last layer into another order; whether it is known which layer that is."""
    inside = {id(parameter) for parameter in head.values()}
    last = [
        module
        for module in model.modules()
        if isinstance(module, nn.Linear) and id(module.weight) in inside and module.out_features == len(order)
    ]
    if len(last) != 1:
        return False
    with torch.no_grad():
        for parameter in last[0].parameters():
            parameter.copy_(parameter[order].clone())
    return True


def _redraw(model: PreTrainedModel, fresh: Mapping[str, nn.Parameter], state: Tensor) -> None:
    """Draw parameters as transformers draws those that a checkpoint does not hold."""
    inside = {id(parameter) for parameter in fresh.values()}
    for parameter in model.parameters():
        parameter._is_hf_initialized = id(parameter) not in inside  # type: ignore[attr-defined]
    for module in model.modules():
        if any(id(parameter) in inside for parameter in module.parameters(recurse=False)):
            module._is_hf_initialized = False  # type: ignore[assignment]
    torch.set_rng_state(state)
    with torch.no_grad():
        model.initialize_weights()

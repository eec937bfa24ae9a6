"""Another model that shares the tensors of one: several ways to call a model, for the memory of little more.

A twin has modules of its own and, of every tensor that no task changes, the same memory. What is merged into
a twin, or taken out of it, is seen in no other.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from methods.anatomy.parameters import Model
from methods.core.adapted import MARK, Adapted
from methods.core.repacking import as_loaded
from methods.errors import MergeError


def twin(adapted: Adapted) -> Adapted:
    """The model and its method again, with parameters of the task of its own.

    Raises:
        MergeError: the model is merged.
        MethodError: the model is sharded over processes.
    """
    return _copied(adapted, {})


def as_stored(adapted: Adapted) -> Adapted:
    """The model with what a checkpoint keeps of its method: itself, where that is all of it.

    Raises:
        MergeError: the model is merged.
        MethodError: the model is sharded over processes.
    """
    if adapted.stored_options == adapted.settled_options:
        return adapted
    other = twin(adapted)
    other.switch(adapted.checkpoint())
    return other


def base_of(adapted: Adapted) -> Model:
    """The model without the method, bit by bit, head included; the method stays in the other.

    Raises:
        MergeError: the model is merged.
        MethodError: the model is sharded over processes.
    """
    known: dict[int, Any] = {id(p): _alias(p) for p in adapted.of_the_task().values()}
    for place, original in adapted.originals:
        own = place.parameter
        known[id(own)] = nn.Parameter(original.to(own.device), requires_grad=own.requires_grad)
    other = _copied(adapted, known)
    model = other.remove()
    as_loaded(model)  # what it repacked would be repacked in the others, which share it
    return model


def _copied(adapted: Adapted, known: dict[int, Any]) -> Adapted:
    """A copy whose tensors are, by the id of those of the model, the known ones, or shared, or the task's."""
    if adapted.merged:
        raise MergeError(
            "the model is merged, and a twin would share what is kept aside: unmerge() it first."
        )
    model, task = adapted.model, {id(p) for p in adapted.of_the_task().values()}
    memo = {id(p): _alias(p) for p in model.parameters() if id(p) not in task}
    shared: dict[int, Any] = {id(each): each for each in (*model.buffers(), *_aside(adapted))}
    found = getattr(copy.deepcopy(model, memo | shared | known), MARK)
    assert isinstance(found, Adapted)
    return found


def _alias(parameter: nn.Parameter) -> nn.Parameter:
    """Another parameter in the same memory, whose flags are its own; of what is packed, itself."""
    if type(parameter) is not nn.Parameter:
        return parameter
    return nn.Parameter(parameter.data, requires_grad=parameter.requires_grad)


def _aside(adapted: Adapted) -> list[Tensor]:
    """Tensors that belong to the base, and are neither its parameters nor its buffers."""
    found = [original for _, original in adapted.originals]
    for change in adapted.changes:
        found += [one.own for one in getattr(change, "kept", ())]
    for module in adapted.model.modules():
        state = getattr(module, "state", None)  # where bitsandbytes' 8-bit layers have their weight too
        found += [each for each in getattr(state, "__dict__", {}).values() if isinstance(each, Tensor)]
    return found

"""More keys and values in front of an attention's own, through transformers' pluggable attention functions.

``AttentionInterface`` reaches encoders and decoders alike and leaves the key/value cache to the tokens. The
attention mask that the model builds covers the tokens; here it gains n open columns, and stays causal behind
them. What is put in front has no query and no position of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from methods.anatomy.anatomy import Anatomy
from methods.core.injection import Change
from methods.errors import MethodError

SLOT = "prefix"
"""Name of the submodule that holds an attention's keys and values inside its module."""

PARTS = ("keys", "values")

SUPPORTED = ("sdpa", "eager")

Attend = Callable[..., tuple[Tensor, Tensor | None]]


class KeysValues(nn.Module):
    """The extra keys and values of one attention, each (heads x length x head size).

    They are parameters, or tensors that are set before each forward pass.
    """

    keys: Tensor
    values: Tensor

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave out tensors that belong to one forward pass."""
        return {name: value for name, value in self.__dict__.items() if name not in PARTS}


class InFront(Change):
    """Keys and values in front of those of some attentions of a model.

    Args:
        anatomy: the model.
        slots: the attention modules, each with what is put in front.

    Raises:
        MethodError: the model uses an attention implementation other than sdpa or eager.
    """

    def __init__(self, anatomy: Anatomy, slots: list[tuple[nn.Module, KeysValues]]) -> None:
        self.model = anatomy.model
        self.slots = slots
        self.implementation = implementation_of(anatomy)
        for attention, slot in slots:
            attention.add_module(SLOT, slot.train(attention.training))
        self.model.set_attn_implementation(_registered(self.implementation))

    def undo(self) -> None:
        """Leave the attentions to the tokens."""
        for attention, _ in self.slots:
            delattr(attention, SLOT)
        self.model.set_attn_implementation(self.implementation)


def implementation_of(anatomy: Anatomy) -> str:
    """The attention implementation of a model, which must be one that can be reached.

    Raises:
        MethodError: it is none of transformers' attention functions, or one that is not supported.
    """
    implementation: str = anatomy.config._attn_implementation
    if not anatomy.model._can_set_attn_implementation():
        raise MethodError(
            f"{anatomy} computes its attention without transformers' attention functions, which prefix "
            "needs to reach it."
        )
    if implementation not in SUPPORTED:
        raise MethodError(
            f"prefix works with the attention implementations {' and '.join(SUPPORTED)}, {anatomy} uses "
            f"{implementation!r}: call model.set_attn_implementation('sdpa') first."
        )
    return implementation


def _registered(implementation: str) -> str:
    """Register an attention implementation with something in front and return its name."""
    name = f"paretune_prefix_{implementation}"
    AttentionInterface.register(name, _in_front_of(implementation))
    # Without its own entry here the model would build no mask at all and padding would be attended to.
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[implementation])
    return name


def _in_front_of(implementation: str) -> Attend:
    """Wrap one of transformers' attention functions so that it puts the module's slot in front."""

    def attend(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        inner = ALL_ATTENTION_FUNCTIONS.get(implementation) or _eager_function(module)
        slot = module._modules.get(SLOT)
        if isinstance(slot, KeysValues):
            batch, length = key.shape[0], slot.keys.shape[1]
            queries, keys = query.shape[2], key.shape[2]
            # (batch, heads, n + T, size)
            key = torch.cat([slot.keys.expand(batch, -1, -1, -1).to(key.dtype), key], dim=2)
            value = torch.cat([slot.values.expand(batch, -1, -1, -1).to(value.dtype), value], dim=2)
            causal = kwargs.get("is_causal")
            causal = getattr(module, "is_causal", True) if causal is None else causal
            if attention_mask is not None:
                # Boolean masks mean "may attend", additive ones are zero where one may.
                is_open = True if attention_mask.dtype == torch.bool else 0.0
                attention_mask = F.pad(attention_mask, (length, 0), value=is_open)
            elif causal and queries > 1:
                # No mask means causal here, and more keys than queries that the first ones are a cache.
                whole = torch.ones(1, 1, queries, length + keys, dtype=torch.bool, device=key.device)
                attention_mask = whole.tril(length + keys - queries)
            if kwargs.get("position_bias") is not None:  # T5's; what is in front has no position
                kwargs["position_bias"] = F.pad(kwargs["position_bias"], (length, 0))
        return inner(module, query, key, value, attention_mask, **kwargs)

    return attend


def _eager_function(module: nn.Module) -> Attend:
    """The eager attention of a model: not registered, each model file has its own."""
    return vars(sys.modules[type(module).__module__])["eager_attention_forward"]

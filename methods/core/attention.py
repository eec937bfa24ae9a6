"""More keys and values in front of an attention's own, through transformers' pluggable attention functions.

``AttentionInterface`` reaches encoders and decoders alike and leaves the key/value cache to the tokens. The
attention mask that the model builds covers the tokens; here it gains n open columns, and stays causal behind
them. What is put in front has no query and no position of its own.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from methods.anatomy.anatomy import Anatomy
from methods.core.change import Change
from methods.errors import MethodError

SLOT = "prefix"
"""Name of the submodule that holds an attention's keys and values inside its module."""

PARTS = ("keys", "values")

SUPPORTED = ("sdpa", "eager")

Attend = Callable[..., tuple[Tensor, Tensor | None]]


class Masks:
    """Attention masks with open columns in front, made once for all attentions of a pass that are handed one.

    One that has been written to since, ours or the model's, is made anew.
    """

    KEPT = 4
    """More kinds of masks than a pass has: full, sliding, encoder's, cross."""

    def __init__(self) -> None:
        self._made: dict[Any, tuple[Any, tuple[int, int], Tensor]] = {}

    def opened(self, mask: Tensor, length: int, rows: Tensor | None = None) -> Tensor:
        """A mask (batch x heads x queries x keys) with ``length`` more keys, open to all queries.

        ``rows``, (batch x 1 x 1 x length), says which of them a row has; None: all.
        """
        make = partial(self._open, mask, length) if rows is None else partial(self._open_rows, mask, rows)
        if mask.is_inference() or mask.requires_grad:  # whether it was written to cannot be told
            return make()
        return self._once(id(mask), mask, make)

    def causal(self, queries: int, length: int, device: torch.device) -> Tensor:
        """The mask (1 x 1 x queries x keys) of a causal attention that was handed none."""

        def make() -> Tensor:
            shape = (1, 1, queries, length + queries)
            return torch.ones(shape, dtype=torch.bool, device=device).tril(length)

        if torch.is_inference_mode_enabled():
            return make()
        return self._once((queries, length, device), None, make)

    @staticmethod
    def _open(mask: Tensor, length: int) -> Tensor:
        # Boolean masks mean "may attend", additive ones are zero where one may.
        return F.pad(mask, (length, 0), value=True if mask.dtype == torch.bool else 0.0)

    @staticmethod
    def _open_rows(mask: Tensor, rows: Tensor) -> Tensor:
        front = rows if mask.dtype == torch.bool else closing(rows, mask.dtype)
        front = front.expand(-1, *mask.shape[1:3], -1)
        return torch.cat([front, mask.expand(front.shape[0], -1, -1, -1)], dim=-1)

    def _once(self, key: Any, source: Tensor | None, make: Callable[[], Tensor]) -> Tensor:
        of, versions, made = self._made.get(key, (None, (-1, -1), None))
        now = 0 if source is None else source._version
        if made is not None and of is source and versions == (now, made._version):
            return made
        made = make()
        if made.is_inference():
            return made
        while len(self._made) >= self.KEPT:
            self._made.pop(next(iter(self._made)), None)
        self._made[key] = (source, (now, made._version), made)
        return made

    def forget(self, *_: Any) -> None:
        """Keep nothing of a pass; a forward hook of what runs the blocks."""
        self._made.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles begin without any."""
        return {"_made": {}}


def closing(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """An additive mask from one that says where one may attend."""
    return torch.zeros_like(rows, dtype=dtype).masked_fill(~rows, torch.finfo(dtype).min)


class KeysValues(nn.Module):
    """The extra keys and values of one attention, each (heads x length x head size).

    They are parameters, or tensors that are set before each forward pass; where every row of a batch has its
    own, (batch x heads x length x head size).
    """

    keys: Tensor
    values: Tensor
    masks: Masks
    """Of the pass; one for all attentions of a model."""
    rows: Tensor | None = None
    """Which of its keys a row has, (batch x 1 x 1 x length): they may be of different number; None: all."""

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave out tensors that belong to one forward pass."""
        return {name: value for name, value in self.__dict__.items() if name not in PARTS}


class AttentionConfig:
    """A model's configuration as one attention module reads it: the attention function is ours.

    Everything else is the model's own, read when it is asked for. So ``set_attn_implementation`` on the model
    changes what ours calls, the masks are made for that, and another model made from the same configuration
    does not notice.

    Args:
        config: the model's.
    """

    def __init__(self, config: Any) -> None:
        vars(self)["_config"] = config

    @property
    def _attn_implementation(self) -> str:
        return REGISTERED[supported(self._config._attn_implementation, self._config.model_type)]

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_config"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._config, name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> AttentionConfig:
        return AttentionConfig(copy.deepcopy(self._config, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return AttentionConfig, (self._config,)


class InFront(Change):
    """Keys and values in front of those of some attentions of a model.

    Args:
        anatomy: the model.
        slots: the attention modules, each with what is put in front.

    Raises:
        MethodError: the model uses an attention implementation other than sdpa or eager.
    """

    def __init__(self, anatomy: Anatomy, slots: list[tuple[nn.Module, KeysValues]]) -> None:
        reachable(anatomy, [attention for attention, _ in slots])
        self.slots = slots
        self.masks = Masks()
        self.roots = [stack.root for stack in anatomy.stacks]
        self.redo()

    def redo(self) -> None:
        """Put them in front."""
        self.configs = [attention.config for attention, _ in self.slots]
        self.handles = [
            root.register_forward_hook(self.masks.forget, always_call=True) for root in self.roots
        ]
        for attention, slot in self.slots:
            slot.masks = self.masks
            attention.add_module(SLOT, slot.train(attention.training))
            attention.config = AttentionConfig(attention.config)  # type: ignore[assignment]

    def undo(self) -> None:
        """Leave the attentions to the tokens."""
        for handle in self.handles:
            handle.remove()
        for (attention, _), config in zip(self.slots, self.configs, strict=True):
            delattr(attention, SLOT)
            attention.config = config


def bytes_in_front(model: nn.Module) -> int:
    """Bytes of the parameters among the keys and values in front of a model's attentions, once for all."""
    slots = (module for module in model.modules() if isinstance(module, KeysValues))
    return sum(parameter.nbytes for slot in slots for parameter in slot.parameters(recurse=False))


def reachable(anatomy: Anatomy, attentions: list[nn.Module]) -> None:
    """Check that the attentions of a model are computed by functions that something can be put in front of.

    Raises:
        MethodError: they are none of transformers' attention functions, or one that is not supported.
    """
    if not all(hasattr(attention, "config") and _asks(attention) for attention in attentions):
        raise MethodError(
            f"{anatomy} computes its attention without transformers' attention functions, which prefix "
            "needs to reach it."
        )
    supported(anatomy.config._attn_implementation, str(anatomy))


def _asks(attention: nn.Module) -> bool:
    """Whether a module looks its attention function up when it runs."""
    forward = inspect.unwrap(type(attention).forward)
    return "ALL_ATTENTION_FUNCTIONS" in forward.__code__.co_names


def supported(implementation: str, model: str) -> str:
    """The attention implementation, if something can be put in front of its keys.

    Raises:
        MethodError: it cannot.
    """
    if implementation not in SUPPORTED:
        raise MethodError(
            f"prefix works with the attention implementations {' and '.join(SUPPORTED)}, {model} uses "
            f"{implementation!r}: call model.set_attn_implementation('sdpa') first."
        )
    return implementation


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
            batch, length, queries = key.shape[0], slot.keys.shape[-2], query.shape[2]
            causal = kwargs.get("is_causal")
            causal = getattr(module, "is_causal", True) if causal is None else causal
            if attention_mask is None and causal and queries > 1:
                # No mask means causal from the first key on; keys behind the queries are the empty places of
                # a static cache.
                key, value = key[:, :, :queries], value[:, :, :queries]
                attention_mask = slot.masks.causal(queries, length, key.device)
                if slot.rows is not None:
                    tokens = attention_mask[..., length:]
                    attention_mask = slot.masks.opened(tokens, length, slot.rows)
            elif attention_mask is not None:
                attention_mask = slot.masks.opened(attention_mask, length, slot.rows)
            elif slot.rows is not None:
                attention_mask = F.pad(slot.rows, (0, key.shape[2]), value=True)
                if implementation == "eager":
                    attention_mask = closing(attention_mask, query.dtype)
            # (batch, heads, n + T, size)
            key = torch.cat([slot.keys.expand(batch, -1, -1, -1).to(key.dtype), key], dim=2)
            value = torch.cat([slot.values.expand(batch, -1, -1, -1).to(value.dtype), value], dim=2)
            if (bias := kwargs.get("position_bias")) is not None:  # T5's; what is in front has no position
                kwargs["position_bias"] = F.pad(bias[..., : key.shape[2] - length], (length, 0))
        return inner(module, query, key, value, attention_mask, **kwargs)

    return attend


def _eager_function(module: nn.Module) -> Attend:
    """The eager attention of a model: not registered, each model file has its own."""
    return vars(sys.modules[type(module).__module__])["eager_attention_forward"]


REGISTERED = {name: f"paretune_prefix_{name}" for name in SUPPORTED}
"""What transformers calls each attention function with something in front."""
for _name, _registered in REGISTERED.items():
    AttentionInterface.register(_registered, _in_front_of(_name))

"""Prefix tuning: trained keys and values in front of those of every self-attention.

Paper: arXiv 2101.00190, section 4; code: XiangLi1999/PrefixTuning@6519d30, gpt2/train_control.py.

    K <- [P_k; K]        V <- [P_v; V]

Every query sees the n extra vectors, which have no query and no position of their own. While training,
P = MLP(E): an embedding E (n x d), a linear layer d -> k, tanh, a linear layer k -> 2 L d, one for all
blocks, with the libraries' default initialisation, so that P is random and the function changes at step
0. An encoder-decoder has three prefixes, each with an MLP of its own: for the encoder's attention, the
decoder's, and the decoder's cross-attention. A checkpoint keeps P alone: what is loaded is the direct form
(``hidden=None``), which starts from N(0, 1) when it is trained from scratch; the paper found that less
stable.

The prefix is added inside transformers' attention function (``AttentionInterface``), which reaches
encoders and decoders alike and leaves the key/value cache to the tokens. The attention mask that the model
builds covers the tokens; here it gains n open columns, and stays causal behind them.

Positions: the original enters P as past keys and values of GPT-2, so that the tokens are numbered from n.
That shift is made here on decoders that stand alone and take positions. Encoders keep their numbering, and
so do encoder-decoders, whose numbering cannot be passed. Where layers share weights (ALBERT) they share
the prefix. Learning rate: the paper's 5e-5 is for GPT-2 over tens of thousands of steps; 1e-3 is for the
short runs here. Searched: a decade to either side of that rate, and lengths of 5 to 50 (the paper: 5 to 200).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from methods.anatomy import Anatomy, Model, cached_length
from methods.errors import MethodError
from methods.flops import Chain, Work
from methods.geometry import Geometry
from methods.space import Choice, LogUniform, SearchSpace
from methods.spec import Injection, Method, Options, at

PREFIX = "prefix"
"""Name of the submodule that holds a block's keys and values inside its attention module."""

PARTS = ("keys", "values")

SUPPORTED = ("sdpa", "eager")


class PrefixOptions(Options):
    """Options of ``prefix``."""

    length: int = Field(10, ge=1, description="number n of extra keys and values per block")
    hidden: int | None = Field(
        512, ge=1, description="hidden size k of the MLP that makes the prefix while training; none = direct"
    )


class PrefixKeysValues(nn.Module):
    """The extra keys and values of one block, each (heads x length x head size).

    They are parameters in the direct form, and tensors that :class:`PrefixMLP` sets before each forward
    otherwise.
    """

    keys: Tensor
    values: Tensor

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles leave out tensors that belong to one forward pass."""
        return {name: value for name, value in self.__dict__.items() if name not in PARTS}


class PrefixMLP(nn.Module):
    """Makes the keys and values of a set of attentions from one small embedding.

    Args:
        length: n.
        width: d, of the embedding.
        hidden: k.
        slots: the attentions' holders by the name of their place, first to last.
        shape: (heads, head size) of keys and values.
        like: a tensor whose device and dtype the parameters take.
    """

    def __init__(
        self,
        length: int,
        width: int,
        hidden: int,
        slots: dict[str, PrefixKeysValues],
        shape: tuple[int, int],
        like: Tensor,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        heads, size = shape
        self.shape = (len(slots), 2, heads, size)
        self.embedding = nn.Parameter(torch.randn(length, width, **place))
        self.inner = nn.Linear(width, hidden, **place)
        self.outer = nn.Linear(hidden, len(slots) * 2 * heads * size, **place)
        # A plain dictionary: they are children of the attention modules, not of this one.
        self.slots = slots

    def prefixes(self) -> Tensor:
        """P, as (attentions x 2 x heads x length x head size)."""
        flat = self.outer(torch.tanh(self.inner(self.embedding)))  # (n, L*2*heads*size)
        return flat.view(-1, *self.shape).permute(1, 2, 3, 0, 4)

    def before_forward(self, stack: nn.Module, args: tuple[Any, ...]) -> None:
        """Hand every attention its keys and values; a forward pre-hook of the stack."""
        for slot, (keys, values) in zip(self.slots.values(), self.prefixes(), strict=True):
            slot.keys, slot.values = keys, values


def _eager_function(module: nn.Module) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """The eager attention of a model: not registered, each model file has its own."""
    return vars(sys.modules[type(module).__module__])["eager_attention_forward"]


def _attend_with_prefix(implementation: str) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """Wrap one of transformers' attention functions so that it puts the module's prefix in front."""

    def attend(
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        inner = ALL_ATTENTION_FUNCTIONS.get(implementation) or _eager_function(module)
        prefix = module._modules.get(PREFIX)
        if isinstance(prefix, PrefixKeysValues):
            batch, length = key.shape[0], prefix.keys.shape[1]
            queries, keys = query.shape[2], key.shape[2]
            # (batch, heads, n + T, size)
            key = torch.cat([prefix.keys.expand(batch, -1, -1, -1).to(key.dtype), key], dim=2)
            value = torch.cat([prefix.values.expand(batch, -1, -1, -1).to(value.dtype), value], dim=2)
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
            if kwargs.get("position_bias") is not None:  # T5's; the prefix has no position
                kwargs["position_bias"] = F.pad(kwargs["position_bias"], (length, 0))
        return inner(module, query, key, value, attention_mask, **kwargs)

    return attend


def _registered(implementation: str) -> str:
    """Register the prefixed form of an attention implementation and return its name."""
    name = f"paretune_prefix_{implementation}"
    AttentionInterface.register(name, _attend_with_prefix(implementation))
    # Without its own entry here the model would build no mask at all and padding would be attended to.
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[implementation])
    return name


class PositionShift:
    """Numbers the tokens of a decoder from n; a forward pre-hook with keyword arguments."""

    def __init__(self, anatomy: Anatomy, length: int) -> None:
        self.anatomy = anatomy
        self.length = length
        self.names = list(inspect.signature(anatomy.stacks[0].root.forward).parameters)

    def __call__(self, stack: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Add n to the positions."""
        inputs = dict(zip(self.names, args, strict=False)) | kwargs
        positions = inputs.get("position_ids")
        if positions is None:
            ids, embeds = inputs.get("input_ids"), inputs.get("inputs_embeds")
            length = (embeds if ids is None else ids).shape[1]  # type: ignore[union-attr]
            positions = self.anatomy.positions(inputs, ids, length)
        limit = self.anatomy.max_positions
        used = self.length + cached_length(inputs) + positions.shape[1]
        if limit is not None and used > limit:
            raise MethodError(
                f"a prefix of {self.length} numbers an input of {used - self.length} tokens up to {used}, "
                f"the model has {limit} positions: shorten the input to {limit - self.length}."
            )
        inputs["position_ids"] = positions + self.length
        return (), inputs


@dataclass
class _PrefixState:
    """What was put into the model and how to take it out again."""

    model: Model
    attentions: list[nn.Module]
    implementation: str
    mlps: dict[str, PrefixMLP]
    handles: list[Any]

    def undo(self) -> None:
        for attention in self.attentions:
            delattr(attention, PREFIX)
        for handle in self.handles:
            handle.remove()
        if self.mlps:
            delattr(self.model.base_model, PREFIX)
        self.model.set_attn_implementation(self.implementation)


class Prefix(Method[PrefixOptions]):
    """Trained keys and values in every self-attention."""

    name = "prefix"
    summary = "Trained keys and values in front of every self-attention's own."
    source = "arXiv 2101.00190; XiangLi1999/PrefixTuning@6519d30"
    places = at("prefix", "keys_values")
    options = PrefixOptions
    learning_rate = 1e-3
    search_space = SearchSpace(LogUniform(1e-4, 1e-2), {"length": Choice((5, 10, 20, 50))})

    def inject(self, anatomy: Anatomy, options: PrefixOptions) -> Injection:
        """Add a prefix to every self-attention and switch the attention function.

        Raises:
            MethodError: the model uses an attention implementation other than sdpa or eager.
        """
        sets = anatomy.attentions()
        sites = [site for members in sets.values() for site in members]
        implementation = anatomy.config._attn_implementation
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
        heads, size = anatomy.heads
        like, body = anatomy.embedding.weight, anatomy.body
        injection = Injection(trained={})
        slots = {f"{site.path}.{PREFIX}": PrefixKeysValues() for site in sites}
        mlps: dict[str, PrefixMLP] = {}
        handles: list[Any] = []
        if options.hidden is None:
            for path, slot in slots.items():
                for part in PARTS:
                    start = torch.randn(heads, options.length, size, device=like.device, dtype=like.dtype)
                    slot.register_parameter(part, nn.Parameter(start))
                    injection.trained[f"{path}.{part}"] = slot.get_parameter(part)
        else:
            width = anatomy.geometry.hidden
            for name, members in sets.items():
                own = {f"{s.path}.{PREFIX}": slots[f"{s.path}.{PREFIX}"] for s in members}
                mlp = PrefixMLP(options.length, width, options.hidden, own, (heads, size), like)
                # The encoder is also called alone, by generate().
                root = anatomy.stacks[0 if name in ("self", "encoder") else -1].root
                handles.append(root.register_forward_pre_hook(mlp.before_forward))
                mlps[name] = mlp
                injection.trained |= {f"{PREFIX}.{name}.{n}": p for n, p in mlp.named_parameters()}
            body.add_module(PREFIX, nn.ModuleDict(mlps).train(body.training))
        shifts = anatomy.layouts[0].causal and anatomy.numbers_positions
        if shifts:
            shift = PositionShift(anatomy, options.length)
            root = anatomy.stacks[0].root
            handles.append(root.register_forward_pre_hook(shift, with_kwargs=True))
        attentions = [site.module for site in sites]
        for attention, slot in zip(attentions, slots.values(), strict=True):
            attention.add_module(PREFIX, slot.train(attention.training))
        anatomy.model.set_attn_implementation(_registered(implementation))
        injection.undo.append(_PrefixState(anatomy.model, attentions, implementation, mlps, handles))
        injection.reserved_positions = options.length if shifts else 0
        return injection

    def count(self, geometry: Geometry, options: PrefixOptions) -> dict[str, int]:
        """2Ldn in the direct form; n d + (d k + k) + (k 2Ld + 2Ld) for each MLP while it trains."""
        if options.hidden is None:
            return {"prefix": self.stored_count(geometry, options)}
        d, k, sets = geometry.hidden, options.hidden, geometry.attention_sets
        outs = [2 * number * geometry.key_value for _, number in sets]
        return {
            "embedding": len(sets) * options.length * d,
            "mlp": sum((d * k + k) + (k * out + out) for out in outs),
        }

    def work(self, geometry: Geometry, options: PrefixOptions) -> Work:
        """4nd per token for n more keys in an attention; 2n (dk + 2kLd) once for each MLP that trains."""
        if options.hidden is None:
            return Work(keys=options.length)
        k = options.hidden
        mlps = tuple(
            Chain(
                ((k, geometry.hidden), (2 * number * geometry.key_value, k)),
                rows=options.length,
                reads_trained=True,
            )
            for _, number in geometry.attention_sets
        )
        return Work(beside={"start": [mlps]}, keys=options.length)

    def stored(self, injection: Injection, options: PrefixOptions) -> tuple[PrefixOptions, dict[str, Tensor]]:
        """P itself: the MLP is thrown away."""
        direct = options.model_copy(update={"hidden": None})
        mlps: dict[str, PrefixMLP] = injection.undo[0].mlps
        if not mlps:
            return direct, {name: parameter.detach() for name, parameter in injection.trained.items()}
        with torch.no_grad():
            made = {
                path: pair
                for mlp in mlps.values()
                for path, pair in zip(mlp.slots, mlp.prefixes(), strict=True)
            }
        return direct, {
            f"{path}.{part}": tensor
            for path, pair in made.items()
            for part, tensor in zip(PARTS, pair, strict=True)
        }

    def stored_count(self, geometry: Geometry, options: PrefixOptions) -> int:
        """2Ldn, with one L for each set of attentions."""
        return 2 * geometry.attentions * geometry.key_value * options.length

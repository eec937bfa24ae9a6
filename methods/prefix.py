"""Prefix tuning: trained keys and values in front of those of every self-attention.

Paper: arXiv 2101.00190, section 4; code: XiangLi1999/PrefixTuning@6519d30, gpt2/train_control.py.

    K <- [P_k; K]        V <- [P_v; V]

Every query sees the n extra vectors, which have no query and no position of their own. While training,
P = MLP(E): an embedding E (n x d), a linear layer d -> k, tanh, a linear layer k -> 2 L d, one for all
blocks, with the libraries' default initialisation, so that P is random and the function changes at step
0. A checkpoint keeps P alone: what is loaded is the direct form (``hidden=None``), which starts from
N(0, 1) when it is trained from scratch; the paper found that less stable.

The prefix is added inside transformers' attention function (``AttentionInterface``), which reaches
encoders and decoders alike; no cache is involved and positions do not shift. The attention mask that the
model builds covers the user's tokens; here it gains n open columns. Learning rate: the paper's 5e-5 is
for GPT-2 over tens of thousands of steps; 1e-3 is for the short runs here.
"""

from __future__ import annotations

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

from methods.anatomy import Anatomy, Geometry, Model
from methods.errors import MethodError
from methods.spec import Injection, Method, Options

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
    """Makes the keys and values of all blocks from one small embedding.

    Args:
        length: n.
        width: d, of the embedding.
        hidden: k.
        slots: the blocks' holders by the name of their place, first to last.
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
        """P, as (blocks x 2 x heads x length x head size)."""
        flat = self.outer(torch.tanh(self.inner(self.embedding)))  # (n, L*2*heads*size)
        return flat.view(-1, *self.shape).permute(1, 2, 3, 0, 4)

    def before_forward(self, body: nn.Module, args: tuple[Any, ...]) -> None:
        """Hand every block its keys and values; a forward pre-hook of the body."""
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
            key = torch.cat(
                [prefix.keys.expand(batch, -1, -1, -1), key], dim=2
            )  # (batch, heads, n + T, size)
            value = torch.cat([prefix.values.expand(batch, -1, -1, -1), value], dim=2)
            if attention_mask is not None:
                # Boolean masks mean "may attend", additive ones are zero where one may.
                is_open = True if attention_mask.dtype == torch.bool else 0.0
                attention_mask = F.pad(attention_mask, (length, 0), value=is_open)
        return inner(module, query, key, value, attention_mask, **kwargs)

    return attend


def _registered(implementation: str) -> str:
    """Register the prefixed form of an attention implementation and return its name."""
    name = f"paretune_prefix_{implementation}"
    AttentionInterface.register(name, _attend_with_prefix(implementation))
    # Without its own entry here the model would build no mask at all and padding would be attended to.
    AttentionMaskInterface.register(name, ALL_MASK_ATTENTION_FUNCTIONS[implementation])
    return name


@dataclass
class _PrefixState:
    """What was put into the model and how to take it out again."""

    model: Model
    attentions: list[nn.Module]
    implementation: str
    mlp: PrefixMLP | None
    handle: Any

    def undo(self) -> None:
        for attention in self.attentions:
            delattr(attention, PREFIX)
        if self.mlp is not None:
            self.handle.remove()
            delattr(self.model.base_model, PREFIX)
        self.model.set_attn_implementation(self.implementation)


class Prefix(Method[PrefixOptions]):
    """Trained keys and values in every self-attention."""

    name = "prefix"
    summary = "Trained keys and values in front of every self-attention's own."
    source = "arXiv 2101.00190; XiangLi1999/PrefixTuning@6519d30"
    options = PrefixOptions
    learning_rate = 1e-3

    def inject(self, anatomy: Anatomy, options: PrefixOptions) -> Injection:
        """Add a prefix to every self-attention and switch the attention function.

        Raises:
            MethodError: the model uses an attention implementation other than sdpa or eager.
        """
        sites = anatomy.sites("attention")
        attentions = [site.module for site in sites]
        implementation = anatomy.config._attn_implementation
        if implementation not in SUPPORTED:
            raise MethodError(
                f"prefix works with the attention implementations {' and '.join(SUPPORTED)}, {anatomy} uses "
                f"{implementation!r}: call model.set_attn_implementation('sdpa') first."
            )
        heads = anatomy.config.num_attention_heads
        size = anatomy.geometry.key_value // heads
        like, body = anatomy.embedding.weight, anatomy.body
        injection = Injection(trained={})
        slots = {f"{site.path}.{PREFIX}": PrefixKeysValues() for site in sites}
        mlp = handle = None
        if options.hidden is None:
            for path, slot in slots.items():
                for part in PARTS:
                    start = torch.randn(heads, options.length, size, device=like.device, dtype=like.dtype)
                    slot.register_parameter(part, nn.Parameter(start))
                    injection.trained[f"{path}.{part}"] = slot.get_parameter(part)
        else:
            width = anatomy.geometry.hidden
            mlp = PrefixMLP(options.length, width, options.hidden, slots, (heads, size), like)
            handle = body.register_forward_pre_hook(mlp.before_forward)
            body.add_module(PREFIX, mlp.train(body.training))
            injection.trained |= {f"{PREFIX}.{name}": p for name, p in mlp.named_parameters()}
        for attention, slot in zip(attentions, slots.values(), strict=True):
            attention.add_module(PREFIX, slot.train(attention.training))
        anatomy.model.set_attn_implementation(_registered(implementation))
        injection.undo.append(_PrefixState(anatomy.model, attentions, implementation, mlp, handle))
        return injection

    def count(self, geometry: Geometry, options: PrefixOptions) -> dict[str, int]:
        """2Ldn in the direct form; n d + (d k + k) + (k 2Ld + 2Ld) while the MLP trains."""
        if options.hidden is None:
            return {"prefix": self.stored_count(geometry, options)}
        d, k, out = geometry.hidden, options.hidden, 2 * geometry.layers * geometry.key_value
        return {"embedding": options.length * d, "mlp": (d * k + k) + (k * out + out)}

    def stored(self, injection: Injection, options: PrefixOptions) -> tuple[PrefixOptions, dict[str, Tensor]]:
        """P itself: the MLP is thrown away."""
        direct = options.model_copy(update={"hidden": None})
        mlp: PrefixMLP | None = injection.undo[0].mlp
        if mlp is None:
            return direct, {name: parameter.detach() for name, parameter in injection.trained.items()}
        with torch.no_grad():
            prefixes = mlp.prefixes()
        return direct, {
            f"{path}.{part}": tensor
            for path, pair in zip(mlp.slots, prefixes, strict=True)
            for part, tensor in zip(PARTS, pair, strict=True)
        }

    def stored_count(self, geometry: Geometry, options: PrefixOptions) -> int:
        """2Ldn."""
        return 2 * geometry.layers * geometry.key_value * options.length

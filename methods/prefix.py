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
That shift is made here on decoders that stand alone and take positions, also where ``layers`` puts a prefix
into some blocks only. Encoders keep their numbering, and so do encoder-decoders, whose numbering cannot be
passed. Where layers share weights (ALBERT) they share
the prefix. Learning rate: the paper's 5e-5 is for GPT-2 over tens of thousands of steps; 1e-3 is for the
short runs here. Searched: a decade to either side of that rate, and lengths of 5 to 50 (the paper: 5 to 200).
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from methods.anatomy import (
    Anatomy,
    Geometry,
    Site,
    cached_length,
    causal_positions,
    max_positions,
    numbers_positions,
)
from methods.core import (
    Attach,
    Card,
    Chain,
    Change,
    Choice,
    Hook,
    Injection,
    Layers,
    LogUniform,
    Method,
    Options,
    SearchSpace,
    Work,
    at,
)
from methods.core.attention import PARTS, SLOT, InFront, KeysValues, reachable
from methods.core.precision import beside
from methods.core.recomputed import refuse_reentrant
from methods.errors import MethodError
from methods.peft import tokens

MLPS = "prefix"
"""Name of the submodule of the body that holds the MLPs."""


class PrefixOptions(Options):
    """Options of ``prefix``."""

    length: int = Field(10, ge=1, description="number n of extra keys and values per block")
    hidden: int | None = Field(
        512, ge=1, description="hidden size k of the MLP that makes the prefix while training; none = direct"
    )
    layers: Layers = None


class PrefixMLP(nn.Module):
    """Makes the keys and values of a set of attentions from one small embedding.

    Args:
        length: n.
        width: d, of the embedding.
        hidden: k.
        slots: the attentions' holders by the name of their place, first to last.
        shape: (heads, head size) of keys and values.
        like: a weight beside which the parameters lie, see ``core/precision.py``.
    """

    def __init__(
        self,
        length: int,
        width: int,
        hidden: int,
        slots: dict[str, KeysValues],
        shape: tuple[int, int],
        like: Tensor,
    ) -> None:
        super().__init__()
        place = beside(like)
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
        """Hand every attention its keys and values; a forward pre-hook of the stack.

        Raises:
            MethodError: blocks are checkpointed reentrantly.
        """
        refuse_reentrant(stack, "the MLP of a prefix (hidden=none is without) makes keys and values")
        for slot, (keys, values) in zip(self.slots.values(), self.prefixes(), strict=True):
            slot.keys, slot.values = keys, values


class PositionShift(Change):
    """Numbers the tokens of a decoder from n.

    Args:
        anatomy: the model.
        length: n.
    """

    def __init__(self, anatomy: Anatomy, length: int) -> None:
        root = anatomy.stacks[0].root
        self.anatomy = anatomy
        self.reserved_positions = length
        self.names = list(inspect.signature(root.forward).parameters)
        self.redo()

    def redo(self) -> None:
        """Number them from n."""
        root = self.anatomy.stacks[0].root
        self.handle = root.register_forward_pre_hook(self.before_forward, with_kwargs=True)

    def undo(self) -> None:
        """Let the model number them."""
        self.handle.remove()

    def before_forward(
        self, stack: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, Any]:
        """Add n to the positions; a forward pre-hook with keyword arguments."""
        inputs = dict(zip(self.names, args, strict=False)) | kwargs
        positions = inputs.get("position_ids")
        if positions is None:
            ids, embeds = inputs.get("input_ids"), inputs.get("inputs_embeds")
            length = (embeds if ids is None else ids).shape[1]  # type: ignore[union-attr]
            positions = causal_positions(self.anatomy, inputs, ids, length)
        n, limit = self.reserved_positions, max_positions(self.anatomy)
        used = n + cached_length(inputs) + positions.shape[-1]
        if limit is not None and used > limit:
            raise MethodError(
                f"a prefix of {n} numbers an input of {used - n} tokens up to {used}, the model has {limit} "
                f"positions: shorten the input to {limit - n}."
            )
        inputs["position_ids"] = positions + n
        return (), inputs


def work(geometry: Geometry, options: PrefixOptions) -> Work:
    """4nd per token for n more keys in an attention; 2n (dk + 2kLd) once for each MLP that trains."""
    if options.hidden is None:
        return Work(keys=options.length, layers=options.layers)
    k, geometry = options.hidden, geometry.within(options.layers)
    mlps = tuple(
        Chain(
            ((k, geometry.hidden), (2 * number * geometry.key_value, k)),
            rows=options.length,
            reads_trained=True,
        )
        for _, number in geometry.attention_sets
    )
    return Work(beside={"start": [mlps]}, keys=options.length, layers=options.layers)


class Prefix(Method[PrefixOptions]):
    """Trained keys and values in every self-attention."""

    name = "prefix"
    options = PrefixOptions
    card = Card(
        summary="Trained keys and values in front of every self-attention's own.",
        source="arXiv 2101.00190; XiangLi1999/PrefixTuning@6519d30",
        places=at("prefix", "keys_values"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"length": Choice((5, 10, 20, 50))}),
        starts_at_base=False,
        work=work,
        peft=tokens.prefix_form(PrefixOptions),
    )

    def inject(self, anatomy: Anatomy, options: PrefixOptions) -> Injection:
        """Add a prefix to every self-attention and switch the attention function.

        Raises:
            MethodError: the model uses an attention implementation other than sdpa or eager.
        """
        part = anatomy.within(options.layers)
        sets = part.attentions()
        reachable(anatomy, [site.module for members in sets.values() for site in members])
        shape = part.heads
        injection = Injection(options)
        places = {path_of(site): site for members in sets.values() for site in members}
        slots = {path: KeysValues() for path in places}
        if options.hidden is None:
            heads, size = shape
            for path, slot in slots.items():
                for name in PARTS:
                    start = torch.randn(heads, options.length, size, **beside(places[path].like()))
                    slot.register_parameter(name, nn.Parameter(start))
                    injection.trained[f"{path}.{name}"] = slot.get_parameter(name)
        else:
            mlps: dict[str, PrefixMLP] = {}
            hooks = []
            for name, members in sets.items():
                own = {path_of(site): slots[path_of(site)] for site in members}
                like = members[0].like()
                mlp = PrefixMLP(options.length, anatomy.width, options.hidden, own, shape, like)
                # The encoder is also called alone, by generate().
                root = anatomy.stacks[0 if name in ("self", "encoder") else -1].root
                hooks.append(Hook(root.register_forward_pre_hook, mlp.before_forward))
                mlps[name] = mlp
                injection.trained |= {f"{MLPS}.{name}.{n}": p for n, p in mlp.named_parameters()}
            injection.changes.append(Attach(anatomy.body, MLPS, nn.ModuleDict(mlps), hooks))
        if numbers_positions(anatomy) and anatomy.fact(anatomy.stacks[0], "causal"):
            injection.changes.append(PositionShift(anatomy, options.length))
        modules = [site.module for members in sets.values() for site in members]
        injection.changes.append(InFront(anatomy, list(zip(modules, slots.values(), strict=True))))
        return injection

    def count(self, geometry: Geometry, options: PrefixOptions) -> dict[str, int]:
        """2Ldn in the direct form, with one L for each set; n d + (d k + k) + (k 2Ld + 2Ld) for an MLP."""
        geometry = geometry.within(options.layers)
        if options.hidden is None:
            return {"prefix": 2 * geometry.attentions * geometry.key_value * options.length}
        d, k, sets = geometry.hidden, options.hidden, geometry.attention_sets
        outs = [2 * number * geometry.key_value for _, number in sets]
        return {
            "embedding": len(sets) * options.length * d,
            "mlp": sum((d * k + k) + (k * out + out) for out in outs),
        }

    def stored(self, injection: Injection) -> tuple[Options, dict[str, Tensor]]:
        """P itself: the MLP is thrown away."""
        direct = injection.options.model_copy(update={"hidden": None})
        mlps = [c.child for c in injection.changes if isinstance(c, Attach)]
        if not mlps:
            return direct, {name: parameter.detach() for name, parameter in injection.live.items()}
        with torch.no_grad():
            made = {
                path: pair
                for mlp in mlps[0].children()
                if isinstance(mlp, PrefixMLP)
                for path, pair in zip(mlp.slots, mlp.prefixes(), strict=True)
            }
        return direct, {
            f"{path}.{part}": tensor
            for path, pair in made.items()
            for part, tensor in zip(PARTS, pair, strict=True)
        }


def path_of(site: Site) -> str:
    """The name in a checkpoint of an attention's keys and values."""
    return f"{site.path}.{SLOT}"

"""Keys and values in front of those of attentions; the equations are in ``methods/prefix.py``."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from methods.anatomy import Anatomy, Site, cached_length, causal_positions, max_positions, numbers_positions
from methods.core import Attach, Change, Hook, Injection, Options
from methods.core.attention import PARTS, SLOT, InFront, KeysValues, reachable
from methods.core.precision import beside
from methods.core.recomputed import refuse_reentrant
from methods.errors import MethodError

MLPS = "prefix"
"""Name of the submodule of the body that holds the MLPs."""


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
        length: n; of a batch whose rows have prefixes of different length the largest, and ``of_rows``,
            (batch x 1), has each.
    """

    def __init__(self, anatomy: Anatomy, length: int) -> None:
        root = anatomy.stacks[0].root
        self.anatomy = anatomy
        self.reserved_positions = length
        self.of_rows: Tensor | None = None
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
        inputs["position_ids"] = positions + (n if self.of_rows is None else self.of_rows)
        return (), inputs


def inject(
    anatomy: Anatomy, options: Options, *, length: int, hidden: int | None, layers: tuple[int, ...] | None
) -> Injection:
    """Add a prefix to every self-attention and switch the attention function.

    Args:
        anatomy: the model.
        options: those that rebuild it.
        length: n.
        hidden: k; None for the direct form.
        layers: the blocks; None for all.

    Raises:
        MethodError: the model uses an attention implementation other than sdpa or eager.
    """
    part = anatomy.within(layers)
    sets = part.attentions()
    reachable(anatomy, [site.module for members in sets.values() for site in members])
    shape = part.heads
    injection = Injection(options)
    places = {path_of(site): site for members in sets.values() for site in members}
    slots = {path: KeysValues() for path in places}
    if hidden is None:
        heads, size = shape
        for path, slot in slots.items():
            for name in PARTS:
                start = torch.randn(heads, length, size, **beside(places[path].like()))
                slot.register_parameter(name, nn.Parameter(start))
                injection.trained[f"{path}.{name}"] = slot.get_parameter(name)
    else:
        mlps: dict[str, PrefixMLP] = {}
        hooks = []
        for name, members in sets.items():
            own = {path_of(site): slots[path_of(site)] for site in members}
            like = members[0].like()
            mlp = PrefixMLP(length, anatomy.width, hidden, own, shape, like)
            # The encoder is also called alone, by generate().
            root = anatomy.stacks[0 if name in ("self", "encoder") else -1].root
            hooks.append(Hook(root.register_forward_pre_hook, mlp.before_forward))
            mlps[name] = mlp
            injection.trained |= {f"{MLPS}.{name}.{n}": p for n, p in mlp.named_parameters()}
        injection.changes.append(Attach(anatomy.body, MLPS, nn.ModuleDict(mlps), hooks))
    if numbers_positions(anatomy) and anatomy.fact(anatomy.stacks[0], "causal"):
        injection.changes.append(PositionShift(anatomy, length))
    modules = [site.module for members in sets.values() for site in members]
    injection.changes.append(InFront(anatomy, list(zip(modules, slots.values(), strict=True))))
    return injection


def stored(injection: Injection) -> dict[str, Tensor]:
    """P itself, by the names of its parts."""
    mlps = [c.child for c in injection.changes if isinstance(c, Attach)]
    if not mlps:
        return {name: parameter.detach() for name, parameter in injection.live.items()}
    with torch.no_grad():
        made = {
            path: pair
            for mlp in mlps[0].children()
            if isinstance(mlp, PrefixMLP)
            for path, pair in zip(mlp.slots, mlp.prefixes(), strict=True)
        }
    return {
        f"{path}.{part}": tensor
        for path, pair in made.items()
        for part, tensor in zip(PARTS, pair, strict=True)
    }


def path_of(site: Site) -> str:
    """The name in a checkpoint of an attention's keys and values."""
    return f"{site.path}.{SLOT}"

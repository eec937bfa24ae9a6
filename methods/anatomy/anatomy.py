"""A model seen by role: methods ask for places and never name a model class.

"The query projections", "the feed-forward outputs just before their residual addition": paths come from
``layouts.py``, or for a model type without a layout from ``discovery.py``. What cannot be found is an
:class:`AnatomyError` that names the model and the role.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from methods.anatomy.discovery import described, discover, missing
from methods.anatomy.features import Rows
from methods.anatomy.layers import sizes
from methods.anatomy.layout import ATTENTION_ROLES, FEED_FORWARD_ROLES, Attention, Layout, Part
from methods.anatomy.layouts import LAYOUTS
from methods.anatomy.parameters import Parameters
from methods.anatomy.selection import chosen
from methods.anatomy.site import Site
from methods.anatomy.standing import standing
from methods.errors import AnatomyError

UNTOLD = {
    "causal": "whether a token sees what stands behind it",
    "pools_first_token": "which token its head reads",
    "block_norm": "where its blocks end",
    "positions": "how it numbers tokens",
}
"""What can only be tried out, where no layout is known."""


@dataclass(frozen=True)
class Stack:
    """One run of blocks: the encoder, the decoder, or the only one there is."""

    layout: Layout
    root: nn.Module
    blocks: tuple[Site, ...]


class Anatomy(Parameters):
    """A model seen by role.

    Args:
        model: any transformers model, with or without a head.
    """

    def __str__(self) -> str:
        return described(self.model)

    @cached_property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts of this architecture, encoder before decoder; of one alone where that is the model.

        Raises:
            AnatomyError: the model type has none, and none was discovered.
        """
        known = LAYOUTS.get(self.config.model_type)
        if known is None:
            return (discover(self.model),)
        found = standing(known(self.config) if callable(known) else known, self.body)
        if not found:
            raise missing(self.model, "block structure")
        return found

    @property
    def is_known(self) -> bool:
        """Whether the architecture has a layout, and was not searched."""
        return self.config.model_type in LAYOUTS

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """The stacks of blocks, encoder before decoder."""
        found = []
        for layout in self.layouts:
            root = self._find(self.body, layout.root, "module that runs the blocks")
            blocks = tuple(self._children(self.body, layout.blocks.split(".")))
            if not blocks:
                raise missing(self.model, "blocks")
            found.append(Stack(layout, root, blocks))
        return tuple(found)

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether there are two stacks."""
        return len(self.stacks) > 1

    @property
    def is_causal(self) -> bool:
        """Whether there is one stack, and it is causal."""
        return not self.is_encoder_decoder and bool(self.fact(self.stacks[0], "causal"))

    def fact(self, stack: Stack, name: str) -> Any:
        """What the layout of a stack says that can only be tried out, one of :data:`UNTOLD`.

        Raises:
            AnatomyError: it could not be.
        """
        if name in stack.layout.untold:
            raise AnatomyError(f"{self} cannot be tried out, and so it is not known {UNTOLD[name]}.")
        return getattr(stack.layout, name)

    @cached_property
    def blocks(self) -> list[Site]:
        """The transformer blocks, first to last, the encoder's before the decoder's.

        Where layers share weights (ALBERT) a block that runs several times is here once.
        """
        return [block for stack in self.stacks for block in stack.blocks]

    def within(self, layers: Sequence[int] | None) -> Anatomy:
        """The same model with some of its blocks alone: what lies in no block is not in it.

        ``stacks`` keep their number, and may be empty.

        Args:
            layers: see :func:`methods.anatomy.selection.chosen`; None for the whole model.

        Raises:
            OptionError: the model has no such block.
        """
        if layers is None:
            return self
        numbers, part, first = set(chosen(layers, len(self.blocks), str(self))), copy(self), 0
        stacks = []
        for stack in self.stacks:
            kept = tuple(block for n, block in enumerate(stack.blocks, first) if n in numbers)
            stacks.append(replace(stack, blocks=kept))
            first += len(stack.blocks)
        for of_all in ("blocks", "heads"):
            vars(part).pop(of_all, None)
        vars(part)["stacks"] = tuple(stacks)
        part._inside = tuple(f"{block.path}." for block in part.blocks)
        return part

    def sites(self, role: str) -> list[Site]:
        """The places of a role, block by block.

        Args:
            role: one of :data:`ATTENTION_ROLES`, :data:`FEED_FORWARD_ROLES`, or ``attention_output``,
                ``feed_forward_input`` (the module that reads it), ``feed_forward_output``. Attention roles
                name every attention, cross-attention included.

        Raises:
            AnatomyError: a block has no such place.
        """
        return [site for stack in self.stacks for site in self.sites_of(stack, role)]

    def sites_of(self, stack: Stack, role: str) -> list[Site]:
        """The same within one stack."""
        layout = stack.layout
        found = []
        for block in stack.blocks:
            if role in ATTENTION_ROLES:
                for attention in (layout.attention, layout.cross_attention):
                    if attention is not None:
                        found.append(self._role(block, self._attention_place(attention, role), role))
            else:
                found.append(self._role(block, self._block_place(layout, role), role))
        return found

    def attentions(self) -> dict[str, list[Site]]:
        """The attention modules by set: ``self``, or ``encoder``, ``decoder`` and ``cross``."""
        sets: dict[str, list[Site]] = {}
        for stack in self.stacks:
            name = stack.layout.root if self.is_encoder_decoder else "self"
            layout = stack.layout
            for key, attention in ((name, layout.attention), ("cross", layout.cross_attention)):
                if attention is None or not stack.blocks:
                    continue
                if attention.module is None:
                    raise missing(self.model, "attention")
                sets[key] = [self._role(block, attention.module, "attention") for block in stack.blocks]
        return sets

    def _attention_place(self, attention: Attention, role: str) -> str | Part:
        if role != "qkv":
            place: str | Part | None = getattr(attention, role)
            if place is None:
                raise missing(self.model, role)
            return place
        if isinstance(attention.query, Part):
            return attention.query.path
        raise AnatomyError(f"{self} has no qkv: its query, key and value are layers of their own.")

    def _block_place(self, layout: Layout, role: str) -> str | Part:
        place: str | Part | None = getattr(layout, role)
        if place is not None:
            return place
        if layout.experts and role in (*FEED_FORWARD_ROLES, "feed_forward_input", "feed_forward_output"):
            raise AnatomyError(
                f"{self} has no one {role}: its feed-forward is a mixture of experts, and which of them is "
                "meant cannot be told."
            )
        if layout is self.layouts[-1] and self.is_known:
            raise AnatomyError(f"{self} has no {role}.")
        raise missing(self.model, role)

    def _role(self, block: Site, place: str | Part, role: str) -> Site:
        path = place.path if isinstance(place, Part) else place
        self._find(block.module, path, role)
        parent, _, name = path.rpartition(".")
        site = Site(block.module.get_submodule(parent), name, f"{block.path}.{path}")
        if not isinstance(place, Part):
            return site
        return replace(site, rows=self._rows(site.linear(), place))

    def _rows(self, module: nn.Module, part: Part) -> Rows:
        out_features, _ = sizes(module)
        if part.groups == 1:
            width = out_features // part.of
            return slice(part.index * width, (part.index + part.span) * width)
        rows = torch.arange(out_features, device="cpu").view(part.groups, part.of, -1)
        return rows[:, part.index : part.index + part.span].flatten()

    def _children(self, module: nn.Module, path: list[str], before: str = "") -> Iterator[Site]:
        """The children of the lists at a path with ``*``, as sites."""
        for at, step in enumerate(path):
            if step == "*":
                for name, child in module.named_children():
                    yield from self._children(child, path[at + 1 :], f"{before}{name}.")
                return
            module = self._find(module, step, "blocks")
            before += f"{step}."
        for name, _ in module.named_children():
            yield Site(module, name, f"{before}{name}")

    def _find(self, root: nn.Module, path: str, role: str) -> nn.Module:
        try:
            return root.get_submodule(path)
        except AttributeError:
            raise missing(self.model, role) from None

    @cached_property
    def embedding(self) -> nn.Embedding:
        """The token embedding of the input; called with ids it scales where the model does (Gemma, BART).

        Raises:
            AnatomyError: it has none, or reads something else.
        """
        path = self.stacks[0].layout.embedding
        found = None if path is None else self._find(self.body, path, "embedding")
        if not isinstance(found, nn.Embedding):
            raise AnatomyError(f"{self} has no embedding of tokens: it reads {self.model.main_input_name}.")
        return found

    @property
    def width(self) -> int:
        """Model width d: what a block reads and writes."""
        said = getattr(self.config, "hidden_size", None)
        return said if said and isinstance(said, int) else self.sites("output")[0].shape()[0]

    @cached_property
    def heads(self) -> tuple[int, int]:
        """(number of key/value heads, head size) of the attentions.

        Raises:
            AnatomyError: blocks differ, so that no one prefix fits all.
        """
        query = {site.shape()[0] for site in self.sites("query")}
        key = {site.shape()[0] for site in self.sites("key")}
        names = ("num_attention_heads", "encoder_attention_heads", "decoder_attention_heads")
        said = {getattr(self.config, name) for name in names if hasattr(self.config, name)}
        if not said or not all(isinstance(number, int) for number in said):
            raise AnatomyError(f"{self} has no number of attention heads in its configuration.")
        if len(query) > 1 or len(key) > 1 or len(said) > 1:
            raise AnatomyError(f"{self} has attentions of different widths.")
        size = query.pop() // said.pop()
        return key.pop() // size, size

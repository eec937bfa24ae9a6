"""Where things are in a transformer: methods ask for places by role and never name a model class.

"The query projections", "the feed-forward outputs just before their residual addition": paths come from
``layouts.py``, or for a model type without a layout from a search among its modules. What cannot be found is
an :class:`AnatomyError` that names the model and the role.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from methods.errors import AnatomyError, MethodError
from methods.flow import Flow, read
from methods.geometry import Geometry
from methods.layouts import ATTENTION_ROLES, FEED_FORWARD_ROLES, LAYOUTS, Attention, Layout, Part
from methods.linear import Foldable, Linear, is_norm, sizes
from methods.search import search

Model = PreTrainedModel


Rows = slice | Tensor
"""Output features of a layer: a slice where they lie side by side, indices where heads interleave them."""


@dataclass(frozen=True)
class Site:
    """A named place that holds a module, or some output features of one."""

    parent: nn.Module
    name: str
    path: str
    """Dotted path from the body: the stable name of the place."""
    rows: Rows | None = None
    """The output features that play the role; None where all of them do."""

    @property
    def module(self) -> nn.Module:
        """The module that is there now."""
        return self.parent.get_submodule(self.name)

    def put(self, module: nn.Module) -> None:
        """Put another module there."""
        setattr(self.parent, self.name, module)

    def linear(self) -> Linear:
        """The module, which must be a linear layer, or the one inside what a method put around it.

        Raises:
            AnatomyError: it is something else, a quantised layer for example.
        """
        module = self.module
        module = module.base if isinstance(module, Foldable) else module
        if not isinstance(module, nn.Linear | Conv1D):
            raise AnatomyError(f"{self.path} is a {type(module).__name__}, expected a torch.nn.Linear.")
        return module

    def shape(self) -> tuple[int, int]:
        """(out, in) of the role's weight."""
        out_features, in_features = sizes(self.linear())
        if isinstance(self.rows, slice):
            return self.rows.stop - self.rows.start, in_features
        return out_features if self.rows is None else len(self.rows), in_features


@dataclass(frozen=True)
class Stack:
    """One run of blocks: the encoder, the decoder, or the only one there is."""

    layout: Layout
    root: nn.Module
    blocks: tuple[Site, ...]


class Anatomy:
    """A model seen by role.

    Args:
        model: any transformers model, with or without a head.
    """

    def __init__(self, model: Model) -> None:
        if not isinstance(model, PreTrainedModel):
            raise MethodError(f"expected a transformers PreTrainedModel, received {type(model).__name__}.")
        self.model = model
        self.body: nn.Module = model.base_model
        self.config = model.config

    def __str__(self) -> str:
        return f"{type(self.model).__name__} ({self.config.model_type})"

    def missing(self, role: str) -> AnatomyError:
        """The error for a role that this model does not have."""
        return AnatomyError(
            f"{self} has no {role} that Paretune can find; known architectures are {', '.join(LAYOUTS)}: "
            "to add one, describe it as a Layout in methods/layouts.py."
        )

    # Places -------------------------------------------------------------------------------------

    @cached_property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts of this architecture, encoder before decoder.

        Raises:
            AnatomyError: the model type has none, and the structural search found none.
        """
        known = LAYOUTS.get(self.config.model_type)
        if known is None:
            return (search(self),)
        return known(self.config) if callable(known) else known

    @cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """The stacks of blocks, encoder before decoder."""
        found = []
        for layout in self.layouts:
            root = self._find(self.body, layout.root, "module that runs the blocks")
            blocks = tuple(self._children(self.body, layout.blocks.split(".")))
            if not blocks:
                raise self.missing("blocks")
            found.append(Stack(layout, root, blocks))
        return tuple(found)

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether there are two stacks."""
        return len(self.stacks) > 1

    @property
    def is_causal(self) -> bool:
        """Whether there is one stack, and it is causal."""
        return not self.is_encoder_decoder and self.stacks[0].layout.causal

    @cached_property
    def blocks(self) -> list[Site]:
        """The transformer blocks, first to last, the encoder's before the decoder's.

        Where layers share weights (ALBERT) a block that runs several times is here once.
        """
        return [block for stack in self.stacks for block in stack.blocks]

    def sites(self, role: str) -> list[Site]:
        """The places of a role, block by block.

        Args:
            role: one of :data:`ATTENTION_ROLES`, :data:`FEED_FORWARD_ROLES`, or ``attention_output``,
                ``feed_forward_output``. Attention roles name every attention, cross-attention included.

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
                place = getattr(layout, role)
                if place is None:
                    raise AnatomyError(f"{self} has no {role}.")
                found.append(self._role(block, place, role))
        return found

    def attentions(self) -> dict[str, list[Site]]:
        """The attention modules by set: ``self``, or ``encoder``, ``decoder`` and ``cross``."""
        sets: dict[str, list[Site]] = {}
        for stack in self.stacks:
            name = stack.layout.root if self.is_encoder_decoder else "self"
            layout = stack.layout
            for key, attention in ((name, layout.attention), ("cross", layout.cross_attention)):
                if attention is not None:
                    sets[key] = [self._role(block, attention.module, "attention") for block in stack.blocks]
        return sets

    def _attention_place(self, attention: Attention, role: str) -> str | Part:
        if role != "qkv":
            place: str | Part = getattr(attention, role)
            return place
        if isinstance(attention.query, Part):
            return attention.query.path
        raise AnatomyError(f"{self} has no qkv: its query, key and value are layers of their own.")

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
        if not part.per_head:
            width = out_features // part.of
            return slice(part.index * width, (part.index + part.span) * width)
        rows = torch.arange(out_features, device="cpu").view(self.config.num_attention_heads, part.of, -1)
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
            raise self.missing(role) from None

    @cached_property
    def embedding(self) -> nn.Embedding:
        """The token embedding of the input; called with ids it scales where the model does (Gemma, BART)."""
        found = self._find(self.body, self.stacks[0].layout.embedding, "embedding")
        if not isinstance(found, nn.Embedding):
            raise self.missing("embedding")
        return found

    @cached_property
    def heads(self) -> tuple[int, int]:
        """(number of key/value heads, head size) of the attentions.

        Raises:
            AnatomyError: blocks differ, so that no one prefix fits all.
        """
        query = {site.shape()[0] for site in self.sites("query")}
        key = {site.shape()[0] for site in self.sites("key")}
        if len(query) > 1 or len(key) > 1:
            raise AnatomyError(f"{self} has attentions of different widths.")
        size = query.pop() // self.config.num_attention_heads
        return key.pop() // size, size

    # Parameters ---------------------------------------------------------------------------------

    @cached_property
    def is_language_model(self) -> bool:
        """Whether the model's head is its pretrained language modelling head, which is no task head."""
        return self.model.get_output_embeddings() is not None

    @cached_property
    def pooler_prefix(self) -> str | None:
        """Name prefix of the pooler's parameters inside the body, None without a pooler."""
        return "pooler." if getattr(self.body, "pooler", None) is not None else None

    def body_parameters(self) -> dict[str, nn.Parameter]:
        """Every pretrained parameter by name: the body's, and a language model's head with it."""
        return dict((self.model if self.is_language_model else self.body).named_parameters())

    def head_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the task head: those of the model that are not pretrained with the body."""
        inside = {id(parameter) for parameter in self.body_parameters().values()}
        return {name: p for name, p in self.model.named_parameters() if id(p) not in inside}

    def norm_parameters(self) -> dict[str, nn.Parameter]:
        """Weights and biases of every normalisation layer (LayerNorm or RMSNorm) of the body."""
        return {
            f"{path}.{name}": parameter
            for path, module in self.body.named_modules()
            if is_norm(module)
            for name, parameter in module.named_parameters(recurse=False)
        }

    def bias_parameters(self) -> dict[str, nn.Parameter]:
        """Every bias of the body except the pooler's."""
        return {
            name: parameter
            for name, parameter in self.body.named_parameters()
            if name.endswith(".bias") and not (self.pooler_prefix and name.startswith(self.pooler_prefix))
        }

    @cached_property
    def geometry(self) -> Geometry:
        """The sizes of this model, read off the shapes of its modules; ask before a method changes them."""
        roles = [*ATTENTION_ROLES[:4], *FEED_FORWARD_ROLES]
        optional = {"gate"} if any(stack.layout.gate is None for stack in self.stacks) else set()
        linears = {
            role: tuple(site.shape() for site in self.sites(role)) for role in roles if role not in optional
        }
        attention = self.layouts[0].attention
        if isinstance(attention.query, Part):
            linears["qkv"] = tuple(site.shape() for site in self.sites("qkv"))

        def total(parameters: dict[str, nn.Parameter]) -> int:
            return sum(parameter.numel() for parameter in parameters.values())

        return Geometry(
            hidden=linears["down"][0][0],
            embedding=self.embedding.embedding_dim,
            linears=linears,
            attention_sets=tuple((name, len(sites)) for name, sites in self.attentions().items()),
            blocks=tuple(total(dict(block.module.named_parameters())) for block in self.blocks),
            norms=total(self.norm_parameters()),
            biases=total(self.bias_parameters()),
            base=total(self.body_parameters()),
            head=total(self.head_parameters()),
        )

    @cached_property
    def flow(self) -> Flow:
        """How a pass runs through this model; ask before a method changes it."""
        return read(self)

    # Positions ----------------------------------------------------------------------------------

    @property
    def max_positions(self) -> int | None:
        """How many tokens fit into the input; None where nothing limits them."""
        slots: int | None = getattr(self.config, "max_position_embeddings", None)
        known = LAYOUTS.get(self.config.model_type)
        layout = known[0] if isinstance(known, tuple) else None
        if slots is not None and layout is not None and layout.positions == "tokens":
            return slots - self._padding - 1
        return slots

    @property
    def _padding(self) -> int:
        """The id that RoBERTa-type models number around: their position table's own."""
        table = self.body.get_submodule("embeddings.position_embeddings")
        return int(table.padding_idx)  # type: ignore[arg-type]

    @property
    def numbers_positions(self) -> bool:
        """Whether positions can be passed to a lone stack, and mean anything there."""
        (first, *others) = self.stacks
        takes = "position_ids" in inspect.signature(first.root.forward).parameters
        return takes and not others and first.layout.positions != "none"

    def positions(self, inputs: dict[str, Any], ids: Tensor | None, length: int) -> Tensor:
        """The positions that a causal model would number its input with.

        Args:
            inputs: keyword arguments of the stack's forward.
            ids: the tokens (batch x length), None when embeddings were passed.
            length: of the input.

        Returns:
            (batch or 1 x length).
        """
        past = cached_length(inputs)
        mask: Tensor | None = inputs.get("attention_mask")
        if self.stacks[0].layout.positions == "mask" and mask is not None:
            return ((mask.cumsum(dim=1) * mask - 1).long())[:, past:]
        device = self.embedding.weight.device if ids is None else ids.device
        return torch.arange(past, past + length, device=device)[None]

    def explicit_positions(self, input_ids: Tensor | None, at: int, extra: int) -> Tensor | None:
        """Positions to pass when ``extra`` embeddings are put in at index ``at``.

        Args:
            input_ids: the user's tokens (batch x length), None when embeddings were passed.
            at: index of the first new position.
            extra: how many are put in.

        Returns:
            (batch x (length + extra)), or None where the model's own numbering is right.
        """
        if self.stacks[0].layout.positions != "tokens" or input_ids is None:
            return None
        real = input_ids.ne(self._padding).int()
        new = real.new_ones(real.shape[0], extra)
        real = torch.cat([real[:, :at], new, real[:, at:]], dim=1)
        return (real.cumsum(dim=1) * real).long() + self._padding


def cached_length(inputs: dict[str, Any]) -> int:
    """How many positions a stack's key/value cache holds already, 0 without one."""
    cache = inputs.get("past_key_values")
    return 0 if cache is None else int(cache.get_seq_length())

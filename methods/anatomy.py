"""Where things are in a transformer: the one file that knows architectures.

Methods ask for places by role ("the query projection of block 3", "the feed-forward output just before
its residual addition") and never name a model class. An architecture is one :class:`Layout`: dotted
paths from a block to each role. What cannot be found is an :class:`AnatomyError` that names the model
and the role.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from methods.errors import MethodError

Model = PreTrainedModel

LINEAR_ROLES = ("query", "key", "value", "output", "up", "down")
"""The linear layers of a block: W_q, W_k, W_v, W_o of self-attention, then the feed-forward pair."""


class AnatomyError(MethodError):
    """A model has no place for a role that a method needs."""


@dataclass(frozen=True)
class Layout:
    """Dotted paths to each role. ``blocks`` and ``embedding`` start at the body, the rest at a block."""

    blocks: str
    embedding: str
    attention: str
    """The module that is handed to transformers' attention function."""
    query: str
    key: str
    value: str
    output: str
    up: str
    down: str
    attention_output: str
    """The module whose output is the attention sub-layer's, after dropout, before the residual addition."""
    feed_forward_output: str
    """The same for the feed-forward sub-layer."""
    block_norm: str
    """Post-norm blocks: the LayerNorm that ends the block, fed with sub-layer output + residual."""
    pools_first_token: bool
    """Whether the head reads position 0, which nothing may be put in front of."""
    positions_from_padding: bool = False
    """RoBERTa numbers positions from ``padding_idx + 1`` and skips padding, but only when it sees ids."""


_BERT = Layout(
    blocks="encoder.layer",
    embedding="embeddings.word_embeddings",
    attention="attention.self",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    output="attention.output.dense",
    up="intermediate.dense",
    down="output.dense",
    attention_output="attention.output.dropout",
    feed_forward_output="output.dropout",
    block_norm="output.LayerNorm",
    pools_first_token=True,
)
_ROBERTA = Layout(
    **{**{f.name: getattr(_BERT, f.name) for f in fields(Layout)}, "positions_from_padding": True}
)

LAYOUTS: dict[str, Layout] = {
    "bert": _BERT,
    "electra": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
}
"""transformers model type -> layout."""


@dataclass(frozen=True)
class Site:
    """A named place that holds a module: ``parent.name``."""

    parent: nn.Module
    name: str
    path: str
    """Dotted path from the body: the stable name of the place."""

    @property
    def module(self) -> nn.Module:
        """The module that is there now."""
        return self.parent.get_submodule(self.name)

    def put(self, module: nn.Module) -> None:
        """Put another module there."""
        setattr(self.parent, self.name, module)

    def linear(self) -> nn.Linear:
        """The module, which must be a linear layer with a (out x in) weight."""
        module = self.module
        if not isinstance(module, nn.Linear):
            raise AnatomyError(f"{self.path} is a {type(module).__name__}, expected a torch.nn.Linear.")
        return module


@dataclass(frozen=True)
class Geometry:
    """The sizes that decide every closed-form count. Lengths are in scalars."""

    layers: int
    hidden: int
    """Model width d."""
    feed_forward: int
    """Inner width f of the feed-forward sub-layer."""
    key_value: int
    """Width of the keys (and of the values) of all heads together."""
    embedding: int
    """Width of a token embedding; differs from ``hidden`` where a model projects it."""
    norms: int
    """Scalars in all normalisation layers of the body."""
    biases: int
    """Scalars in all biases of the body, the pooler's left out."""
    pooler: int
    """Scalars in the pooler, 0 without one."""
    base: int
    """Scalars in the whole body, pooler included."""

    def linear(self, role: str) -> tuple[int, int]:
        """(out, in) of a block's linear layer, by role."""
        d, f, kv = self.hidden, self.feed_forward, self.key_value
        shapes = {
            "query": (d, d),
            "key": (kv, d),
            "value": (kv, d),
            "output": (d, d),
            "up": (f, d),
            "down": (d, f),
        }
        return shapes[role]


class Anatomy:
    """A model seen by role.

    Args:
        model: any transformers model, with or without a task head.
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
            "to add one, describe it as a Layout in methods/anatomy.py."
        )

    @cached_property
    def layout(self) -> Layout:
        """The paths of this architecture."""
        try:
            return LAYOUTS[self.config.model_type]
        except KeyError:
            raise self.missing("block structure") from None

    @cached_property
    def blocks(self) -> list[nn.Module]:
        """The transformer blocks, first to last."""
        return list(self._find(self.body, self.layout.blocks, "blocks").children())

    def sites(self, role: str) -> list[Site]:
        """The place of a role in every block, first to last; ``role`` is a field of :class:`Layout`."""
        path = getattr(self.layout, role)
        found = []
        for index, block in enumerate(self.blocks):
            self._find(block, path, role)
            parent, _, name = path.rpartition(".")
            whole = f"{self.layout.blocks}.{index}.{path}"
            found.append(Site(block.get_submodule(parent), name, whole))
        return found

    @cached_property
    def embedding(self) -> nn.Embedding:
        """The token embedding."""
        found = self._find(self.body, self.layout.embedding, "embedding")
        if not isinstance(found, nn.Embedding):
            raise self.missing("embedding")
        return found

    def _find(self, root: nn.Module, path: str, role: str) -> nn.Module:
        try:
            return root.get_submodule(path)
        except AttributeError:
            raise self.missing(role) from None

    @cached_property
    def pooler_prefix(self) -> str | None:
        """Name prefix of the pooler's parameters inside the body, None without a pooler."""
        return "pooler." if getattr(self.body, "pooler", None) is not None else None

    def body_parameters(self) -> dict[str, nn.Parameter]:
        """Every parameter of the body by its name there."""
        return dict(self.body.named_parameters())

    def head_parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the task head: those of the model that are not the body's."""
        inside = {id(parameter) for parameter in self.body.parameters()}
        return {name: p for name, p in self.model.named_parameters() if id(p) not in inside}

    def norm_parameters(self) -> dict[str, nn.Parameter]:
        """Weights and biases of every normalisation layer of the body, the embeddings' included."""
        return {
            f"{path}.{name}": parameter
            for path, module in self.body.named_modules()
            if isinstance(module, nn.LayerNorm)
            for name, parameter in module.named_parameters(recurse=False)
        }

    def bias_parameters(self) -> dict[str, nn.Parameter]:
        """Every bias of the body except the pooler's."""
        return {
            name: parameter
            for name, parameter in self.body_parameters().items()
            if name.endswith(".bias") and not (self.pooler_prefix and name.startswith(self.pooler_prefix))
        }

    @property
    def max_positions(self) -> int | None:
        """How many tokens the position embedding can hold; None where nothing limits them."""
        slots = getattr(self.config, "max_position_embeddings", None)
        layout = LAYOUTS.get(self.config.model_type)
        if slots is not None and layout is not None and layout.positions_from_padding:
            return slots - self.config.pad_token_id - 1
        return slots

    @cached_property
    def forward_names(self) -> list[str]:
        """Names of the positional parameters of the body's forward, to read positional calls."""
        return list(inspect.signature(self.body.forward).parameters)

    def explicit_positions(self, input_ids: Tensor | None, at: int, extra: int) -> Tensor | None:
        """Positions to pass when ``extra`` embeddings are put in at index ``at``.

        Args:
            input_ids: the user's tokens (batch x length), None when embeddings were passed.
            at: index of the first new position.
            extra: how many are put in.

        Returns:
            (batch x (length + extra)), or None where the model's own numbering is right.
        """
        if not self.layout.positions_from_padding or input_ids is None:
            return None
        padding = self.config.pad_token_id
        real = input_ids.ne(padding).int()
        new = real.new_ones(real.shape[0], extra)
        real = torch.cat([real[:, :at], new, real[:, at:]], dim=1)
        return (real.cumsum(dim=1) * real).long() + padding

    @cached_property
    def geometry(self) -> Geometry:
        """The sizes of this model, from its configuration alone."""
        return _encoder_geometry(self.config, has_pooler=self.pooler_prefix is not None, known=self.layout)


def _encoder_geometry(config: Any, has_pooler: bool, known: Layout) -> Geometry:
    """Sizes of a BERT-type encoder: separate projections with biases, two LayerNorms per block."""
    layers, d, f = config.num_hidden_layers, config.hidden_size, config.intermediate_size
    e = getattr(config, "embedding_size", None) or d
    projection = 0 if e == d else e * d + d
    norms = 2 * e + layers * 4 * d
    biases = e + (0 if e == d else d) + layers * (4 * d + f + d + 2 * d)
    tables = e * (config.vocab_size + config.max_position_embeddings + config.type_vocab_size)
    blocks = layers * (4 * (d * d + d) + (d * f + f) + (f * d + d) + 4 * d)
    pooler = d * d + d if has_pooler else 0
    return Geometry(
        layers=layers,
        hidden=d,
        feed_forward=f,
        key_value=d,
        embedding=e,
        norms=norms,
        biases=biases,
        pooler=pooler,
        base=tables + 2 * e + projection + blocks + pooler,
    )


def walk_linear(anatomy: Anatomy, roles: tuple[str, ...]) -> Iterator[tuple[Site, nn.Linear]]:
    """Yield every linear layer of the named roles, block by block."""
    by_role = [anatomy.sites(role) for role in roles]
    for per_block in zip(*by_role, strict=True):
        for site in per_block:
            yield site, site.linear()

"""Where things are in a transformer: the one file that knows architectures.

Methods ask for places by role ("the query projections", "the feed-forward outputs just before their
residual addition") and never name a model class. An architecture is one :class:`Layout` per stack of
blocks: dotted paths from a block to each role. A model type without a layout is searched for by the names
of its modules. What cannot be found is an :class:`AnatomyError` that names the model and the role.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from methods.errors import MethodError
from methods.geometry import Geometry
from methods.linear import Linear, sizes

Model = PreTrainedModel

ATTENTION_ROLES = ("query", "key", "value", "output", "qkv")
"""W_q, W_k, W_v, W_o of every attention; ``qkv`` is a fused projection taken as one matrix."""
FEED_FORWARD_ROLES = ("gate", "up", "down")
"""The feed-forward layers of a block; ``gate`` is the activated branch of a gated one."""


class AnatomyError(MethodError):
    """A model has no place for a role that a method needs."""


@dataclass(frozen=True)
class Part:
    """Some of the output features of a fused linear layer.

    The layer's outputs are ``of`` equal parts, of which this is number ``index``. With ``per_head`` the
    parts are interleaved: each head's features lie together, and are split in turn (GPT-NeoX).
    """

    path: str
    index: int
    of: int
    per_head: bool = False


@dataclass(frozen=True)
class Attention:
    """Dotted paths from a block into one of its attentions."""

    module: str
    """The module that is handed to transformers' attention function."""
    query: str | Part
    key: str | Part
    value: str | Part
    output: str


Positions = Literal["sequence", "tokens", "mask", "none"]


@dataclass(frozen=True)
class Layout:
    """One stack of blocks: where its blocks are in the body, and the roles in a block."""

    blocks: str
    """Path of the list of blocks; ``*`` stands for every child."""
    embedding: str
    attention: Attention
    up: str | Part
    down: str
    attention_output: str
    """The module whose output is the attention sub-layer's, as late as possible before the residual
    addition: its dropout, where that is a module."""
    feed_forward_output: str
    """The same for the feed-forward sub-layer."""
    block_norm: str | None = None
    """Post-norm blocks: the LayerNorm that ends the block, fed with sub-layer output + residual. None where
    a block ends with a residual addition."""
    gate: str | Part | None = None
    cross_attention: Attention | None = None
    root: str = ""
    """Path of the module that runs this stack, from its embedding on."""
    causal: bool = False
    pools_first_token: bool = False
    """Whether the head reads position 0, which nothing may be put in front of."""
    positions: Positions = "sequence"
    """How positions are numbered when none are given: along the sequence; RoBERTa's way, from
    ``padding_idx + 1`` over the tokens that are not padding, which it tells by their ids; over the
    attention mask (OPT); or not at all."""


_SELF = Attention(
    module="attention.self",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    output="attention.output.dense",
)
_BERT = Layout(
    blocks="encoder.layer",
    embedding="embeddings.word_embeddings",
    attention=_SELF,
    up="intermediate.dense",
    down="output.dense",
    attention_output="attention.output.dropout",
    feed_forward_output="output.dropout",
    block_norm="output.LayerNorm",
    pools_first_token=True,
)
_ROBERTA = replace(_BERT, positions="tokens")
_DEBERTA = replace(
    _BERT,
    attention=replace(
        _SELF,
        query="attention.self.query_proj",
        key="attention.self.key_proj",
        value="attention.self.value_proj",
    ),
)
_MPNET = replace(
    _ROBERTA,
    attention=Attention(
        "attention.attn", "attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"
    ),
    attention_output="attention.dropout",
)
_DISTILBERT = Layout(
    blocks="transformer.layer",
    embedding="embeddings.word_embeddings",
    attention=Attention(
        "attention", "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"
    ),
    up="ffn.lin1",
    down="ffn.lin2",
    attention_output="attention.out_lin",
    feed_forward_output="ffn.dropout",
    block_norm="output_layer_norm",
    pools_first_token=True,
)
_ALBERT = Layout(
    blocks="encoder.albert_layer_groups.*.albert_layers",
    embedding="embeddings.word_embeddings",
    attention=Attention(
        "attention", "attention.query", "attention.key", "attention.value", "attention.dense"
    ),
    up="ffn",
    down="ffn_output",
    attention_output="attention.output_dropout",
    feed_forward_output="ffn_output",
    block_norm="full_layer_layer_norm",
    pools_first_token=True,
)
_MODERNBERT = Layout(
    blocks="layers",
    embedding="embeddings.tok_embeddings",
    attention=Attention(
        "attn", Part("attn.Wqkv", 0, 3), Part("attn.Wqkv", 1, 3), Part("attn.Wqkv", 2, 3), "attn.Wo"
    ),
    gate=Part("mlp.Wi", 0, 2),
    up=Part("mlp.Wi", 1, 2),
    down="mlp.Wo",
    attention_output="attn.out_drop",
    feed_forward_output="mlp.Wo",
    pools_first_token=True,
)
_GPT2 = Layout(
    blocks="h",
    embedding="wte",
    attention=Attention(
        "attn", Part("attn.c_attn", 0, 3), Part("attn.c_attn", 1, 3), Part("attn.c_attn", 2, 3), "attn.c_proj"
    ),
    up="mlp.c_fc",
    down="mlp.c_proj",
    attention_output="attn.resid_dropout",
    feed_forward_output="mlp.dropout",
    causal=True,
)
_NEOX_QKV = "attention.query_key_value"
_GPT_NEOX = Layout(
    blocks="layers",
    embedding="embed_in",
    attention=Attention(
        "attention",
        Part(_NEOX_QKV, 0, 3, per_head=True),
        Part(_NEOX_QKV, 1, 3, per_head=True),
        Part(_NEOX_QKV, 2, 3, per_head=True),
        "attention.dense",
    ),
    up="mlp.dense_h_to_4h",
    down="mlp.dense_4h_to_h",
    attention_output="post_attention_dropout",
    feed_forward_output="post_mlp_dropout",
    causal=True,
)
_LLAMA = Layout(
    blocks="layers",
    embedding="embed_tokens",
    attention=Attention(
        "self_attn", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"
    ),
    gate="mlp.gate_proj",
    up="mlp.up_proj",
    down="mlp.down_proj",
    attention_output="self_attn.o_proj",
    feed_forward_output="mlp.down_proj",
    causal=True,
)


def _bart(side: str) -> Layout:
    """The blocks of BART, OPT and their kin: dropout is a function, so it follows the adapters."""

    def attention(name: str) -> Attention:
        return Attention(name, f"{name}.q_proj", f"{name}.k_proj", f"{name}.v_proj", f"{name}.out_proj")

    return Layout(
        blocks=f"{side}.layers",
        embedding=f"{side}.embed_tokens",
        attention=attention("self_attn"),
        cross_attention=attention("encoder_attn") if side == "decoder" else None,
        up="fc1",
        down="fc2",
        attention_output="self_attn.out_proj",
        feed_forward_output="fc2",
        block_norm="final_layer_norm",
        root=side,
        causal=side == "decoder",
    )


def _opt(config: Any) -> tuple[Layout, ...]:
    ends = None if config.do_layer_norm_before else "final_layer_norm"
    return (replace(_bart("decoder"), cross_attention=None, block_norm=ends, positions="mask"),)


def _t5(config: Any) -> tuple[Layout, ...]:
    def attention(name: str) -> Attention:
        return Attention(name, f"{name}.q", f"{name}.k", f"{name}.v", f"{name}.o")

    def stack(side: str, feed_forward: str) -> Layout:
        inner = f"{feed_forward}.DenseReluDense"
        return Layout(
            blocks=f"{side}.block",
            embedding=f"{side}.embed_tokens",
            attention=attention("layer.0.SelfAttention"),
            cross_attention=attention("layer.1.EncDecAttention") if side == "decoder" else None,
            gate=f"{inner}.wi_0" if config.is_gated_act else None,
            up=f"{inner}.wi_1" if config.is_gated_act else f"{inner}.wi",
            down=f"{inner}.wo",
            attention_output="layer.0.dropout",
            feed_forward_output=f"{feed_forward}.dropout",
            root=side,
            causal=side == "decoder",
            positions="none",
        )

    return stack("encoder", "layer.1"), stack("decoder", "layer.2")


LAYOUTS: dict[str, tuple[Layout, ...] | Callable[[Any], tuple[Layout, ...]]] = {
    "bert": (_BERT,),
    "electra": (_BERT,),
    "roberta": (_ROBERTA,),
    "xlm-roberta": (_ROBERTA,),
    "camembert": (_ROBERTA,),
    "distilbert": (_DISTILBERT,),
    "albert": (_ALBERT,),
    "deberta-v2": (_DEBERTA,),
    "mpnet": (_MPNET,),
    "modernbert": (_MODERNBERT,),
    "gpt2": (_GPT2,),
    "gpt_neox": (_GPT_NEOX,),
    "opt": _opt,
    "llama": (_LLAMA,),
    "mistral": (_LLAMA,),
    "qwen2": (_LLAMA,),
    "qwen3": (_LLAMA,),
    "gemma": (_LLAMA,),
    "t5": _t5,
    "bart": (_bart("encoder"), _bart("decoder")),
}
"""transformers model type -> its layouts, encoder before decoder, or a function of its configuration."""


@dataclass(frozen=True)
class Site:
    """A named place that holds a module, or some output features of one."""

    parent: nn.Module
    name: str
    path: str
    """Dotted path from the body: the stable name of the place."""
    rows: Tensor | None = None
    """Indices of the output features that play the role; None where all of them do."""

    @property
    def module(self) -> nn.Module:
        """The module that is there now."""
        return self.parent.get_submodule(self.name)

    def put(self, module: nn.Module) -> None:
        """Put another module there."""
        setattr(self.parent, self.name, module)

    def linear(self) -> Linear:
        """The module, which must be a linear layer.

        Raises:
            AnatomyError: it is something else, a quantised layer for example.
        """
        module = self.module
        if not isinstance(module, nn.Linear | Conv1D):
            raise AnatomyError(f"{self.path} is a {type(module).__name__}, expected a torch.nn.Linear.")
        return module

    def shape(self) -> tuple[int, int]:
        """(out, in) of the role's weight."""
        out_features, in_features = sizes(self.linear())
        return (out_features if self.rows is None else len(self.rows), in_features)


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
            "to add one, describe it as a Layout in methods/anatomy.py."
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
        module = self._find(block.module, path, role)
        parent, _, name = path.rpartition(".")
        site = Site(block.module.get_submodule(parent), name, f"{block.path}.{path}")
        if not isinstance(place, Part):
            return site
        site.linear()
        return replace(site, rows=self._rows(module, place))

    def _rows(self, module: nn.Module, part: Part) -> Tensor:
        out_features, _ = sizes(module)
        groups = self.config.num_attention_heads if part.per_head else 1
        rows = torch.arange(out_features, device="cpu").view(groups, part.of, -1)
        return rows[:, part.index].flatten()

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
            if _is_norm(module)
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
        )

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


# The structural search ------------------------------------------------------------------------------

_NAMES: dict[str, tuple[str, ...]] = {
    "query": ("q_proj", "query", "q_lin", "query_proj", "q", "wq", "w_q", "linear_q"),
    "key": ("k_proj", "key", "k_lin", "key_proj", "k", "wk", "w_k", "linear_k"),
    "value": ("v_proj", "value", "v_lin", "value_proj", "v", "wv", "w_v", "linear_v"),
    "output": ("o_proj", "out_proj", "output.dense", "dense", "out_lin", "o", "wo", "linear_out"),
    "up": ("up_proj", "fc1", "intermediate.dense", "lin1", "c_fc", "wi_1", "wi", "w1", "linear1"),
    "down": ("down_proj", "fc2", "output.dense", "lin2", "c_proj", "wo", "w2", "linear2"),
    "gate": ("gate_proj", "wi_0", "w3"),
}


def search(anatomy: Anatomy) -> Layout:
    """Find the roles of an unknown architecture by the names and shapes of its modules.

    The longest list of modules of one class is taken as the blocks; within a block, a role is a linear
    layer of one of the usual names whose shape fits it. A body with a normalisation layer behind its blocks
    is taken as pre-norm, any other as post-norm with the block's last one at its end.

    Raises:
        AnatomyError: a role was not found. It names the model and the role.
    """
    lists = [
        (path, module)
        for path, module in anatomy.body.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) and _linears(module[0])
        if len({type(child) for child in module}) == 1
    ]
    if not lists or getattr(anatomy.config, "is_encoder_decoder", False):
        raise anatomy.missing("block structure")
    path, blocks = max(lists, key=lambda found: len(found[1]))
    block, width = blocks[0], anatomy.config.hidden_size
    linears = _linears(block)
    table = anatomy.model.get_input_embeddings()
    embedding = next((name for name, module in anatomy.body.named_modules() if module is table), None)
    if embedding is None:
        raise anatomy.missing("embedding")

    def find(role: str, out: int | None, into: int, taken: tuple[str, ...] = ()) -> str:
        for usual in _NAMES[role]:
            for name, layer in linears.items():
                known = name == usual or name.endswith(f".{usual}")
                rows, columns = sizes(layer)
                if known and name not in taken and columns == into and out in (None, rows):
                    return name
        raise anatomy.missing(role)

    query, key, value = (find(role, None, width) for role in ("query", "key", "value"))
    output = find("output", width, sizes(linears[query])[0], (query, key, value))
    up = find("up", None, width, (query, key, value, output))
    inner = sizes(linears[up])[0]
    down = find("down", width, inner, (output, up))
    try:
        gate = find("gate", inner, width, (up,))
    except AnatomyError:
        gate = None
    norms = [name for name, module in block.named_modules() if _is_norm(module)]
    root, _, own = path.rpartition(".")
    siblings = list(anatomy.body.get_submodule(root).named_children())
    behind = siblings[[name for name, _ in siblings].index(own) + 1 :]
    pre_norm = any(_is_norm(module) for _, module in behind)
    causal = any(getattr(module, "is_causal", False) for module in block.modules())
    # Sandwich blocks (Gemma 2, OLMo 2) normalise each sub-layer's output before they add it.
    sandwich = hasattr(block, "post_feedforward_layernorm")
    return Layout(
        blocks=path,
        embedding=embedding,
        attention=Attention(query.rpartition(".")[0], query, key, value, output),
        gate=gate,
        up=up,
        down=down,
        attention_output="post_attention_layernorm" if sandwich else _with_dropout(block, output),
        feed_forward_output="post_feedforward_layernorm" if sandwich else _with_dropout(block, down),
        block_norm=None if pre_norm or sandwich or not norms else norms[-1],
        causal=causal,
        pools_first_token=not causal,
    )


def _with_dropout(block: nn.Module, path: str) -> str:
    """The dropout behind an output layer that is alone with it and a LayerNorm (BERT's way), or the layer."""
    parent = block.get_submodule(path.rpartition(".")[0])
    alone = len(_linears(parent)) == 1 and any(_is_norm(child) for child in parent.children())
    return f"{path.rpartition('.')[0]}.dropout" if alone and hasattr(parent, "dropout") else path


def _is_norm(module: nn.Module) -> bool:
    return type(module).__name__.endswith("Norm")


def _linears(block: nn.Module) -> dict[str, nn.Module]:
    return {name: m for name, m in block.named_modules() if isinstance(m, nn.Linear | Conv1D)}

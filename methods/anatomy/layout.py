"""How the place of a role is written down: dotted paths from a block into it.

An architecture is one :class:`Layout` per stack of blocks: those that are known are in ``layouts.py``, others
are looked for by ``discovery.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ATTENTION_ROLES = ("query", "key", "value", "output", "qkv")
"""W_q, W_k, W_v, W_o of every attention; ``qkv`` is a fused projection taken as one matrix."""
FEED_FORWARD_ROLES = ("gate", "up", "down")
"""The feed-forward layers of a block; ``gate`` is the activated branch of a gated one."""


@dataclass(frozen=True)
class Part:
    """Some of the output features of a fused linear layer.

    The layer's outputs are ``of`` equal parts, of which this is number ``index`` and the ``span`` - 1 behind
    it. With several ``groups`` the parts are interleaved: each group's features lie together, and are split
    in turn (a head of GPT-NeoX; heads that share a key in Falcon).
    """

    path: str
    index: int
    of: int
    groups: int = 1
    span: int = 1


@dataclass(frozen=True)
class Attention:
    """Dotted paths from a block into one of its attentions."""

    module: str | None
    """The module that is handed to transformers' attention function."""
    query: str | Part | None
    key: str | Part | None
    value: str | Part | None
    output: str | None


Positions = Literal["sequence", "tokens", "mask", "none"]


@dataclass(frozen=True)
class Layout:
    """One stack of blocks: where its blocks are in the body, and the roles in a block.

    A role that is None is not there, or could not be told: who asks for it gets an error, and nobody else.
    """

    blocks: str
    """Path of the list of blocks; ``*`` stands for every child."""
    embedding: str | None
    attention: Attention
    up: str | Part | None
    down: str | None
    attention_output: str | None
    """The module whose output is the attention sub-layer's, as late as possible before the residual
    addition: its dropout, where that is a module."""
    feed_forward_output: str | None
    """The same for the feed-forward sub-layer."""
    block_norm: str | None = None
    """Post-norm blocks: the LayerNorm that ends the block, fed with sub-layer output + residual. None where
    a block ends with a residual addition."""
    gate: str | Part | None = None
    cross_attention: Attention | None = None
    root: str = ""
    """Path of the module that runs this stack, from its embedding on."""
    parallel: bool = False
    """Whether both sub-layers read the block's input, not one after the other."""
    bare: bool = False
    """Whether sub-layers read the residual stream as it is: the norm stands behind them (OLMo 2)."""
    attends_to_positions: bool = False
    """Whether the attention multiplies queries and keys with embeddings of positions too."""
    experts: bool = False
    """Whether some feed-forward is a mixture of experts, which has no one layer of a role."""
    causal: bool = False
    pools_first_token: bool = False
    """Whether the head reads position 0, which nothing may be put in front of."""
    positions: Positions = "sequence"
    """How positions are numbered when none are given: along the sequence; RoBERTa's way, from
    ``padding_idx + 1`` over the tokens that are not padding, which it tells by their ids; over the
    attention mask (OPT); or not at all."""
    untold: frozenset[str] = frozenset()
    """Of causal, pools_first_token, block_norm and positions, those that could not be tried out: see
    :meth:`methods.anatomy.anatomy.Anatomy.fact`."""

    @property
    def feed_forward_input(self) -> str | None:
        """The module whose input is the feed-forward sub-layer's, normalised where a block begins it so."""
        return self.up.path if isinstance(self.up, Part) else self.up

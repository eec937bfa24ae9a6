"""How a pass runs through a transformer: what a closed-form FLOP count needs beside the sizes."""

from __future__ import annotations

from dataclasses import dataclass

from methods.anatomy.geometry import Shape


@dataclass(frozen=True)
class Wiring:
    """The order of a pass, read off a model by :func:`methods.anatomy.wired.wiring_of`."""

    runs: int
    """How often a block runs in a pass: more than once where layers share weights (ALBERT)."""
    parallel: bool
    """Whether both sub-layers of a block read the block's input (GPT-NeoX), not one after the other."""
    pre_norm: bool
    """Whether a sub-layer begins with a normalisation layer."""
    embedding_norm: bool
    """Whether post-norm blocks read a normalised embedding."""
    biases: frozenset[str]
    """The roles whose layers have a bias, and ``norm`` where the normalisation layers have."""
    before: tuple[Shape, ...]
    """Linear layers between the embedding and the first block (ELECTRA, ALBERT, OPT), for every token."""
    after: tuple[Shape, ...]
    """Linear layers behind the last block (OPT), for every token."""
    pooler: tuple[Shape, ...]
    """The body's own linear layers on the pooled token."""
    head: tuple[Shape, ...]
    """The linear layers outside the body, first to last."""
    head_reads_tokens: bool
    """Whether the head reads every token (decoders, language models), not one."""
    head_is_pretrained: bool
    """Whether the head is a language model's, which belongs to the base."""

"""The sizes of a transformer: all that a closed-form parameter count needs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from torch import nn

from methods.anatomy.anatomy import Anatomy
from methods.anatomy.layers import Shape
from methods.anatomy.layout import ATTENTION_ROLES, FEED_FORWARD_ROLES
from methods.errors import AnatomyError


@dataclass(frozen=True)
class Geometry:
    """Sizes in scalars. Read off a model by :func:`geometry_of`, or written down.

    Where layers share weights, what is shared is here once.
    """

    hidden: int
    """Model width d."""
    embedding: int
    """Width of a token embedding; differs from ``hidden`` where a model projects it; 0 without one."""
    linears: Mapping[str, tuple[Shape, ...]]
    """(out, in) of every linear layer of a role: query, key, value, output, up, down, gate, qkv. Who asks for
    one that the model does not have gets the error that says so."""
    attention_sets: tuple[tuple[str, int], ...]
    """Name and number of attentions: self, or encoder, decoder and cross; none where they are not known."""
    blocks: tuple[int, ...]
    """Scalars in each block, first to last, less those that the model keeps frozen."""
    norms: int
    """Scalars in all normalisation layers."""
    biases: int
    """Scalars in all biases, the pooler's left out."""
    base: int
    """Scalars in everything that is pretrained."""
    head: int = 0
    """Scalars in the task head, 0 without one."""
    frozen: int = 0
    """Scalars of the base that the model itself keeps frozen."""

    @property
    def layers(self) -> int:
        """Number L of blocks."""
        return len(self.blocks)

    @property
    def attentions(self) -> int:
        """Number of attentions: L, and one more for each block with cross-attention."""
        return sum(number for _, number in self.attention_sets)

    @property
    def key_value(self) -> int:
        """Width of the keys (and of the values) of all heads together."""
        return self.linears["key"][0][0]

    @classmethod
    def gpt(cls, layers: int, hidden: int, vocabulary: int = 50_257, positions: int = 1_024) -> Self:
        """A GPT-2 or GPT-3 of L blocks of width d: feed-forward 4d, biases, two LayerNorms per block.

        Source: arXiv 2005.14165, table 2.1; ``Geometry.gpt(96, 12288, positions=2048)`` is GPT-3 175B.
        """
        d, f = hidden, 4 * hidden
        shapes = {"query": (d, d), "key": (d, d), "value": (d, d), "output": (d, d), "qkv": (3 * d, d)}
        shapes |= {"up": (f, d), "down": (d, f)}
        block = 4 * (d * d + d) + (d * f + f) + (f * d + d) + 4 * d
        norms = (2 * layers + 1) * 2 * d
        return cls(
            hidden=d,
            embedding=d,
            linears={role: (shape,) * layers for role, shape in shapes.items()},
            attention_sets=(("self", layers),),
            blocks=(block,) * layers,
            norms=norms,
            biases=layers * (4 * d + f + d + 2 * d) + d,
            base=(vocabulary + positions) * d + layers * block + 2 * d,
        )


class _Linears(dict[str, tuple[Shape, ...]]):
    """The linear layers by role, and why there are none of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.why: dict[str, AnatomyError] = {}

    def __missing__(self, role: str) -> tuple[Shape, ...]:
        raise AnatomyError(str(self.why.get(role, f"the model has no {role}.")))


def geometry_of(anatomy: Anatomy) -> Geometry:
    """The sizes of a model that holds no method, read off the shapes of its modules.

    What is not there, or not known, has no size here: experts, say, of which there is no one layer of a role.
    """
    linears, hidden, embedding = _Linears(), 0, 0
    for role in (*ATTENTION_ROLES, *FEED_FORWARD_ROLES):
        try:
            linears[role] = tuple(site.shape() for site in anatomy.sites(role))
        except AnatomyError as error:
            linears.why[role] = error
    with suppress(AnatomyError):
        hidden = anatomy.width
    with suppress(AnatomyError):
        embedding = anatomy.embedding.embedding_dim
    sets: tuple[tuple[str, int], ...] = ()
    blocks: tuple[int, ...] = ()
    with suppress(AnatomyError):
        owned = (dict(block.module.named_parameters()) for block in anatomy.blocks)
        blocks = tuple(_total(anatomy.trainable(parameters)) for parameters in owned)
        sets = tuple((name, len(sites)) for name, sites in anatomy.attentions().items())
    body = anatomy.body_parameters()
    return Geometry(
        hidden=hidden,
        embedding=embedding,
        linears=linears,
        attention_sets=sets,
        blocks=blocks,
        norms=_total(anatomy.norm_parameters()),
        biases=_total(anatomy.trainable(anatomy.bias_parameters())),
        base=_total(body),
        head=_total(anatomy.head_parameters()),
        frozen=_total(body) - _total(anatomy.trainable(body)),
    )


def _total(parameters: Mapping[str, nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters.values())

"""The sizes of a transformer: all that a closed-form parameter count needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from methods.anatomy.layout import ATTENTION_ROLES
from methods.anatomy.selection import chosen
from methods.errors import AnatomyError

Shape = tuple[int, int]
"""(out, in) of a matrix."""


@dataclass(frozen=True)
class Geometry:
    """Sizes in scalars. Read off a model by :func:`methods.anatomy.measured.geometry_of`, or written down.

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
    """Scalars in all normalisation layers, without what the model itself keeps frozen."""
    biases: int
    """Scalars in all biases, the pooler's left out."""
    base: int
    """Scalars in everything that is pretrained."""
    head: int = 0
    """Scalars in the task head, 0 without one."""
    frozen: int = 0
    """Scalars of the base that the model itself keeps frozen."""
    pooler_biases: int = 0
    """Scalars in the biases of the pooler."""
    vocabulary: int = 0
    """Token embeddings; 0 without any."""
    positions: int | None = None
    """How many tokens fit into the input; None where nothing limits them."""
    block_norms: tuple[int, ...] = ()
    """Scalars in the normalisation layers of each block."""
    block_biases: tuple[int, ...] = ()
    """Scalars in the biases of each block."""

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

    def within(self, layers: Sequence[int] | None) -> Geometry:
        """The sizes of some blocks alone; ``base``, ``head`` and ``frozen`` stay those of the model.

        Args:
            layers: see :func:`methods.anatomy.selection.chosen`; None for the whole model.

        Raises:
            OptionError: there is no such block.
        """
        if layers is None:
            return self
        numbers = chosen(layers, self.layers, "the model")
        cross = dict(self.attention_sets).get("cross", 0)
        two = range(self.layers - cross, self.layers)  # blocks with two attentions are the last ones
        sets, first = [], 0
        for name, size in self.attention_sets:
            inside = two if name == "cross" else range(first, first + size)
            first += size
            if left := sum(number in inside for number in numbers):
                sets.append((name, left))

        def of(role: str, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
            owners = [n for n in range(self.layers) for _ in range(2 if n in two else 1)]
            owners = owners if role in ATTENTION_ROLES else list(range(self.layers))
            return tuple(shape for shape, owner in zip(shapes, owners, strict=True) if owner in numbers)

        linears = Linears(self.linears.why if isinstance(self.linears, Linears) else {})
        linears |= {role: of(role, shapes) for role, shapes in self.linears.items()}
        return replace(
            self,
            linears=linears,
            attention_sets=tuple(sets),
            blocks=tuple(self.blocks[n] for n in numbers),
            norms=sum(self.block_norms[n] for n in numbers),
            biases=sum(self.block_biases[n] for n in numbers),
            block_norms=tuple(self.block_norms[n] for n in numbers),
            block_biases=tuple(self.block_biases[n] for n in numbers),
        )

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
            vocabulary=vocabulary,
            positions=positions,
            block_norms=(4 * d,) * layers,
            block_biases=(4 * d + f + d + 2 * d,) * layers,
        )


class Linears(dict[str, tuple[Shape, ...]]):
    """The linear layers by role, and why there are none of the others."""

    def __init__(self, why: Mapping[str, AnatomyError] | None = None) -> None:
        super().__init__()
        self.why: dict[str, AnatomyError] = dict(why or {})

    def __missing__(self, role: str) -> tuple[Shape, ...]:
        raise AnatomyError(str(self.why.get(role, f"the model has no {role}.")))

"""FLOPs of a forward pass and of a training step, in closed form.

Counted are matrix products, a multiplication and an addition as two: (m x k) (k x n) is 2mkn. That is the
convention of the literature (arXiv 2001.08361, section 2.1) and of ``torch.utils.flop_counter``. Softmax,
normalisation, activations, the loss and the optimiser are element-wise, a per cent or so of the work, and are
left out. Causal attention is counted whole: its masked half is computed.

A forward pass takes, with t tokens, T of them an example and S keys that each attends to,

    2 t in out   for every linear layer          4 t S d   for every attention of width d

A backward pass repeats each product once for the gradient of each of its two operands, if that operand needs
one. Training everything, both do: a step is three forward passes. In a frozen body weights need none, and
what is left is the gradient of the activations: a step is two forward passes, which is why freezing saves at
most a third of a step, however few parameters train. And below the lowest trained parameter nothing needs a
gradient: with the head alone trained there is no backward pass through the body at all, with the top layers
only through these.

What kernels compute again to save memory is not counted (the scores, in the backward pass of fused attention:
one more product of its four), as in the "model FLOPs" of arXiv 2204.02311, appendix B: the number is then the
same for every kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from methods.anatomy.geometry import Geometry, Shape
from methods.anatomy.selection import chosen
from methods.anatomy.wiring import Wiring

PROJECTIONS = ("query", "key", "value")


@dataclass(frozen=True)
class Flops:
    """FLOPs of one batch."""

    forward_flops: int
    training_step_flops: int
    """Forward and backward pass."""
    front_flops: int = field(default=0, compare=False)
    """Of the forward pass, those up to the last leading block whose output needs no gradient: with the head
    alone trained all blocks. Zero where there are two stacks, or where somebody else counted."""


@dataclass(frozen=True)
class Chain:
    """Matrix products that a method adds, each on the output of the one before."""

    shapes: tuple[Shape, ...]
    """(out, in) of each matrix, first to last."""
    trained: bool = True
    """Whether the matrices train."""
    rows: int | None = None
    """Rows of what the first one reads: None for the tokens at that place, a number for a tensor of the
    method's own, once in a pass."""
    reads_trained: bool = False
    """Whether that passed through something of the method's own that trains: an embedding, a LayerNorm."""


@dataclass(frozen=True)
class Work:
    """What a method adds to a pass, and what it trains that the base already has."""

    beside: Mapping[str, Sequence[tuple[Chain, ...]]] = field(default_factory=dict)
    """What is added by place, for each such place of the model in the order of ``Geometry.linears``. A role's
    name is the input of its layer; ``attention_output``, ``feed_forward_output`` and ``block_output`` are the
    stream there; ``start`` is the time before the first block, once."""
    positions: int = 0
    """Trained tokens in the input of the first stack."""
    keys: int = 0
    """Trained keys and values in every attention."""
    vectors: frozenset[str] = frozenset()
    """Where trained vectors add to or scale the stream: ``norm`` (all normalisation layers), ``bias`` (all
    biases), the output of a role, or ``inner``, the input of ``down``."""
    blocks: int = 0
    """How many blocks train whole, counted from the last one."""
    body: bool = False
    """Whether the rest of the base trains whole: embeddings, poolers, a language model's head."""
    layers: tuple[int, ...] | None = None
    """The blocks that ``keys`` and ``vectors`` speak of, and ``beside``, which then holds the places of these
    alone; as :func:`methods.anatomy.selection.chosen` takes them. None for all, and what lies in no block."""


def closed_form(geometry: Geometry, wiring: Wiring, work: Work, batch: int, length: int) -> Flops:
    """FLOPs of one batch, from sizes alone. The task head always trains.

    Args:
        geometry: the sizes of the base.
        wiring: the order of its pass.
        work: of the method.
        batch: examples.
        length: tokens of each, padding included; an encoder-decoder's decoder reads as many.
    """
    return _Pass(geometry, wiring, work, batch, length).run()


_Layers = dict[str, tuple[Shape, tuple[Chain, ...]]]
"""By place: the shape of the base's own layer, and what is beside it."""


@dataclass(frozen=True)
class _Stream:
    """What a stack of blocks hands on: whether a gradient is needed there, and its tokens an example."""

    carries: bool
    length: int


class _Pass:
    """Walks through the model, place by place; ``carries`` says whether a gradient is needed there."""

    def __init__(self, geometry: Geometry, wiring: Wiring, work: Work, batch: int, length: int) -> None:
        self.geometry, self.wiring, self.work = geometry, wiring, work
        self.batch, self.length = batch, length
        self.forward = self.backward = self.front = 0
        self.sites = {role: iter(shapes) for role, shapes in geometry.linears.items()}
        self.added = {place: iter(chains) for place, chains in work.beside.items()}
        self.chosen = set(chosen(work.layers, geometry.layers, "the model"))
        self.number = 0
        self.acts = work.layers is None
        """Whether the method acts where the walk is."""

    def run(self) -> Flops:
        wiring, work, batch = self.wiring, self.work, self.batch
        self.chains(next(self.added.get("start", iter(())), ()), 0, False)
        sets = dict(self.geometry.attention_sets)
        length = self.length + work.positions
        if "cross" in sets:
            memory = _Stream(self.stack(sets["encoder"], length, work.positions > 0, None), length)
            length = self.length
            carries = self.stack(sets["decoder"], length, False, memory)
        else:
            carries = self.stack(self.geometry.layers, length, work.positions > 0, None)
        for shape in wiring.after:
            carries = self.linear(shape, batch * length, carries, work.body)
        for shape in wiring.pooler:
            carries = self.linear(shape, batch, carries, work.body)
        for shape in wiring.head:
            rows = batch * (self.length if wiring.head_reads_tokens else 1)
            carries = self.linear(shape, rows, carries, work.body or not wiring.head_is_pretrained)
        return Flops(self.forward, self.forward + self.backward, self.front)

    def stack(self, blocks: int, length: int, carries: bool, memory: _Stream | None) -> bool:
        """One stack of blocks; ``memory`` is what its cross-attention reads."""
        wiring = self.wiring
        carries |= self.work.body or (wiring.embedding_norm and self.trains_norms)
        for shape in wiring.before:
            carries = self.linear(shape, self.batch * length, carries, self.work.body)
        # The last blocks of the model are the decoder's, so an encoder's own are further from the end.
        behind = 0 if memory or len(self.geometry.attention_sets) == 1 else self.geometry.layers - blocks
        for index in range(blocks):
            own = blocks - index + behind <= self.work.blocks
            self.acts = self.number in self.chosen
            carries = self.block(own, length, carries, memory)
            if not carries and len(self.geometry.attention_sets) == 1:
                self.front = self.forward
            self.number += 1
        self.acts = self.work.layers is None
        return carries

    def block(self, own: bool, length: int, carries: bool, memory: _Stream | None) -> bool:
        """One block, as often as it runs."""
        attentions = [self.take((*PROJECTIONS, "qkv", "output")) for _ in range(2 if memory else 1)]
        inner = self.take(("gate", "up", "down"))
        adapters = self.take(("attention_output", "feed_forward_output", "block_output"))
        tokens, norms = self.batch * length, self.geometry.norms > 0 and (own or self.trains_norms)
        normed = self.wiring.pre_norm and norms
        for _ in range(self.wiring.runs):
            entered = carries
            out = self.attention(attentions[0], own, length, carries or normed, None)
            out = self.chains(adapters["attention_output"][1], tokens, out)
            carries |= out or norms
            if memory:
                out = self.attention(attentions[1], own, length, carries or normed, memory)
                carries |= out or norms
            read = entered or normed if self.wiring.parallel else carries
            out = self.feed_forward(inner, own, tokens, read)
            carries |= self.chains(adapters["feed_forward_output"][1], tokens, out) or norms
            carries = self.chains(adapters["block_output"][1], tokens, carries)
        return carries

    def attention(
        self, layers: _Layers, own: bool, length: int, carries: bool, memory: _Stream | None
    ) -> bool:
        """Projections, scores, weighted sum, output."""
        extra = self.work.keys if self.acts else 0
        width, keys = layers["query"][0][0], (memory.length if memory else length) + extra
        needs: dict[str, bool] = {}
        for role in PROJECTIONS:
            read = memory if memory and role != "query" else _Stream(carries, length)
            needs[role] = self.role(layers, role, own, self.batch * read.length, read.carries)
        if "qkv" in self.geometry.linears:  # one layer, so one tensor, which needs a gradient whole or not
            whole = self.chains(layers["qkv"][1], self.batch * length, carries) or any(needs.values())
            needs = dict.fromkeys(PROJECTIONS, whole)
        query, key, value = (needs[role] or (role != "query" and extra > 0) for role in PROJECTIONS)
        scores = 2 * self.batch * length * keys * width
        self.product(scores, query + key)  # Q K^T
        self.product(scores, (query or key) + value)  # softmax(.) V
        return self.role(layers, "output", own, self.batch * length, query or key or value)

    def feed_forward(self, layers: _Layers, own: bool, tokens: int, carries: bool) -> bool:
        """Gate and up, then down."""
        read = [
            self.role(layers, role, own, tokens, carries)
            for role in ("gate", "up")
            if role in self.geometry.linears
        ]
        inner = any(read) or "inner" in self.vectors
        return self.role(layers, "down", own, tokens, inner)

    def role(self, layers: _Layers, role: str, own: bool, rows: int, carries: bool) -> bool:
        """A linear layer and what is beside it."""
        shape, chains = layers[role]
        out = self.linear(shape, rows, carries, own)
        biased = "bias" in self.vectors and role in self.wiring.biases
        return self.chains(chains, rows, carries) or out or biased or role in self.vectors

    def chains(self, chains: tuple[Chain, ...], rows: int, carries: bool) -> bool:
        """What a method adds; the stream behind it carries if it did before or the method trains there."""
        for chain in chains:
            read = chain.reads_trained or (carries and chain.rows is None)
            for shape in chain.shapes:
                read = self.linear(shape, rows if chain.rows is None else chain.rows, read, chain.trained)
            carries |= read
        return carries

    def linear(self, shape: Shape, rows: int, carries: bool, trained: bool) -> bool:
        """One matrix on ``rows`` vectors; returns whether its output carries."""
        self.product(2 * rows * shape[0] * shape[1], carries + trained)
        return carries or trained

    def product(self, flops: int, gradients: int) -> None:
        """One product, and the gradients of as many of its operands."""
        self.forward += flops
        self.backward += gradients * flops

    def take(self, places: tuple[str, ...]) -> _Layers:
        """The next site of each place: its own shape, and what is beside it."""
        none: Shape = (0, 0)
        added = self.added if self.acts else {}
        return {
            place: (next(self.sites.get(place, iter(())), none), next(added.get(place, iter(())), ()))
            for place in places
        }

    @property
    def vectors(self) -> frozenset[str]:
        """Where trained vectors add to or scale the stream here."""
        return self.work.vectors if self.acts else frozenset()

    @property
    def trains_norms(self) -> bool:
        """Whether something in every normalisation layer here trains."""
        biased = "bias" in self.vectors and "norm" in self.wiring.biases
        return self.work.body or "norm" in self.vectors or biased

"""VeRA: low-rank updates from one pair of random matrices, of which every layer trains two vectors.

Paper: arXiv 2310.11454, section 3 (no released code); form of the shared matrices: huggingface/peft@5d602fd,
tuners/vera.

    h = W0 x + L_b B L_d A x      A: (r x in), B: (out x r); L_d and L_b diagonal, of vectors d: (r), b: (out)

A and B are random, frozen and the same for all adapted layers; d and b are each layer's own. b starts at
zero, so the function is unchanged at step 0, and d at 0.1. A and B are Kaiming-uniform (fan in, gain sqrt(2))
as peft draws them: A, then B, in float32 on the CPU from a generator with the seed, of the largest sizes that
a target has. A layer uses the first columns of A and the first rows of B, as many as it has itself. Both are
in the model once, as a child of its body, and never stored: a checkpoint keeps the seed.

Default targets are query and value of every attention, as in the paper's runs on GLUE. Its ranks are 1024 for
RoBERTa-base and 256 for RoBERTa-large; 256, which is peft's default too, is the default here: a larger one
costs few parameters, but 2 (in + out) FLOPs per token, layer and rank. On a fused query/key/value projection
each targeted role has vectors of its own, as if it were a layer; the target ``qkv`` takes the fused matrix as
one. Merging writes W0 + L_b B L_d A.

Learning rate: runs on GLUE that follow the paper have 4e-3 to 1e-2, over 25 epochs and more; 3e-2 is for the
shorter runs here, between them and the best of our own measurement (80 steps of 16 sentences of
rotten_tomatoes, one seed: accuracy 0.56, 0.67, 0.72 and 0.75 on the selection split at 3e-3, 1e-2, 3e-2 and
1e-1). Searched: a decade to either side, which holds both, and the paper's ranks beside a smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.anatomy import Anatomy, Features, Geometry, Linear, Rows, Shape
from methods.core import (
    Card,
    Chain,
    Choice,
    Injection,
    Layers,
    LogUniform,
    Method,
    Options,
    SearchSpace,
    Shared,
    Targets,
    Update,
    UpdatedLinear,
    Work,
    Wrap,
    at,
    by_module,
    part_path,
)
from methods.core.places import Place
from methods.core.precision import beside
from methods.peft.vectors import vera_form

SHARED = "vera"
"""Name of the submodule of the body that holds A and B."""


class VeraOptions(Options):
    """Options of ``vera``."""

    rank: int = Field(256, ge=1, description="inner dimension r of the updates")
    d_initial: float = Field(0.1, gt=0, description="what the entries of d start from")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the input of the low-rank path while training")
    target: Targets = Field(
        ("query", "value"),
        description="linear layers to adapt: query key value output up down gate, or a fused qkv as one",
    )
    seed: int | None = Field(
        None, ge=0, lt=2**63, description="of A and B; none = torch's own seed, in a trial the trial's"
    )
    layers: Layers = None


def drawn(seed: int, rank: int, shapes: Sequence[Shape]) -> tuple[Tensor, Tensor]:
    """The A and B that a seed stands for, for layers of these sizes (out, in): in float32, on the CPU."""
    rows, columns = (max(sizes) for sizes in zip(*shapes, strict=True))
    generator = torch.Generator("cpu").manual_seed(seed)
    place: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    A, B = torch.empty(rank, columns, **place), torch.empty(rows, rank, **place)
    for matrix in (A, B):
        nn.init.kaiming_uniform_(matrix, generator=generator)
    return A, B


class Projections(nn.Module):
    """A and B, which all layers share: frozen, and not in a state dict.

    Args:
        A: (r x in), of the widest input.
        B: (out x r), of the widest output.
    """

    A: Tensor
    B: Tensor

    def __init__(self, A: Tensor, B: Tensor) -> None:  # noqa: N803
        super().__init__()
        self.register_buffer("A", A, persistent=False)
        self.register_buffer("B", B, persistent=False)

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"A={tuple(self.A.shape)}, B={tuple(self.B.shape)}"


class VectorUpdate(Update):
    """One update: of a whole layer, or of some of its output features.

    Args:
        shape: (out, in) of what is updated.
        rows: the output features, None for all.
        options: rank, start, dropout.
        like: the frozen weight, beside which the vectors lie, see ``core/precision.py``.
    """

    def __init__(self, shape: Shape, rows: Rows | None, options: VeraOptions, like: Tensor) -> None:
        super().__init__()
        place = beside(like)
        self.shape = shape
        self.dropout = options.dropout
        self.features = Features(rows, like.device)
        self.vera_d = nn.Parameter(torch.full((options.rank,), options.d_initial, **place))
        self.vera_b = nn.Parameter(torch.zeros(shape[0], **place))

    def matrices(self, shared: Projections) -> tuple[Tensor, Tensor]:
        """The parts of A and B that this update uses, beside its vectors."""
        rows, columns = self.shape
        return shared.A[:, :columns].to(self.vera_d), shared.B[:rows].to(self.vera_d)

    def add_to(self, h: Tensor, x: Tensor, shared: Projections) -> Tensor:
        """h + L_b B L_d A x, on the features."""
        A, B = self.matrices(shared)
        x = F.dropout(x, self.dropout, self.training) if self.dropout else x
        z = F.linear(x.to(A.dtype), A) * self.vera_d  # (..., r)
        return self.features.add(h, F.linear(z, B) * self.vera_b)

    def update(self, shared: Projections) -> Tensor:
        """L_b B L_d A, in at least float32."""
        dtype = torch.promote_types(self.vera_d.dtype, torch.float32)
        A, B = (matrix.to(dtype) for matrix in self.matrices(shared))
        d, b = self.vera_d.detach().to(dtype), self.vera_b.detach().to(dtype)
        return (b[:, None] * B) @ (d[:, None] * A)

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"rank={len(self.vera_d)}, dropout={self.dropout}"


class VeraLinear(UpdatedLinear[VectorUpdate]):
    """A frozen linear layer with paths through the shared matrices beside it.

    Args:
        base: the frozen layer.
        parts: the updates by role.
        shared: A and B.
    """

    def __init__(self, base: Linear, parts: dict[str, VectorUpdate], shared: Projections) -> None:
        super().__init__(base, parts)
        self.shared = (shared,)  # in a tuple, so that it does not become a child

    def add(self, h: Tensor, x: Tensor, part: VectorUpdate) -> Tensor:
        """h + L_b B L_d A x."""
        return part.add_to(h, x, *self.shared)

    def updated(self, rows: Tensor, part: VectorUpdate) -> Tensor:
        """W0 + L_b B L_d A."""
        return rows + part.update(*self.shared)


def work(geometry: Geometry, options: VeraOptions) -> Work:
    """2r (in + out) per token beside every targeted matrix; the matrices are frozen, the vectors are not."""
    r, linears = options.rank, geometry.within(options.layers).linears

    def chains(shape: Shape) -> tuple[Chain, ...]:
        rows, columns = shape
        into = Chain(((r, columns),), trained=False)
        return into, Chain(((rows, r),), trained=False, reads_trained=True)  # d, and b behind it

    return Work(
        beside={role: [chains(s) for s in linears[role]] for role in options.target}, layers=options.layers
    )


class VeRA(Method[VeraOptions]):
    """Vectors that scale updates made of shared random matrices."""

    name = "vera"
    options = VeraOptions
    mergeable = True
    card = Card(
        summary="Trained vectors scale random low-rank updates that all layers share; merges away.",
        source="arXiv 2310.11454; huggingface/peft@5d602fd",
        places=at("random update, scaled", "query", "value"),
        learning_rate=3e-2,
        search_space=SearchSpace(LogUniform(3e-3, 3e-1), {"rank": Choice((64, 256, 1024))}),
        work=work,
        peft=vera_form(VeraOptions, drawn),
    )

    def inject(self, anatomy: Anatomy, options: VeraOptions) -> Injection:
        """Put A and B into the body, and vectors beside every targeted layer."""
        layers = by_module(anatomy.within(options.layers), options.target)
        seed = torch.initial_seed() % 2**63 if options.seed is None else options.seed
        first = layers[0][0].linear()
        shapes = [part.shape() for _, roles in layers for part in roles.values()]
        matrices = (matrix.to(**beside(first.weight)) for matrix in drawn(seed, options.rank, shapes))
        shared = Projections(*matrices)
        injection = Injection(options.model_copy(update={"seed": seed}))
        injection.changes.append(Shared(anatomy.body, SHARED, shared, Place(first, "weight")))
        for site, roles in layers:
            base = site.linear()
            parts = {r: VectorUpdate(s.shape(), s.rows, options, base.weight) for r, s in roles.items()}
            injection.changes.append(Wrap(site, VeraLinear(base, parts, shared)))
            for role, part in parts.items():
                path = part_path(roles[role], role)
                injection.trained |= {f"{path}.vera_d": part.vera_d, f"{path}.vera_b": part.vera_b}
        return injection

    def count(self, geometry: Geometry, options: VeraOptions) -> dict[str, int]:
        """The sum over targeted matrices of r + out: 2 L (r + d) for query and value of width d."""
        linears = geometry.within(options.layers).linears
        shapes = [shape for role in options.target for shape in linears[role]]
        return {"d": options.rank * len(shapes), "b": sum(rows for rows, _ in shapes)}

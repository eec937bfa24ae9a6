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

from typing import TYPE_CHECKING

from pydantic import Field

from methods.anatomy import Geometry, Shape
from methods.core import (
    Card,
    Chain,
    Choice,
    Form,
    Layers,
    LogUniform,
    Method,
    Options,
    SearchSpace,
    Targets,
    Work,
    at,
)

if TYPE_CHECKING:
    from methods.anatomy import Anatomy
    from methods.core import Injection


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


def form() -> Form:
    """How its checkpoints look in peft."""
    from methods.modules.vera import drawn
    from methods.peft.vectors import vera_form

    return vera_form(VeraOptions, drawn)


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
        peft=form,
    )

    def inject(self, anatomy: Anatomy, options: VeraOptions) -> Injection:
        """Put A and B into the body, and vectors beside every targeted layer."""
        import torch

        from methods.core import Injection, Shared, Wrap, by_module, part_path
        from methods.core.places import Place
        from methods.core.precision import beside
        from methods.modules.vera import SHARED, Projections, VectorUpdate, VeraLinear, drawn

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
            parts = {
                role: VectorUpdate(
                    part.shape(),
                    part.rows,
                    base.weight,
                    rank=options.rank,
                    d_initial=options.d_initial,
                    dropout=options.dropout,
                )
                for role, part in roles.items()
            }
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

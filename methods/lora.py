"""LoRA: low-rank updates beside frozen linear layers.

Paper: arXiv 2106.09685, section 4.1; code: microsoft/LoRA@c4593f0, loralib/layers.py.

    h = W0 x + (alpha / r) B A x          A: (r x in), B: (out x r)

B starts at zero, so the function is unchanged at step 0. A starts Kaiming-uniform with a = sqrt(5), that
is U(-1/sqrt(in), 1/sqrt(in)), as the released code has it (the paper says Gaussian; ``init="gaussian"`` is
N(0, 1/r^2), as peft has it). Dropout acts on x
on the low-rank path only. W0 and its bias are frozen. Default targets are query and value of every
attention, as in all of the paper's GLUE runs; alpha 16 is that of every script (the paper's table prints
8 for the base model, microsoft/LoRA#37). Merging writes W0 + (alpha / r) B A and leaves the base's own
module in place.

On a fused query/key/value projection each targeted role has factors of its own and the features of the
others are left alone bit by bit, as in the released code's merged layer. The target ``qkv`` adapts the
fused matrix as one, with one A for all three: what peft does by default, with the same count, and another
method. ``rank_stabilized`` divides by sqrt(r) instead of r (rsLoRA, arXiv 2312.03732, equation 3).

``init="pissa"`` (PiSSA, arXiv 2404.02948, section 3; code: huggingface/peft@5d602fd, tuners/lora/layer.py)
starts both factors from the r largest singular values of W0 = U S V^T, and freezes what they leave of it.
With s = alpha / r:

    B = U_r (S_r / s)^(1/2)        A = (S_r / s)^(1/2) V_r^T        h = (W0 - s B0 A0) x + s B A x

The function at step 0 is that of the base but for rounding. The decomposition is in at least float32, and of
the targeted slice where a projection is fused; the residual is rounded once to the weight's dtype. W0 is kept
in host memory, so that removing gives it back bit by bit. A checkpoint keeps the update of W0 itself,
s (B A - B0 A0) as factors of rank 2r, which loads onto the untouched base without a decomposition, and trains
on from there as a plain LoRA of that rank. On a base in half precision the two differ by the rounding of the
residual.

``b_rate`` is LoRA+ (arXiv 2402.12354): B trains at a multiple of A's learning rate, about 16 in the paper.
The task head has the rate of A; peft's helper (optimizers/loraplus.py) gives B's rate to every vector that
trains too, such as the head's biases and DoRA's lengths.

Searched: rates of 2e-4 to 3e-2, from the scripts' 2e-4 to 5e-4 to what a pilot of short runs found best
(docs/protocol.md), and ranks around the 8 of the paper's GLUE runs. Alpha stays what it is, as in the paper
(section 4.1).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from methods.anatomy import Geometry
from methods.core import (
    LATER,
    LOW_RANK,
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
    from torch import Tensor

    from methods.anatomy import Anatomy
    from methods.core import Injection


class LoraOptions(Options):
    """Options of ``lora``."""

    rank: int = Field(8, ge=1, description="inner dimension r of the update")
    alpha: float = Field(16.0, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the input of the low-rank path while training")
    target: Targets = Field(
        ("query", "value"),
        description="linear layers to adapt: query key value output up down gate, or a fused qkv as one",
    )
    rank_stabilized: bool = Field(False, description="scale by alpha / sqrt(rank): rsLoRA")
    init: Literal["kaiming", "gaussian", "pissa"] = Field(
        "kaiming",
        description="how A starts, with B at zero; pissa: both, from the weight's singular vectors",
        json_schema_extra=LATER,
    )
    layers: Layers = None
    b_rate: float = Field(
        1.0,
        gt=0,
        description="learning rate of B relative to A's: LoRA+, where 16 is usual",
        json_schema_extra=LATER,
    )

    @property
    def scaling(self) -> float:
        """The factor of the update."""
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilized else self.rank)


def work(geometry: Geometry, options: LoraOptions) -> Work:
    """2r (in + out) per token beside every targeted matrix."""
    r, linears = options.rank, geometry.within(options.layers).linears
    return Work(
        beside={
            role: [(Chain(((r, columns), (rows, r))),) for rows, columns in linears[role]]
            for role in options.target
        },
        layers=options.layers,
    )


def form() -> Form:
    """How its checkpoints look in peft."""
    from methods.peft.layers import low_rank_form

    return low_rank_form(LoraOptions)


class LoRA(Method[LoraOptions]):
    """Low-rank updates of linear layers."""

    name = "lora"
    options = LoraOptions
    mergeable = True
    served = LOW_RANK
    card = Card(
        summary="Low-rank updates beside frozen linear layers; merges away.",
        source="arXiv 2106.09685; microsoft/LoRA@c4593f0",
        places=at("low-rank update", "query", "value"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(2e-4, 3e-2), {"rank": Choice((4, 8, 16))}),
        work=work,
        peft=form,
    )

    def inject(self, anatomy: Anatomy, options: LoraOptions) -> Injection:
        """Put low-rank paths beside every targeted layer."""
        from methods.core import Injection, Wrap, by_module, part_path
        from methods.core.places import every_place
        from methods.modules.lora import LoRALinear, LowRank, principal_part

        injection, splits = Injection(options), options.init == "pissa"
        held = every_place(anatomy.model.modules()) if splits else {}
        for site, roles in by_module(anatomy.within(options.layers), options.target):
            base = site.linear()
            parts = {
                role: LowRank(
                    part.shape(),
                    part.rows,
                    base.weight,
                    rank=options.rank,
                    scaling=options.scaling,
                    dropout=options.dropout,
                    init=options.init,
                )
                for role, part in roles.items()
            }
            if splits:
                shared = len(held.get(id(base.weight), ())) > 1
                injection.changes.append(principal_part(site, parts, shared))
            injection.changes.append(Wrap(site, LoRALinear(base, parts)))
            for role, part in parts.items():
                path = part_path(roles[role], role)
                injection.trained |= {f"{path}.lora_A": part.lora_A, f"{path}.lora_B": part.lora_B}
                injection.rates[f"{path}.lora_B"] = options.b_rate
        return injection

    def count(self, geometry: Geometry, options: LoraOptions) -> dict[str, int]:
        """The sum over targeted matrices of r (in + out): 4 L d r for query and value of width d."""
        linears = geometry.within(options.layers).linears
        shapes = [shape for role in options.target for shape in linears[role]]
        return {"updates": sum(options.rank * (rows + columns) for rows, columns in shapes)}

    def count_stored(self, geometry: Geometry, options: LoraOptions) -> int:
        """The factors; of PiSSA of twice the rank."""
        return sum(self.count(geometry, options).values()) * (2 if options.init == "pissa" else 1)

    def fits(self, geometry: Geometry, options: LoraOptions) -> bool:
        """Whether the targeted matrices have as many singular values, where these are asked for."""
        linears = geometry.within(options.layers).linears
        shapes = [shape for role in options.target for shape in linears[role]]
        return options.init != "pissa" or all(options.rank <= min(shape) for shape in shapes)

    def stored(self, injection: Injection) -> tuple[Options, dict[str, Tensor]]:
        """The factors; of PiSSA the update of W0 itself, B A - B0 A0, of twice the rank."""
        options, own = injection.options, {n: p.detach() for n, p in injection.live.items()}
        if not isinstance(options, LoraOptions) or options.init != "pissa":
            return options, own
        from methods.modules.lora import update_of_the_base

        rank = 2 * options.rank
        changed = {"rank": rank, "alpha": options.scaling * rank, "rank_stabilized": False, "init": "kaiming"}
        return options.model_copy(update=changed), update_of_the_base(injection, own)

"""DoRA: a low-rank update of the direction of each weight row, and a trained length.

Paper: arXiv 2402.09353, equations 5 and 11; code: NVlabs/DoRA and huggingface/peft@5d602fd,
tuners/lora/dora.py.

    W' = m * V / ||V||        V = W0 + (alpha / r) B A        m: (out), ||.|| over each row of (out x in)

(The paper writes weights as (in x out) and calls the rows columns.) m starts as ||W0||, so that with B = 0
the function is unchanged at step 0, bit by bit. The norm is a constant for the gradient (section 4.3).
Factors, scaling, targets, fused projections and the rate of B are those of ``lora``; lengths have the rate of
A. Merging writes W'. Searched: what
``lora`` searches.
"""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.anatomy import Anatomy, Geometry, Linear, Rows, Shape, WrappedLinear, oriented
from methods.core import (
    LATER,
    Card,
    Chain,
    Choice,
    Injection,
    LogUniform,
    Method,
    SearchSpace,
    Work,
    Wrap,
    at,
    by_module,
    part_path,
)
from methods.lora import LoraOptions, LowRank
from methods.peft.layers import low_rank_form


class DoraOptions(LoraOptions):
    """Options of ``dora``: those of ``lora``, which starts at the base here."""

    init: Literal["kaiming", "gaussian"] = Field(
        "kaiming",
        description="how A starts, with B at zero",
        json_schema_extra=LATER,
    )


class Direction(LowRank):
    """The factors of one update and the length of each of its rows."""

    def __init__(self, base: Linear, shape: Shape, rows: Rows | None, options: DoraOptions) -> None:
        super().__init__(shape, rows, options, base.weight)
        self.magnitude = nn.Parameter(self.norm(base).to(self.lora_A.dtype))

    def frozen(self, base: Linear) -> Tensor:
        """The rows of W0 that are updated, (out x in)."""
        return self.features.of(oriented(base, base.weight.detach()))

    def norm(self, base: Linear) -> Tensor:
        """||V|| of each row, without a gradient, in at least float32; never 0, so that 0 / ||V|| is 0."""
        norm = (self.frozen(base) + self.update()).norm(dim=1)
        return norm.clamp_min(torch.finfo(norm.dtype).tiny)

    def add_to_base(self, h: Tensor, x: Tensor, base: Linear) -> Tensor:
        """h with its rows turned and stretched."""
        x = self.dropped(x)
        scale = self.magnitude / self.norm(base)
        straight = F.linear(x, self.frozen(base))
        turned = F.linear(F.linear(x.to(self.lora_A.dtype), self.lora_A), self.lora_B)
        return self.features.add(h, (scale - 1) * straight + (self.scaling * scale) * turned)


class DoRALinear(WrappedLinear):
    """A frozen linear layer whose weight's rows are turned and stretched.

    Args:
        base: the frozen layer.
        parts: the updates by role; one for all output features, or one for each adapted slice.
    """

    def __init__(self, base: Linear, parts: dict[str, Direction]) -> None:
        super().__init__(base)
        self.parts = nn.ModuleDict(parts)

    def forward(self, x: Tensor) -> Tensor:
        """W' x + b."""
        h = self.base(x)
        for part in self.parts.values():
            h = cast(Direction, part).add_to_base(h, x, self.base)
        return h

    def folded(self) -> dict[str, Tensor]:
        """W', in at least float32."""
        stored = self.base.weight.detach()
        weight = stored.to(torch.promote_types(stored.dtype, torch.float32), copy=True)
        matrix = oriented(self.base, weight)  # a view: (out x in)
        for module in self.parts.values():
            part = cast(Direction, module)
            scale = (part.magnitude.detach() / part.norm(self.base)).to(weight.dtype)
            turned = scale[:, None] * (part.frozen(self.base).to(weight.dtype) + part.update())
            part.features.write(matrix, turned)
        return {"weight": weight}


def work(geometry: Geometry, options: DoraOptions) -> Work:
    """2r (in + out) + 2 in out per token beside every targeted matrix, and 2r in out once for B A."""
    r, linears = options.rank, geometry.within(options.layers).linears

    def beside(rows: int, columns: int) -> tuple[Chain, ...]:
        straight = Chain(((rows, columns),), trained=False)
        update = Chain(((columns, r),), trained=False, rows=rows)
        return straight, Chain(((r, columns), (rows, r))), update

    return Work(
        beside={role: [beside(*shape) for shape in linears[role]] for role in options.target},
        layers=options.layers,
    )


class DoRA(Method[DoraOptions]):
    """Low-rank updates of directions, and trained lengths."""

    name = "dora"
    options = DoraOptions
    mergeable = True
    card = Card(
        summary="LoRA on the direction of each weight row, with its length trained apart; merges away.",
        source="arXiv 2402.09353; huggingface/peft@5d602fd",
        places=at("low-rank update and length", "query", "value"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"rank": Choice((4, 8, 16))}),
        work=work,
        peft=low_rank_form(DoraOptions, dora=True),
    )

    def inject(self, anatomy: Anatomy, options: DoraOptions) -> Injection:
        """Put a direction and a length beside every targeted layer."""
        injection = Injection(options)
        for site, roles in by_module(anatomy.within(options.layers), options.target):
            base = site.linear()
            parts = {role: Direction(base, s.shape(), s.rows, options) for role, s in roles.items()}
            injection.changes.append(Wrap(site, DoRALinear(base, parts)))
            for role, part in parts.items():
                path = part_path(roles[role], role)
                injection.trained |= {f"{path}.{n}": p for n, p in part.named_parameters()}
                injection.rates[f"{path}.lora_B"] = options.b_rate
        return injection

    def count(self, geometry: Geometry, options: DoraOptions) -> dict[str, int]:
        """r (in + out) for the factors and out for the lengths of every targeted matrix."""
        linears = geometry.within(options.layers).linears
        shapes = [shape for role in options.target for shape in linears[role]]
        return {
            "updates": sum(options.rank * (rows + columns) for rows, columns in shapes),
            "magnitudes": sum(rows for rows, _ in shapes),
        }

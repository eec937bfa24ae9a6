"""LoRA: low-rank updates beside frozen linear layers.

Paper: arXiv 2106.09685, section 4.1; code: microsoft/LoRA@c4593f0, loralib/layers.py.

    h = W0 x + (alpha / r) B A x          A: (r x in), B: (out x r)

B starts at zero, so the function is unchanged at step 0. A starts Kaiming-uniform with a = sqrt(5), that
is U(-1/sqrt(in), 1/sqrt(in)), as the released code has it (the paper says Gaussian). Dropout acts on x
on the low-rank path only. W0 and its bias are frozen. Default targets are query and value of every
attention, as in all of the paper's GLUE runs; alpha 16 is that of every script (the paper's table prints
8 for the base model, microsoft/LoRA#37). Merging writes W0 + (alpha / r) B A and leaves the base's own
module in place.

On a fused query/key/value projection each targeted role has factors of its own and the features of the
others are left alone bit by bit, as in the released code's merged layer. The target ``qkv`` adapts the
fused matrix as one, with one A for all three: what peft does by default, with the same count, and another
method. ``rank_stabilized`` divides by sqrt(r) instead of r (rsLoRA, arXiv 2312.03732, equation 3).

Searched: rates of 1e-4 to 1e-2, which hold the scripts' 2e-4 to 5e-4, and ranks around the 8 of the paper's
GLUE runs. Alpha stays what it is, as in the paper (section 4.1).
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from methods.anatomy import Anatomy, Features, Geometry, Linear, Rows, Shape, WrappedLinear, oriented
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
    Targets,
    Work,
    Wrap,
    at,
    by_module,
    part_path,
)
from methods.core.precision import beside
from methods.peft.layers import low_rank_form


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
    layers: Layers = None

    @property
    def scaling(self) -> float:
        """The factor of the update."""
        return self.alpha / (math.sqrt(self.rank) if self.rank_stabilized else self.rank)


class LowRank(nn.Module):
    """The factors of one update: B A of a whole layer, or of some of its output features.

    Args:
        shape: (out, in) of what is updated.
        rows: the output features, None for all.
        options: rank, scaling, dropout.
        like: the frozen weight, beside which the factors lie, see ``core/precision.py``.
    """

    def __init__(self, shape: Shape, rows: Rows | None, options: LoraOptions, like: Tensor) -> None:
        super().__init__()
        place = beside(like)
        out_features, in_features = shape
        self.scaling = options.scaling
        self.dropout = options.dropout
        self.features = Features(rows, like.device)
        self.lora_A = nn.Parameter(torch.empty(options.rank, in_features, **place))
        self.lora_B = nn.Parameter(torch.zeros(out_features, options.rank, **place))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def dropped(self, x: Tensor) -> Tensor:
        """The input of the low-rank path."""
        return F.dropout(x, self.dropout, self.training) if self.dropout else x

    def add_to(self, h: Tensor, x: Tensor) -> Tensor:
        """h + (alpha / r) B A x, on the features."""
        z = F.linear(self.dropped(x).to(self.lora_A.dtype), self.lora_A)  # (..., r)
        if h.dtype != z.dtype:  # a base in half precision: the update is rounded once, with the sum
            whole = F.linear(z, self.lora_B)
            return self.features.add(h, whole, self.scaling)
        if self.features.all:
            # One kernel for scale, product and sum: on short inputs each extra one costs per cent.
            flat = torch.addmm(h.flatten(0, -2), z.flatten(0, -2), self.lora_B.t(), alpha=self.scaling)
            return flat.view_as(h)
        return self.features.add(h, F.linear(z, self.lora_B), self.scaling)

    def update(self) -> Tensor:
        """(alpha / r) B A, in at least float32."""
        dtype = torch.promote_types(self.lora_A.dtype, torch.float32)
        return self.scaling * (self.lora_B.detach().to(dtype) @ self.lora_A.detach().to(dtype))

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"rank={self.lora_A.shape[0]}, scaling={self.scaling}, dropout={self.dropout}"


class LoRALinear(WrappedLinear):
    """A frozen linear layer with low-rank paths beside it.

    Args:
        base: the frozen layer.
        parts: the updates by role; one for all output features, or one for each adapted slice.
    """

    def __init__(self, base: Linear, parts: dict[str, LowRank]) -> None:
        super().__init__(base)
        self.parts = nn.ModuleDict(parts)

    def forward(self, x: Tensor) -> Tensor:
        """W0 x + b + (alpha / r) B A x."""
        h = self.base(x)
        for part in self.parts.values():
            h = cast(LowRank, part).add_to(h, x)
        return h

    def folded(self) -> dict[str, Tensor]:
        """W0 + (alpha / r) B A, in at least float32."""
        stored = self.base.weight.detach()
        weight = stored.to(torch.promote_types(stored.dtype, torch.float32), copy=True)
        matrix = oriented(self.base, weight)  # a view: (out x in)
        for module in self.parts.values():
            part = cast(LowRank, module)
            part.features.write(matrix, part.features.of(matrix) + part.update())
        return {"weight": weight}


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


class LoRA(Method[LoraOptions]):
    """Low-rank updates of linear layers."""

    name = "lora"
    options = LoraOptions
    mergeable = True
    card = Card(
        summary="Low-rank updates beside frozen linear layers; merges away.",
        source="arXiv 2106.09685; microsoft/LoRA@c4593f0",
        places=at("low-rank update", "query", "value"),
        learning_rate=1e-3,
        search_space=SearchSpace(LogUniform(1e-4, 1e-2), {"rank": Choice((4, 8, 16))}),
        work=work,
        peft=low_rank_form(LoraOptions),
    )

    def inject(self, anatomy: Anatomy, options: LoraOptions) -> Injection:
        """Put low-rank paths beside every targeted layer."""
        injection = Injection(options)
        for site, roles in by_module(anatomy.within(options.layers), options.target):
            base = site.linear()
            parts = {r: LowRank(s.shape(), s.rows, options, base.weight) for r, s in roles.items()}
            injection.changes.append(Wrap(site, LoRALinear(base, parts)))
            for role, part in parts.items():
                path = part_path(roles[role], role)
                injection.trained |= {f"{path}.lora_A": part.lora_A, f"{path}.lora_B": part.lora_B}
        return injection

    def count(self, geometry: Geometry, options: LoraOptions) -> dict[str, int]:
        """The sum over targeted matrices of r (in + out): 4 L d r for query and value of width d."""
        linears = geometry.within(options.layers).linears
        shapes = [shape for role in options.target for shape in linears[role]]
        return {"updates": sum(options.rank * (rows + columns) for rows, columns in shapes)}

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

from methods.anatomy import Anatomy, Geometry, Linear, Rows, Shape, frozen
from methods.anatomy.quantised import is_packed
from methods.core import (
    LATER,
    Card,
    Chain,
    Choice,
    Injection,
    LogUniform,
    Method,
    SearchSpace,
    UpdatedLinear,
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
        self.magnitude = nn.Parameter(self.lengths(self.turned(base)).to(self.lora_A.dtype))

    def turned(self, base: Linear) -> Tensor:
        """V = W0 + (alpha / r) B A, (out x in), without a gradient, in at least float32."""
        rows, A, B = self.features.of(frozen(base)), self.lora_A.detach(), self.lora_B.detach()
        dtype = torch.promote_types(torch.promote_types(rows.dtype, A.dtype), torch.float32)
        return torch.addmm(rows.to(dtype), B.to(dtype), A.to(dtype), alpha=self.scaling)

    @staticmethod
    def lengths(turned: Tensor) -> Tensor:
        """||V|| of each row; never 0, so that 0 / ||V|| is 0."""
        return torch.linalg.vector_norm(turned, dim=1).clamp_min_(torch.finfo(turned.dtype).tiny)

    def whole(self, base: Linear) -> Tensor:
        """W' = m V / ||V||, (out x in), without a gradient, in at least float32."""
        turned = self.turned(base)
        return turned.mul_((self.magnitude.detach() / self.lengths(turned))[:, None])

    def add_to_base(self, h: Tensor, x: Tensor, base: Linear) -> Tensor:
        """h + U + (s - 1) (W0 x + U), with U = (alpha / r) B A x and s = m / ||V||, on the rows.

        W0 is not multiplied by again, and where s is 1 and B is 0 the base's own h comes through bit by bit.
        """
        straight = h
        if self.dropout and self.training:
            x = self.dropped(x)
            straight = base(x)
        straight = self.features.of_last(straight).to(torch.promote_types(h.dtype, self.lora_A.dtype))
        if base.bias is not None:
            straight = straight - self.features.of(base.bias)
        update = F.linear(F.linear(x.to(self.lora_A.dtype), self.lora_A), self.scaling * self.lora_B)
        stretch = self.magnitude / self.lengths(self.turned(base)) - 1
        return self.features.add(h, torch.addcmul(update, stretch, straight + update))


class DoRALinear(UpdatedLinear[Direction]):
    """A frozen linear layer whose weight's rows are turned and stretched."""

    def forward(self, x: Tensor) -> Tensor:
        """W' x + b."""
        if not torch.is_grad_enabled() and (whole := self._one_matrix()) is not None:
            # W' takes five kernels, and then it is the base's own product.
            return F.linear(x, whole.whole(self.base), self.base.bias)
        return super().forward(x)

    def add(self, h: Tensor, x: Tensor, part: Direction) -> Tensor:
        """h with its rows turned and stretched."""
        return part.add_to_base(h, x, self.base)

    def updated(self, rows: Tensor, part: Direction) -> Tensor:
        """W'."""
        return part.whole(self.base)

    def _one_matrix(self) -> Direction | None:
        """The update, where ``base`` is one product in its dtype, in which W' may stand for W0."""
        base, (part, *others) = self.base, self.parts.values()
        direction, weight = cast(Direction, part), base.weight
        dtype = weight.dtype
        if others or type(base) is not nn.Linear or dtype != direction.lora_A.dtype or dtype.itemsize < 4:
            return None
        if (direction.dropout and direction.training) or not direction.features.all or is_packed(base):
            return None
        return None if base._forward_hooks or base._forward_pre_hooks else direction


def work(geometry: Geometry, options: DoraOptions) -> Work:
    """2r (in + out) per token beside every targeted matrix, and 2r in out once for B A.

    Without gradients the first is saved: one multiplies by W' itself.
    """
    r, linears = options.rank, geometry.within(options.layers).linears

    def beside(rows: int, columns: int) -> tuple[Chain, ...]:
        return Chain(((r, columns), (rows, r))), Chain(((columns, r),), trained=False, rows=rows)

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

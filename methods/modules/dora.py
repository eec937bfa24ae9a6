"""Low-rank updates of directions, and trained lengths; the equations are in ``methods/dora.py``."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.anatomy import Linear, Rows, Shape, frozen
from methods.anatomy.quantised import is_packed
from methods.core import UpdatedLinear
from methods.modules.lora import LowRank


class Direction(LowRank):
    """The factors of one update and the length of each of its rows."""

    def __init__(self, base: Linear, shape: Shape, rows: Rows | None, **settings: Any) -> None:
        super().__init__(shape, rows, base.weight, **settings)
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

"""The bottleneck that the serial adapters share: W_up f(W_down u + b) + b', without skip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.core.precision import beside


class Bottleneck(nn.Module):
    """Project d -> m, apply a non-linearity, project m -> d.

    Args:
        width: d.
        bottleneck: m.
        activation: the non-linearity.
        initialise: fills a weight in place; biases start at zero.
        like: a weight of the layer it follows, beside which the parameters lie, see ``precision.py``.

    Shapes: input (..., d), output (..., d).
    """

    def __init__(
        self,
        width: int,
        bottleneck: int,
        activation: Callable[[Tensor], Tensor],
        initialise: Callable[[Tensor], Any],
        like: Tensor,
    ) -> None:
        super().__init__()
        place = beside(like)
        self.activation = activation
        self.down = nn.Parameter(torch.empty(bottleneck, width, **place))
        self.down_bias = nn.Parameter(torch.zeros(bottleneck, **place))
        self.up = nn.Parameter(torch.empty(width, bottleneck, **place))
        self.up_bias = nn.Parameter(torch.zeros(width, **place))
        initialise(self.down)
        initialise(self.up)

    def forward(self, u: Tensor) -> Tensor:
        """W_up f(W_down u + b) + b', in the dtype of u."""
        return self.unrounded(u).to(u.dtype)

    def unrounded(self, u: Tensor) -> Tensor:
        """The same in the dtype of the parameters, for who adds it to something before it is rounded."""
        z = self.activation(F.linear(u.to(self.down.dtype), self.down, self.down_bias))  # (..., m)
        return F.linear(z, self.up, self.up_bias)

"""Adapters behind a block; the equations are in ``methods/lin.py``."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from methods.core import Bottleneck, Following


def bottleneck(width: int, inner: int, like: Tensor) -> Bottleneck:
    """W_up ReLU(W_down u + b) + b', its weights from N(0, 0.02)."""
    return Bottleneck(width, inner, F.relu, partial(nn.init.normal_, std=0.02), like)


class LinAdapter(Following):
    """LayerNorm, bottleneck and skip behind a block."""

    def __init__(self, adapter: Bottleneck, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-5, device=adapter.down.device, dtype=adapter.down.dtype)
        self.adapter = adapter

    def forward(self, x: Tensor) -> Tensor:
        """(..., d) -> (..., d)."""
        return x + self.adapter(self.norm(x.to(self.norm.weight.dtype))).to(x.dtype)

"""Adapters around the norm that ends a block; the equations are in ``methods/pfeiffer.py``."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from methods.core import Bottleneck, Following


def bottleneck(width: int, inner: int, like: Tensor) -> Bottleneck:
    """W_up ReLU(W_down u + b) + b', its weights from N(0, 0.02)."""
    return Bottleneck(width, inner, F.relu, partial(nn.init.normal_, std=0.02), like)


class PfeifferAdapter(nn.Module):
    """The block's frozen LayerNorm, used before and after the adapter."""

    def __init__(self, inner: nn.Module, adapter: Bottleneck) -> None:
        super().__init__()
        self.inner = inner
        self.adapter = adapter

    def forward(self, s: Tensor) -> Tensor:
        """s = o + x, (..., d) -> (..., d)."""
        return self.inner(s + self.adapter(self.inner(s)))


class PreNormPfeifferAdapter(Following):
    """The same at the end of a block without a LayerNorm there."""

    def __init__(self, adapter: Bottleneck) -> None:
        super().__init__()
        self.adapter = adapter

    def forward(self, s: Tensor) -> Tensor:
        """s = o + x, (..., d) -> (..., d)."""
        return s + self.adapter(s)

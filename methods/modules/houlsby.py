"""Adapters behind a sub-layer; the equations are in ``methods/houlsby.py``."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

from methods.core import Bottleneck


def bottleneck(width: int, inner: int, std: float, like: Tensor) -> Bottleneck:
    """W_up GELU(W_down u + b) + b', its weights from a normal distribution cut at two standard deviations."""
    initialise = partial(nn.init.trunc_normal_, std=std, a=-2 * std, b=2 * std)
    return Bottleneck(width, inner, partial(F.gelu, approximate="tanh"), initialise, like)


class HoulsbyAdapter(nn.Module):
    """A sub-layer's output module followed by an adapter with its own skip."""

    def __init__(self, inner: nn.Module, adapter: Bottleneck) -> None:
        super().__init__()
        self.inner = inner
        self.adapter = adapter

    def forward(self, x: Tensor) -> Tensor:
        """(..., d) -> (..., d)."""
        u = self.inner(x)
        return u + self.adapter(u)

"""Adapters beside a feed-forward; the equations are in ``methods/parallel.py``."""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from methods.core import Bottleneck
from methods.errors import MethodError

NOTHING: tuple[None, None] = (None, None)


class _Running(threading.local):
    """What the feed-forward that runs in a thread has read, and the adapter that stands beside it."""

    read: tuple[nn.Module, Tensor] | tuple[None, None] = NOTHING


_running = _Running()


class ParallelAdapter(nn.Module):
    """An adapter beside a feed-forward, whose input it is told by one hook and whose output by another.

    Args:
        adapter: the bottleneck.
        scale: s.
    """

    def __init__(self, adapter: Bottleneck, scale: float) -> None:
        super().__init__()
        self.adapter = adapter
        self.scale = scale

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """h + s (W_up ReLU(W_down x + b) + b'), rounded once; all (..., d)."""
        return h.add(self.adapter.unrounded(x), alpha=self.scale).to(h.dtype)

    def note(self, first: nn.Module, args: tuple[Any, ...]) -> None:
        """Note what the feed-forward reads; a forward pre-hook of its first layer."""
        _running.read = (self, args[0])

    def add(self, last: nn.Module, args: Any, h: Tensor) -> Tensor:
        """Add to what it returns; a forward hook of its last module.

        Raises:
            MethodError: it has read nothing before, or something of another shape.
        """
        reader, x = _running.read
        _running.read = NOTHING
        if reader is not self or x is None or x.shape != h.shape:
            read = f"a tensor of {tuple(x.shape)}" if reader is self and x is not None else "nothing"
            raise MethodError(
                f"parallel has read {read} where a feed-forward returned {tuple(h.shape)}, expected the same "
                "shape of its input: the feed-forward of this model runs in another way."
            )
        return self(x, h)

    def forget(self, block: nn.Module, args: Any, output: Any) -> None:
        """Keep nothing of a pass; a forward hook of the block that is also called after an error."""
        _running.read = NOTHING

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"scale={self.scale}"


def bottleneck(width: int, inner: int, like: Tensor) -> Bottleneck:
    """W_up ReLU(W_down x + b) + b', W_up from zero."""
    made = Bottleneck(width, inner, F.relu, partial(nn.init.kaiming_uniform_, a=math.sqrt(5)), like)
    nn.init.zeros_(made.up)
    return made

"""In which precision a method's own tensors train.

In at least float32, as the PEFT library has it: at a learning rate of 1e-3 an Adam step on a number near 1
is less than half of what bfloat16 can tell apart there, and float16 overflows. What a layer returns keeps the
dtype that the frozen layer returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_asked: ContextVar[torch.dtype | None] = ContextVar("dtype of new tensors", default=None)


@contextmanager
def training_in(dtype: torch.dtype | None) -> Iterator[None]:
    """Make new tensors in a dtype of one's own; None leaves the rule."""
    token = _asked.set(dtype)
    try:
        yield
    finally:
        _asked.reset(token)


def beside(frozen: Tensor) -> dict[str, Any]:
    """Device and dtype of a new tensor that serves a frozen one: at least float32, however it is stored."""
    dtype = frozen.dtype if frozen.dtype.is_floating_point and frozen.dtype.itemsize >= 4 else torch.float32
    return {"device": frozen.device, "dtype": _asked.get() or dtype}

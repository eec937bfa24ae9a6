"""Frozen parameters in a wider dtype while a method is in the model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from methods.core.change import Change


class Widened(Change):
    """Parameters that do not train are held in float32 beside ones that do; taken back, they are as before.

    Args:
        parameters: of a narrower dtype, from which every value is exact in float32.
    """

    computes = False

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._before = [(parameter, parameter.dtype) for parameter in parameters]
        self.redo()

    def undo(self) -> None:
        """Give each its dtype back, and with it the very bits."""
        for parameter, dtype in self._before:
            parameter.data = parameter.data.to(dtype)

    def redo(self) -> None:
        """Widen them."""
        for parameter, _ in self._before:
            parameter.data = parameter.data.to(torch.float32)

"""Dropout on a CPU with random numbers of 16 bits: torch draws a longer one for each value, and slowly.

The numbers come from torch's global generator, so that seeds and snapshots hold, four from each draw. The
rate is rounded to 1 / 65,536, and what is kept is scaled by the inverse of exactly the share that is kept, so
that the mean stays. On other devices torch's own dropout is used.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

VALUES: Final = 1 << 16
"""Of a number of 16 bits."""
IN_A_DRAW: Final = 4
"""Of them in one of 64 bits."""


class Dropout(nn.Dropout):
    """torch's dropout with cheaper random numbers."""

    def forward(self, input: Tensor) -> Tensor:
        """A tensor of the same shape; in training a share of its values is zero and the rest scaled up."""
        dropped = round(self.p * VALUES)
        cheap = self.training and not self.inplace and input.device.type == "cpu"
        if not cheap or not 0 < dropped < VALUES:
            return super().forward(input)
        draws = torch.empty(-(-input.numel() // IN_A_DRAW), dtype=torch.int64).random_(-(1 << 63), None)
        numbers = draws.view(torch.int16)[: input.numel()].view(input.shape)
        kept = numbers.ge(dropped - VALUES // 2).to(input.dtype)
        return input * kept.mul_(VALUES / (VALUES - dropped))


def draw_cheaply(model: nn.Module) -> None:
    """Let every dropout of a model that is torch's own draw so, from now on."""
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = Dropout

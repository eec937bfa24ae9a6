"""Bottlenecks of another task in every row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from methods.bank.rows import Rows
from methods.bank.rowwise import Computed
from methods.core import Bottleneck, Options
from methods.modules.parallel import ParallelAdapter


class Bottlenecks(Computed):
    """W_up f(W_down u + b) + b' with the matrices and biases of each row's task."""

    module: Bottleneck
    function = "unrounded"

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """(..., d) -> (..., d), in the dtype of the parameters."""
        (u,) = inputs
        down, up, down_bias, up_bias = (
            self.tensor(rows, name) for name in ("down", "up", "down_bias", "up_bias")
        )
        x = self.split(rows, u).to(down.dtype)
        z = self.module.activation(torch.baddbmm(down_bias[:, None], x, down.transpose(1, 2)))
        return torch.baddbmm(up_bias[:, None], z, up.transpose(1, 2)).view(u.shape)


class Parallels(Computed):
    """h + s times the bottleneck, with the s of each row's task; see ``methods/parallel.py``."""

    module: ParallelAdapter

    def alone(self, options: Options) -> None:
        """Scale as the one task does."""
        self.module.scale = options.scale  # type: ignore[attr-defined]

    def run(self, rows: Rows, *inputs: Any) -> Tensor:
        """All (..., d)."""
        x, h = inputs
        change = self.split(rows, self.module.adapter.unrounded(x))
        scale = rows.factor(change)
        return (self.split(rows, h) + change * scale).to(h.dtype).view_as(h)

"""One step of training: the optimiser that every method has, and what it does with a batch."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn


def optimizer(
    trained: dict[str, nn.Parameter], learning_rate: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW; matrices decay, biases and normalisation weights (one dimension) do not."""
    decays = [p for p in trained.values() if p.ndim > 1]
    fixed = [p for p in trained.values() if p.ndim <= 1]
    groups = [
        {"params": decays, "weight_decay": weight_decay},
        {"params": fixed, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=learning_rate)


def training_step(
    accelerator: Accelerator, model: nn.Module, optimiser: Any, batch: Any, clip: float
) -> Tensor:
    """Forward, backward, clip, update; return the loss, detached and not yet waited for."""
    loss = model(**batch).loss
    accelerator.backward(loss)
    accelerator.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return loss.detach()

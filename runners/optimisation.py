"""One step of training: the optimiser that every method has, and what it does with a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn


def optimizer(
    trained: Mapping[str, nn.Parameter],
    learning_rate: float,
    weight_decay: float,
    rates: Mapping[str, float] | None = None,
) -> torch.optim.AdamW:
    """AdamW; matrices decay, biases and normalisation weights (one dimension) do not.

    Args:
        trained: the parameters by name.
        learning_rate: of the run.
        weight_decay: of matrices.
        rates: multiples of the run's rate for those that have one of their own, by name.
    """
    rates, groups = rates or {}, []
    for rate in dict.fromkeys([1.0, *rates.values()]):
        own = [p for name, p in trained.items() if rates.get(name, 1.0) == rate]
        shared = {"lr": rate * learning_rate}
        groups += [
            {"params": [p for p in own if p.ndim > 1], "weight_decay": weight_decay, **shared},
            {"params": [p for p in own if p.ndim <= 1], "weight_decay": 0.0, **shared},
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

"""Trained tasks on one base, for the tests of banks."""

from __future__ import annotations

from typing import Any

import torch

import methods

from ..cells import OPTIONS
from ..conftest import tiny

OTHER: dict[str, dict[str, Any]] = {
    "lora": {"rank": 5, "alpha": 3},
    "dora": {"rank": 5, "rank_stabilized": True},
    "houlsby": {"bottleneck": 9},
    "lin": {"bottleneck": 9},
    "pfeiffer": {"bottleneck": 9},
    "parallel": {"bottleneck": 9, "scale": 2.0},
    "prefix": {"length": 7},
    "prompt": {"length": 6},
}
"""Options of another size than the tests' own, where a method has any."""


def base(architecture: str, head: str = "classify", labels: int = 3, **changes: Any) -> Any:
    """A model in float64; whatever its number of labels is, the body is the same."""
    changes = {"dtype": torch.float64} | changes
    model = tiny(architecture, head, **changes)
    if labels == 3:
        return model
    other = tiny(architecture, head, num_labels=labels, **changes)
    own, state = other.state_dict(), model.state_dict()
    other.load_state_dict(own | {n: t for n, t in state.items() if t.shape == own[n].shape})
    return other


def trained(model: Any, name: str, seed: int, **options: Any) -> methods.Adapted:
    """A method in a model with random tensors."""
    adapted = methods.apply(model, name, **(OPTIONS.get(name, {}) | options))
    torch.manual_seed(seed)
    for parameter in adapted.trained().values():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return adapted


def three(name: str, architecture: str, head: str = "classify", **changes: Any) -> dict[str, methods.Adapted]:
    """Three tasks on one base: two of a kind, and one of another size and with more labels."""
    labels = 5 if head == "classify" else 3
    return {
        "a": trained(base(architecture, head, **changes), name, 1),
        "b": trained(base(architecture, head, **changes), name, 2),
        "c": trained(base(architecture, head, labels, **changes), name, 3, **OTHER.get(name, {})),
    }


def filled(model: Any, tasks: dict[str, methods.Adapted]) -> methods.Bank:
    """A bank with these tasks."""
    bank = methods.Bank(model)
    for name, task in tasks.items():
        bank.add(name, task)
    return bank

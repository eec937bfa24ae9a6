"""Every method on every architecture: the cells of the matrix, and what the tests of a cell share."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import methods

from .conftest import ARCHITECTURES, heads, seed

OPTIONS: dict[str, dict[str, Any]] = {
    "top_layers": {"layers": 1},
    "lora": {"rank": 3},
    "dora": {"rank": 3},
    "vera": {"rank": 6},
    "houlsby": {"bottleneck": 5},
    "lin": {"bottleneck": 5},
    "pfeiffer": {"bottleneck": 5},
    "parallel": {"bottleneck": 5},
    "prefix": {"length": 4, "hidden": 6},
    "prompt": {"length": 4},
    "did": {"dimension": 40},  # dense on models as small as these
    "said": {"dimension": 40, "projection": "fastfood"},
}
"""Smaller ones than the defaults, for models as small as these; a method that is not here has those."""

OF_THE_BASE = ("full", "head", "bitfit", "ln", "top_layers")
"""Methods whose graph is the base's own: what they train was there."""
Cell = tuple[str, str, str]
"""Method, architecture, head."""
ALL: list[Cell] = [(n, a, h) for a in ARCHITECTURES for h in heads(a) for n in methods.names()]
NO_BIASES = "has no biases, bitfit has nothing to train"
NO_INTERFACE = "computes its attention without transformers' attention functions"
NO_TASK_HEAD = "has no task head, head has nothing to train"
NO_ONE_FEED_FORWARD = "feed-forward is a mixture of experts"
NO_TOKENS = "has no embedding of tokens"
WITHOUT_BIASES = ("modernbert", "llama", "mistral", "qwen3", "gemma", "phi3", "t5", "mt5")
WITHOUT_BIASES += ("mpt", "mixtral", "qwen3_moe")
OWN_ATTENTION = ("deberta-v2", "deberta-v3", "mpnet", "falcon", "mpt")
OF_EXPERTS = ("mixtral", "qwen3_moe", "gpt_oss")
NOT_OF_TEXT = ("dinov2", "whisper")


def why_not(name: str, architecture: str, head: str) -> str | None:
    """Why an architecture cannot carry a method, None where it can."""
    if name == "bitfit" and architecture in WITHOUT_BIASES:
        return NO_BIASES
    if name == "prefix" and architecture in OWN_ATTENTION:
        return NO_INTERFACE
    if name in ("ia3", "houlsby", "parallel") and architecture in OF_EXPERTS:
        return NO_ONE_FEED_FORWARD
    if name == "prompt" and architecture in NOT_OF_TEXT:
        return NO_TOKENS
    if name == "head" and head != "classify":
        return NO_TASK_HEAD
    return None


CELLS = [cell for cell in ALL if why_not(*cell) is None]
CANNOT = [(*cell, reason) for cell in ALL if (reason := why_not(*cell))]
KINDS = ("bert", "modernbert", "gpt2", "gpt_neox", "qwen3", "t5")
EVERYWHERE = pytest.mark.parametrize(("name", "architecture", "head"), CELLS)
LANGUAGE_MODELS = pytest.mark.parametrize(
    ("name", "architecture", "head"), [cell for cell in CELLS if cell[2] != "classify"]
)
ONE_OF_EACH_KIND = pytest.mark.parametrize(
    ("name", "architecture", "head"), [cell for cell in CELLS if cell[1] in KINDS]
)


def apply(model: Any, name: str) -> methods.Adapted:
    seed(11)
    return methods.apply(model, name, **OPTIONS.get(name, {}))


def perturb(adapted: methods.Adapted, scale: float = 0.1) -> None:
    """Move every trained tensor, as training would."""
    seed(5)
    for parameter in adapted.trained().values():
        parameter.data.add_(scale * torch.randn_like(parameter))


def state(model: Any) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)

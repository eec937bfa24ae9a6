"""One low-rank update by itself."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from methods.lora import LoraOptions
from methods.modules.lora import LoRALinear, LowRank


def made(shape: tuple[int, int], **options: Any) -> LowRank:
    """An update of a whole layer."""
    its = LoraOptions(**options)
    settings = {"rank": its.rank, "scaling": its.scaling, "dropout": its.dropout, "init": its.init}
    return LowRank(shape, None, torch.empty(0), **settings)


def test_lora_starts_as_the_released_code() -> None:
    part = made((50, 100), rank=64)
    assert not part.lora_B.any()
    start = part.lora_A.detach()
    assert 0.098 < start.abs().max() < 0.1 + 1e-6  # U(-1/sqrt(100), 1/sqrt(100))
    assert float(start.std()) == pytest.approx(0.1 / math.sqrt(3), rel=0.05)


def test_lora_dropout_is_on_the_low_rank_path_only() -> None:
    torch.manual_seed(0)
    part = made((4, 6), rank=2, dropout=0.5)
    layer = LoRALinear(torch.nn.Linear(6, 4), {"query": part}).train()
    x = torch.randn(3, 6)
    assert torch.equal(layer(x), layer.base(x))  # B = 0: whatever is dropped, the frozen path is whole
    torch.nn.init.ones_(part.lora_B)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))

"""`ia3` against the equation of arXiv 2205.05638, section 3.3, with a GELU: outputs and gradients."""

from __future__ import annotations

from typing import Any

import torch

import methods
from methods.modules.ia3 import IA3Linear

from .by_hand import against_the_equation
from .conftest import text, tiny
from .parity import Record, agree


def hooks(block: Any) -> dict[str, Any]:
    """softmax(q (l_k * k)^T / sqrt(d)) (l_v * v), and W_2 (l_ff * f(W_1 x + b)) + b'."""
    attention, down = block.attention.self, block.output.dense
    assert all(isinstance(layer, IA3Linear) for layer in (attention.key, attention.value, down))
    return {
        "key": lambda x: attention.key.scales["key"] * attention.key.base(x),
        "value": lambda x: attention.value.scales["value"] * attention.value.base(x),
        "down": lambda f: (down.input_scale * f) @ down.base.weight.T + down.base.bias,
    }


def test_the_equation(record_property: Record) -> None:
    model = tiny("bert", dtype=torch.float64)
    made = methods.apply(model, "ia3")
    torch.manual_seed(5)
    with torch.no_grad():
        for scale in made._injection.trained.values():
            scale.normal_(mean=1, std=0.5)
    pairs = against_the_equation(made, text(model), hooks)
    assert len(pairs) == 1 + 2 * 3 + 2
    agree(record_property, "equation", "ia3", "bert", pairs)

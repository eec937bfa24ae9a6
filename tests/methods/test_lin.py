"""`lin` against the equation of arXiv 2004.03829, section 3.2: outputs, gradients, the start, what trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import methods

from .by_hand import against_the_equation
from .conftest import text, tiny, train
from .parity import Record, agree


def adapter(block: Any, x: Tensor) -> Tensor:
    """x + W_up ReLU(W_down LN(x) + b) + b', with LN written out."""
    norm, a = block.lin.norm, block.lin.adapter
    centred = x - x.mean(dim=-1, keepdim=True)
    u = centred / torch.sqrt(centred.pow(2).mean(dim=-1, keepdim=True) + 1e-5) * norm.weight + norm.bias
    return x + F.relu(u @ a.down.T + a.down_bias) @ a.up.T + a.up_bias


def hooks(block: Any) -> dict[str, Any]:
    """At the end of a GPT-2 block; after the LayerNorm that ends a BERT block."""
    if hasattr(block, "ln_1"):
        return {"end": lambda x: adapter(block, x)}
    return {"last": lambda o, x: adapter(block, block.output.LayerNorm(o + x))}


@pytest.mark.parametrize("architecture", ["gpt2", "bert"])
def test_the_equation(architecture: str, record_property: Record) -> None:
    model = tiny(architecture, dtype=torch.float64)
    torch.manual_seed(5)
    made = methods.apply(model, "lin", bottleneck=5)
    train(model)  # so that no part is zero or identity
    assert all(p.abs().min() > 0 for p in made.trained().values())
    pairs = against_the_equation(made, text(model), hooks)
    assert len(pairs) == 1 + 2 * 6 + {"gpt2": 1, "bert": 2}[architecture]
    agree(record_property, "equation", "lin", architecture, pairs)


def test_its_own_norm_trains_and_the_blocks_do_not() -> None:
    made = methods.apply(tiny("gpt2"), "lin", bottleneck=5)
    trained = {name for name, p in made.model.named_parameters() if p.requires_grad}
    assert {name for name in trained if "lin" not in name} == {"score.weight"}
    assert sum("lin.norm" in name for name in trained) == 2 * 2


def test_it_starts_as_the_released_code() -> None:
    made = methods.apply(tiny("gpt2"), "lin", bottleneck=100)
    start = {name: p for name, p in made.trained().items() if ".lin." in name}
    weights = torch.cat([p.flatten() for name, p in start.items() if name.endswith(("down", "up"))])
    assert float(weights.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert not any(p.any() for name, p in start.items() if name.endswith("bias"))
    assert all((p == 1).all() for name, p in start.items() if name.endswith("norm.weight"))

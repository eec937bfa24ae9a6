"""`ln`: the equation of a LayerNorm written out, what trains, and what the model keeps frozen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import methods

from .by_hand import against_the_equation
from .conftest import text, tiny, train
from .parity import Record, agree


def hooks(block: Any) -> dict[str, Any]:
    """w (x - mean) / std + b, where a BERT block ends."""
    norm = block.output.LayerNorm

    def last(o: Tensor, x: Tensor) -> Tensor:
        centred = o + x - (o + x).mean(dim=-1, keepdim=True)
        variance = centred.pow(2).mean(dim=-1, keepdim=True)
        return norm.weight * centred / torch.sqrt(variance + norm.eps) + norm.bias

    return {"last": last}


def test_the_equation(record_property: Record) -> None:
    model = tiny("bert", dtype=torch.float64)
    made = methods.apply(model, "ln")
    train(model)
    pairs = against_the_equation(made, text(model), hooks)
    assert len(pairs) == 1 + 2 * (2 * 2 + 1) + 2
    agree(record_property, "equation", "ln", "bert", pairs)


@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ("bert", ("attention.output.LayerNorm", "output.LayerNorm", "embeddings.LayerNorm")),
        ("qwen3", ("input_layernorm", "post_attention_layernorm", "q_norm", "k_norm", "norm")),
        ("gpt2", ("ln_1", "ln_2", "ln_f")),
        ("mpnet", ("LayerNorm",)),
    ],
)
def test_all_norms_train_and_nothing_else(architecture: str, names: tuple[str, ...]) -> None:
    model = tiny(architecture)
    made = methods.apply(model, "ln")
    head = {name for name in made.trained() if name.startswith("head.")}
    trained = {name.removeprefix("method.") for name in made.trained().keys() - head}
    assert all(name.rpartition(".")[0].endswith(names) for name in trained)
    assert {end for end in names if any(name.rpartition(".")[0].endswith(end) for name in trained)} == set(
        names
    )
    others = [n for n, _ in model.base_model.named_parameters() if n not in trained]
    assert not [name for name in others if "norm" in name.lower() or "ln_" in name]
    assert not made.changes_the_forward_pass


@pytest.mark.parametrize("name", ["ln", "houlsby"])
def test_a_norm_that_the_model_keeps_frozen_stays_so(name: str) -> None:
    model = tiny("bert")
    norm = model.bert.encoder.layer[0].output.LayerNorm
    norm.requires_grad_(False)
    made = methods.apply(model, name)
    before = norm.weight.clone()
    train(model, steps=1)
    assert torch.equal(norm.weight, before)
    assert sum(made.parts().values()) == made.parameter_counts()["method"]

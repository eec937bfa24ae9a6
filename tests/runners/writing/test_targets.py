"""Logits of targets alone: the same loss and gradients as the model's own, and fewer logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import methods
from runners.writing import batches
from runners.writing.targets import OnTargets
from tests.methods.cells import OPTIONS, perturb
from tests.methods.conftest import seed, tiny

from .conftest import form

ROWS = [["t40 t41 t42 t43"], ["t44"], ["t45 t46"]]
TARGETS = ["t60", "t61 t62 t63", "t64 t65"]


def step(model: Any, batch: dict[str, torch.Tensor], trained: Any) -> tuple[float, list[torch.Tensor]]:
    loss = model(**batch).loss
    return loss.item(), list(torch.autograd.grad(loss, trained))


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gemma", "opt", "gpt_neox", "phi3", "falcon"])
@pytest.mark.parametrize("method", ["full", "prompt"])
def test_loss_and_gradients_are_the_models_own(architecture: str, method: str) -> None:
    seed(3)
    adapted = methods.apply(
        tiny(architecture, "causal", dtype=torch.float64), method, **OPTIONS.get(method, {})
    )
    perturb(adapted, 0.05)
    how = form("gpt2")
    rows = how.prompted(ROWS, TARGETS)
    batch = batches.training(rows, range(3), how)
    trained = list(adapted.trained().values())
    widths: list[tuple[int, ...]] = []
    head = adapted.model.get_output_embeddings()
    hook = head.register_forward_hook(lambda layer, given, made: widths.append(tuple(made.shape[:-1])))
    model = OnTargets(adapted.model.eval())
    loss, gradients = step(model, batch, trained)
    hook.remove()
    expected, own = step(adapted.model, batch, trained)
    assert loss == pytest.approx(expected, rel=1e-6)  # the model's own is in float32
    for one, other in zip(gradients, own, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    assert widths == [(1, int(rows.targets.lengths.sum()))]
    model.train()
    assert adapted.model.training


def test_a_head_that_is_elsewhere_gives_the_same_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    model, how = tiny("llama", "causal"), form("gpt2")
    batch = batches.training(how.prompted(ROWS, TARGETS), range(3), how)
    expected = model(**batch).loss.item()
    monkeypatch.setattr(type(model), "get_output_embeddings", lambda own: None)
    assert OnTargets(model)(**batch).loss.item() == pytest.approx(expected, rel=1e-6)

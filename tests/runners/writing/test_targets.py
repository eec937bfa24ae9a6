"""Logits of targets alone: the same loss and gradients as the model's own, and fewer logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

import methods
from methods.errors import AnatomyError
from runners.measure import flops
from runners.optimisation import IGNORED
from runners.writing import batches
from runners.writing.targets import OnTargets
from tests.methods.cells import OPTIONS, perturb
from tests.methods.conftest import seed, tiny

from .conftest import form, model

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
    targets = OnTargets(adapted.model.eval())
    loss, gradients = step(targets, batch, trained)
    hook.remove()
    expected, own = step(adapted.model, batch, trained)
    assert loss == pytest.approx(expected, rel=1e-6)  # the model's own is in float32
    for one, other in zip(gradients, own, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)
    assert widths == [(1, int(rows.targets.lengths.sum()))]
    targets.train()
    assert adapted.model.training


def test_a_head_that_is_elsewhere_gives_the_same_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    made, how = tiny("llama", "causal"), form("gpt2")
    batch = batches.training(how.prompted(ROWS, TARGETS), range(3), how)
    expected = made(**batch).loss.item()
    monkeypatch.setattr(type(made), "get_output_embeddings", lambda own: None)
    assert OnTargets(made)(**batch).loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("method", methods.names())
def test_neither_the_mask_left_out_nor_parts_move_a_step(family: str, method: str) -> None:
    """Beside the model with its mask, in float64: rows of three lengths, each a part of its own."""
    seed(5)
    try:
        base = model(family, dtype=torch.float64)
        adapted = methods.apply(base, method, **OPTIONS.get(method, {}))
    except AnatomyError:
        pytest.skip("the model has no place for the method")
    perturb(adapted, 0.05)
    how = form(family)
    batch = batches.training(how.prompted(ROWS, TARGETS), range(3), how)
    trained, labels = list(adapted.trained().values()), batch["labels"]
    adapted.model.eval()
    logits = adapted.model(**{name: v for name, v in batch.items() if name != "labels"}).logits
    expected = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
    own = torch.autograd.grad(expected, trained, allow_unused=True)
    for cost in (None, 0.0):
        targets = OnTargets(adapted.model, cost)
        loss = targets(**batch).loss
        assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
        for one, other in zip(torch.autograd.grad(loss, trained, allow_unused=True), own, strict=True):
            assert (one is None) == (other is None)
            assert one is None or torch.allclose(one, other, rtol=1e-9, atol=1e-12)
        every, real = batch["attention_mask"].numel(), int(batch["attention_mask"].sum())
        assert targets.positions(batch) == (every if cost is None else real)


def test_padding_in_front_is_refused_where_rows_are_parted() -> None:
    batch = batches.training(form("gpt2").prompted(ROWS, TARGETS), range(3), form("gpt2"))
    turned = {name: values.flip(1) for name, values in batch.items()}
    with pytest.raises(ValueError, match="a row has padding in front"):
        OnTargets(model("gpt2"), 0.0)(**turned)


def test_what_a_pass_computes_once_is_part_of_what_a_part_costs() -> None:
    made = [methods.apply(tiny("llama", "causal"), name, **OPTIONS[name]) for name in ("lora", "said")]
    lora, said = (flops.once_in_a_pass(adapted, 60) for adapted in made)
    assert lora == 0
    assert said > 10

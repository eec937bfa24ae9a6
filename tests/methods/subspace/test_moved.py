"""Parameters that modules read moved while everyone else sees them where they are."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import nn

import methods

from ..cells import equal, perturb, state
from ..conftest import inputs, labels, logits, tiny, train


def moved(architecture: str = "bert", head: str = "classify", **options: Any) -> methods.Adapted:
    adapted = methods.apply(tiny(architecture, head), "did", dimension=30, seed=1, **options)
    perturb(adapted)
    return adapted


def kinds(model: nn.Module) -> list[tuple[str, str, str]]:
    return [(name, type(m).__name__, type(m).__module__) for name, m in model.named_modules()]


def test_modules_keep_their_class_as_far_as_anyone_asks() -> None:
    model = tiny("bert")
    before, dense = kinds(model), type(model.bert.pooler.dense)
    adapted = methods.apply(model, "did", dimension=30)
    assert [kind for kind in kinds(model) if "subspace" not in kind[0]] == before
    assert isinstance(model.bert.pooler.dense, nn.Linear)
    assert type(model.bert.pooler.dense) is not dense
    adapted.remove()
    assert type(model.bert.pooler.dense) is dense


def test_values_live_as_long_as_a_pass() -> None:
    adapted = moved()
    model, weight = adapted.model, adapted.model.bert.pooler.dense._parameters["weight"]
    logits(model, inputs(model))
    assert model.bert.pooler.dense.weight is weight
    batch = inputs(model)
    loss = model(**batch, labels=labels(model, batch)).loss
    during = model.bert.pooler.dense.weight  # a checkpointed block would read it again now
    assert during is not weight
    assert during.grad_fn is not None
    loss.backward()
    logits(model, batch)
    assert model.bert.pooler.dense.weight is weight


def test_an_error_in_a_pass_leaves_nothing_behind() -> None:
    adapted = moved()
    model, batch = adapted.model, inputs(adapted.model)
    before = logits(model, batch)
    with pytest.raises(IndexError), torch.no_grad():
        model(input_ids=torch.tensor([[10_000]]))
    assert model.bert.subspace.depth == 0
    assert model.bert.pooler.dense.weight is model.bert.pooler.dense._parameters["weight"]
    assert torch.equal(logits(model, batch), before)


@pytest.mark.parametrize("name", ["did", "said"])
def test_a_copy_in_the_middle_of_a_step_goes_on_like_the_model(name: str) -> None:
    model = tiny("bert")
    adapted = methods.apply(model, name, dimension=30, seed=1)
    train(model, steps=1)
    batch = inputs(model)
    loss = model(**batch, labels=labels(model, batch)).loss  # its values are there, for the backward pass
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    loss.backward()
    gradients = {key: parameter.grad for key, parameter in adapted.trained().items()}
    for twin in twins:
        twin(**batch, labels=labels(twin, batch)).loss.backward()
        for key, parameter in methods.adapted(twin).trained().items():
            assert torch.equal(parameter.grad, gradients[key])  # type: ignore[arg-type]
        assert equal(state(methods.adapted(twin).remove()), state(tiny("bert")))


def test_an_error_before_a_pass_begins_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    adapted = moved()
    model, batch = adapted.model, inputs(adapted.model)
    before, subspace = logits(model, batch), adapted.model.bert.subspace

    def fail(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("no memory")

    for holder, name in ((subspace.projection, "forward"), (model, "forward")):
        with monkeypatch.context() as patch:
            patch.setattr(holder, name, fail)
            with pytest.raises(torch.OutOfMemoryError):
                logits(model, batch)
        assert subspace.depth == 0
    handle = model.register_forward_pre_hook(fail, prepend=True)  # before anything was entered
    with pytest.raises(torch.OutOfMemoryError):
        logits(model, batch)
    handle.remove()
    assert subspace.depth == 0
    assert torch.equal(logits(model, batch), before)


def test_the_body_alone_is_moved_too() -> None:
    adapted = moved()
    model, batch = adapted.model, inputs(adapted.model)
    with torch.no_grad():
        alone = model.bert(**batch).pooler_output
        whole = model.bert(**batch).pooler_output
        base = tiny("bert").bert(**batch).pooler_output
    assert torch.equal(alone, whole)
    assert not torch.allclose(alone, base, atol=1e-3)


def test_one_projection_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    adapted = moved("t5", "seq2seq")
    calls: list[int] = []
    subspace = adapted.model.base_model.get_submodule("subspace")
    forward = subspace.projection.forward
    monkeypatch.setattr(subspace.projection, "forward", lambda *a: calls.append(1) or forward(*a))
    logits(adapted.model, inputs(adapted.model))
    assert len(calls) == 1


def test_tied_weights_move_together() -> None:
    adapted = moved("gpt2", "causal")
    adapted.merge()
    model = adapted.model
    assert model.lm_head.weight is model.transformer.wte.weight
    names = [n for n, _ in tiny("gpt2", "causal").named_parameters()]
    sizes = sum(p.numel() for p in tiny("gpt2", "causal").parameters())
    assert [n for n, _ in model.named_parameters()] == names
    adapted.unmerge()
    assert sum(model.transformer.subspace.sizes) == sizes  # once, though two places hold it

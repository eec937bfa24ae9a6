"""A method out of its model for a while."""

from __future__ import annotations

import copy

import pytest
import torch

import methods
from methods import MethodError

from ..cells import KINDS, OPTIONS, apply, equal, perturb, state, why_not
from ..conftest import inputs, labels, logits, tiny, train

CELLS = [
    (name, architecture)
    for architecture in KINDS
    for name in methods.names()
    if why_not(name, architecture, "classify") is None
]


@pytest.mark.parametrize(("name", "architecture"), CELLS)
def test_inside_the_model_is_the_base_and_afterwards_all_is_there_again(name: str, architecture: str) -> None:
    model = tiny(architecture)
    batch, values, shape = inputs(model), state(model), str(model)
    base = logits(model, batch)
    adapted = apply(model, name)
    train(model, steps=2)
    perturb(adapted)
    expected, trained, whole = logits(model, batch), adapted.trained(), str(model)
    numbers = {key: parameter.detach().clone() for key, parameter in trained.items()}
    with adapted.disabled() as reference:
        assert reference is model
        assert torch.equal(logits(model, batch), base)
        assert equal(state(model), values)
        assert str(model) == shape
        assert not any(p.requires_grad for p in model.parameters())
    assert str(model) == whole
    assert torch.equal(logits(model, batch), expected)
    again = adapted.trained()
    assert all(again[key] is parameter for key, parameter in trained.items())  # an optimiser goes on
    assert equal(numbers, {key: p.detach() for key, p in again.items()})
    model.train()
    model(**batch, labels=labels(model, batch)).loss.backward()
    assert all(p.grad is not None for p in again.values())
    adapted.remove()
    assert equal(state(model.eval()), values)


@pytest.mark.parametrize("name", [n for n in methods.names() if methods.get(n).mergeable])
def test_merged_it_is_merged_again(name: str) -> None:
    model = tiny("gpt2")
    batch, base = inputs(model), logits(tiny("gpt2"), inputs(model))
    adapted = apply(model, name)
    perturb(adapted)
    adapted.merge()
    merged = logits(model, batch)
    with adapted.disabled():
        assert torch.equal(logits(model, batch), base)
    assert adapted.merged
    assert torch.equal(logits(model, batch), merged)


def test_principal_parts_are_put_back() -> None:
    model = tiny("bert")
    batch, base = inputs(model), logits(tiny("bert"), inputs(model))
    adapted = methods.apply(model, "lora", rank=3, init="pissa")
    perturb(adapted)
    expected = logits(model, batch)
    with adapted.disabled():
        assert torch.equal(logits(model, batch), base)
    assert torch.equal(logits(model, batch), expected)


def test_an_error_inside_leaves_the_method_in() -> None:
    model = tiny("bert")
    adapted = apply(model, "lora")
    perturb(adapted)
    expected = logits(model, inputs(model))
    with pytest.raises(KeyError), adapted.disabled():
        raise KeyError
    assert torch.equal(logits(model, inputs(model)), expected)


@pytest.mark.parametrize("ask", ["merge", "checkpoint", "remove", "parameter_counts"])
def test_the_method_answers_nothing_while_it_is_out(ask: str) -> None:
    adapted = apply(tiny("bert"), "bitfit" if ask == "checkpoint" else "lora")
    with adapted.disabled(), pytest.raises(MethodError, match="is disabled: leave disabled"):
        getattr(adapted, ask)()
    adapted.remove()


def test_a_copy_can_be_disabled_apart() -> None:
    model = tiny("bert")
    perturb(methods.apply(model, "prompt", **OPTIONS["prompt"]))
    other = copy.deepcopy(model)
    batch = inputs(model)
    expected = logits(model, batch)
    with methods.adapted(other).disabled():
        assert torch.equal(logits(other, batch), logits(tiny("bert"), batch))
        assert torch.equal(logits(model, batch), expected)
    assert torch.equal(logits(other, batch), expected)

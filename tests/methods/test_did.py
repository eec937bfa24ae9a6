"""theta = theta0 + P z, with and without the head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods import OptionError

from .cells import equal, perturb, state
from .conftest import inputs, labels, logits, seed, tiny


def test_merged_weights_are_the_equation() -> None:
    model, start = tiny("bert"), state(tiny("bert"))
    adapted = methods.apply(model, "did", dimension=30, projection="dense", seed=4)
    perturb(adapted)
    subspace = model.bert.subspace
    change = subspace.projection.matrix @ subspace.coordinates.detach()
    names = sorted(n for n, _ in tiny("bert").bert.named_parameters())
    names = [f"bert.{name}" for name in names] + ["classifier.bias", "classifier.weight"]
    adapted.merge()
    at = 0
    for name in names:
        size = start[name].numel()
        expected = start[name] + change[at : at + size].view_as(start[name])
        assert torch.allclose(model.get_parameter(name), expected, atol=1e-6), name
        at += size
    assert at == len(change)  # every parameter, each once


def test_gradients_are_those_of_the_whole_model_projected() -> None:
    """The gradient of z is P^T times the gradient of all parameters."""
    batch = inputs(tiny("bert"))
    whole = tiny("bert").double()
    whole(**batch, labels=labels(whole, batch)).loss.backward()
    inside = tiny("bert").double()
    adapted = methods.apply(inside, "did", dimension=30, seed=4, projection="fastfood")
    inside(**batch, labels=labels(inside, batch)).loss.backward()
    body = {n: p.grad for n, p in whole.bert.named_parameters()}
    head = {n: p.grad for n, p in whole.classifier.named_parameters()}
    ordered = [body[n] for n in sorted(body)] + [head[n] for n in sorted(head)]
    flat = torch.cat([gradient.flatten() for gradient in ordered])
    basis = torch.eye(30).double()
    projection = inside.bert.subspace.projection
    P = torch.stack([torch.cat(projection(basis[i], (len(flat),))) for i in range(30)], dim=1)
    found = adapted.trained()["method.coordinates"].grad
    assert torch.allclose(found, P.T @ flat, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_merging_rounds_nothing_away(dtype: torch.dtype) -> None:
    """Unmerged or merged, the model multiplies by the same matrices."""
    model = tiny("bert", dtype=dtype)
    adapted = methods.apply(model, "did", dimension=30)
    perturb(adapted)
    assert adapted.merge_difference(**inputs(model)) == 0.0
    assert not torch.equal(logits(model, inputs(model)), logits(tiny("bert", dtype=dtype), inputs(model)))


def test_a_head_inside_does_not_train_and_is_kept(tmp_path: Path) -> None:
    model = tiny("bert")
    adapted = methods.apply(model, "did", dimension=30, seed=4)
    assert adapted.parameter_counts() | {"base": 0} == {
        "base": 0,
        "method": 30,
        "head": 0,
        "trainable": 30,
    }
    assert set(adapted.trained()) == {"method.coordinates"}
    assert adapted.stored_count() == 30 + 32 * 3 + 3  # with where the head began
    perturb(adapted)
    batch = inputs(model)
    before = logits(model, batch)
    adapted.save(tmp_path)
    other = tiny("bert")
    for parameter in other.classifier.parameters():  # another fresh head than the one it was trained on
        parameter.data.add_(1.0)
    loaded = methods.load(other, tmp_path)
    assert torch.equal(logits(other, batch), before)
    loaded.remove()
    assert torch.equal(other.classifier.weight, tiny("bert").classifier.weight + 1.0)


def test_a_head_beside_trains_as_itself() -> None:
    adapted = methods.apply(tiny("bert"), "did", dimension=30, head="beside")
    assert adapted.parameter_counts()["head"] == 32 * 3 + 3
    assert set(adapted.trained()) == {"method.coordinates", "head.classifier.weight", "head.classifier.bias"}
    sizes = sum(adapted.model.bert.subspace.sizes)
    assert sizes == adapted.parameter_counts()["base"]


def test_a_checkpoint_holds_coordinates_and_seed_and_no_projection(tmp_path: Path) -> None:
    model = tiny("bert")
    seed(123)
    adapted = methods.apply(model, "did", dimension=30, head="beside")
    checkpoint = adapted.checkpoint()
    assert checkpoint.options["seed"] == 123  # torch's own, which a trial sets to its own
    assert adapted.stored_count() == 30
    assert {n for n in checkpoint.tensors if n.startswith("method.")} == {"method.coordinates"}
    seed(9)
    perturb(adapted)
    loaded = methods.load(tiny("bert"), adapted.save(tmp_path))
    batch = inputs(loaded.model)
    assert torch.equal(logits(loaded.model, batch), logits(adapted.model, batch))


def test_a_switch_to_another_subspace() -> None:
    """Another seed is another projection: it is made again, and the way back is bitwise."""
    model = tiny("bert")
    adapted = methods.apply(model, "did", dimension=30, seed=1)
    perturb(adapted)
    here, batch = adapted.checkpoint(), inputs(model)
    before = logits(model, batch)
    there = methods.apply(tiny("bert"), "did", dimension=20, seed=2)
    perturb(there)
    adapted.merge()
    adapted.switch(there.checkpoint())
    there.merge()
    assert torch.equal(logits(model, batch), logits(there.model, batch))
    adapted.switch(here)
    adapted.unmerge()
    assert torch.equal(logits(model, batch), before)
    adapted.remove()
    assert equal(state(model), state(tiny("bert")))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dimension": 0}, "dimension=0"),
        ({"dimension": 10**9}, "expected at most as many"),
        ({"projection": "sparse"}, "projection='sparse'"),
        ({"head": "outside"}, "head='outside'"),
    ],
)
def test_bad_options_leave_the_model_alone(options: dict[str, Any], words: str) -> None:
    model = tiny("bert")
    shape = str(model)
    with pytest.raises(OptionError, match=words):
        methods.apply(model, "did", **options)
    assert str(model) == shape
    methods.apply(model, "did", dimension=3)  # and there is room


def test_it_moves_models_of_more_dimensions_than_a_dense_projection_could() -> None:
    from runners import models

    adapted = methods.apply(models.skeleton("gpt3-175b"), "did", dimension=5000)
    assert adapted.parameter_counts()["method"] == 5000

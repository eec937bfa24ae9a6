"""Models that share tensors: each computes what it would alone, and none disturbs another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import methods
from methods import MergeError
from methods.core.twins import as_stored, base_of, twin

from ..cells import apply, perturb, state
from ..conftest import inputs, logits, tiny
from ..test_quantised import quantised


@pytest.mark.parametrize("name", methods.names())
def test_twins_compute_what_separate_models_do(name: str, tmp_path: Path) -> None:
    model = tiny("bert")
    batch, before = inputs(model), state(model)
    untouched = logits(model, batch)
    adapted = apply(model, name)
    perturb(adapted)
    adapted.save(tmp_path)
    expected, whole = logits(model, batch), state(model)
    base, other, stored = base_of(adapted), twin(adapted), as_stored(adapted)
    assert torch.equal(logits(base, batch), untouched)
    assert state(base).keys() == before.keys()
    assert torch.equal(logits(other.model, batch), expected)
    loaded = methods.load(tiny("bert"), tmp_path)
    assert torch.equal(logits(stored.model, batch), logits(loaded.model, batch))
    if adapted.method.mergeable:
        other.merge()
        loaded.merge()
        assert torch.equal(logits(other.model, batch), logits(loaded.model, batch))
        with pytest.raises(MergeError, match="unmerge"):
            twin(other)
    assert torch.equal(logits(base, batch), untouched)
    assert torch.equal(logits(model, batch), expected)
    assert all(torch.equal(whole[key], value) for key, value in state(model).items())
    flags = {n: p.requires_grad for n, p in model.named_parameters()}
    assert flags == {
        n: id(p) in {id(t) for t in adapted.trained().values()} for n, p in model.named_parameters()
    }
    adapted.remove()
    assert torch.equal(logits(model, batch), untouched)


def test_what_no_task_changes_is_there_once() -> None:
    adapted = apply(tiny("bert"), "bitfit")
    base, other = base_of(adapted), twin(adapted)
    own = {p.data_ptr() for p in adapted.of_the_task().values()}
    here = {p.data_ptr() for p in adapted.model.parameters()} - own
    assert here <= {p.data_ptr() for p in base.parameters()}
    assert here <= {p.data_ptr() for p in other.model.parameters()}
    assert not own & {p.data_ptr() for p in (*base.parameters(), *other.model.parameters())}


@pytest.mark.parametrize("storage", ["nf4", "int8", "bfloat16"])
def test_twins_of_what_is_stored_in_few_bits(storage: str) -> None:
    model = quantised("llama", storage, repacks=True)
    adapted = apply(model, "lora")
    perturb(adapted)
    batch = inputs(model)
    expected = logits(model, batch)
    base, other = base_of(adapted), twin(adapted)
    packed = [id(p) for p in model.parameters() if not p.is_floating_point()]
    assert packed == [id(p) for p in other.model.parameters() if not p.is_floating_point()]
    assert not torch.equal(logits(base, batch), expected)
    other.merge()
    logits(other.model, batch)
    assert torch.equal(logits(model, batch), expected)

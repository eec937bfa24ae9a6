"""What holds for every method on every architecture, each invariant a test of its own."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods import MergeError

from .conftest import logits, text, tiny, train

OPTIONS: dict[str, dict[str, Any]] = {
    "lora": {"rank": 3},
    "houlsby": {"bottleneck": 5},
    "lin": {"bottleneck": 5},
    "pfeiffer": {"bottleneck": 5},
    "prefix": {"length": 4, "hidden": 6},
    "prompt": {"length": 4},
}
UNCHANGED = ("full", "head", "bitfit", "lora")
NAMES = pytest.mark.parametrize("name", methods.names())


def apply(model: Any, name: str) -> methods.Adapted:
    torch.manual_seed(11)
    return methods.apply(model, name, **OPTIONS.get(name, {}))


def state(model: Any) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@NAMES
def test_the_function_at_step_0(name: str, architecture: str) -> None:
    model = tiny(architecture)
    batch = text(model)
    before = logits(model, batch)
    apply(model, name)
    after = logits(model, batch)
    if name in UNCHANGED:
        assert torch.equal(after, before)
    elif name == "houlsby":  # weights of 1e-3: close, but the adapter is there
        assert not torch.equal(after, before)
        assert torch.allclose(after, before, atol=1e-3)
    else:
        assert not torch.allclose(after, before, atol=1e-5)


@NAMES
def test_only_what_is_declared_trains(name: str, architecture: str) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    declared = {id(p) for p in adapted.trained().values()}
    assert {id(p) for p in model.parameters() if p.requires_grad} == declared
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if id(p) not in declared}
    trained = {n: p.detach().clone() for n, p in adapted.trained().items()}
    train(model)
    now = dict(model.named_parameters())
    assert all(torch.equal(now[n], p) for n, p in frozen.items())
    still = {n for n, p in adapted.trained().items() if torch.equal(p, trained[n])}
    assert not still


@NAMES
def test_the_closed_form_equals_the_count(name: str, architecture: str) -> None:
    adapted = apply(tiny(architecture), name)
    counts = adapted.parameter_counts()
    assert sum(adapted.method.count(adapted.anatomy.geometry, adapted.options).values()) == counts["method"]
    assert counts["trainable"] == counts["method"] + counts["head"]
    assert adapted.method.stored_count(adapted.anatomy.geometry, adapted.options) == adapted.stored_count()


@NAMES
def test_base_and_head_counts_are_those_before_injection(name: str, architecture: str) -> None:
    model = tiny(architecture)
    base = sum(p.numel() for p in model.base_model.parameters())
    head = sum(p.numel() for p in model.parameters()) - base
    counts = apply(model, name).parameter_counts()
    assert counts["base"] == base
    pooler = getattr(model.base_model, "pooler", None)
    extra = pooler.dense.bias.numel() if name == "bitfit" and pooler is not None else 0
    assert counts["head"] == head + extra


@NAMES
def test_merging(name: str, architecture: str) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    train(model)
    batch = text(model)
    before, names = logits(model, batch), [n for n, _ in model.named_modules()]
    if not adapted.method.mergeable:
        with pytest.raises(MergeError, match=name):
            adapted.merge()
        return
    adapted.merge()
    assert torch.allclose(logits(model, batch), before, atol=1e-5)
    assert [n for n, _ in model.named_modules()] == [n for n, _ in tiny(architecture).named_modules()]
    adapted.unmerge()
    assert torch.equal(logits(model, batch), before)
    assert [n for n, _ in model.named_modules()] == names


@NAMES
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_removing_gives_the_base_back(name: str, architecture: str, implementation: str) -> None:
    model = tiny(architecture, attn_implementation=implementation)
    model.base_model.get_input_embeddings().requires_grad_(False)
    batch = text(model)
    before, values, shape = logits(model, batch), state(model), str(model)
    flags = [p.requires_grad for p in model.parameters()]
    hooks = (len(model.base_model._forward_pre_hooks), len(model.base_model._forward_hooks))
    adapted = apply(model, name)
    train(model)
    if adapted.method.mergeable:
        adapted.merge()
    assert adapted.remove() is model
    assert equal(state(model), values)
    assert torch.equal(logits(model, batch), before)
    assert [p.requires_grad for p in model.parameters()] == flags
    assert (str(model), model.config._attn_implementation) == (shape, implementation)
    assert (len(model.base_model._forward_pre_hooks), len(model.base_model._forward_hooks)) == hooks
    with pytest.raises(methods.MethodError, match="removed"):
        adapted.parameter_counts()
    apply(model, name)  # and there is room again


@NAMES
def test_saving_and_loading(name: str, architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    train(model)
    batch = text(model)
    before = logits(model, batch)
    adapted.save(tmp_path)
    if adapted.method.mergeable:  # merged or not, the same is saved
        adapted.merge()
        adapted.save(tmp_path / "merged")
        assert (tmp_path / "merged/paretune.safetensors").read_bytes() == (
            tmp_path / "paretune.safetensors"
        ).read_bytes()
    other = tiny(architecture)
    loaded = methods.load(other, tmp_path)
    assert torch.equal(logits(other, batch), before)
    loaded.remove()
    assert equal(state(other), state(tiny(architecture)))


@NAMES
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_padding_changes_nothing(name: str, architecture: str, implementation: str) -> None:
    model = tiny(architecture, attn_implementation=implementation)
    apply(model, name)
    train(model)
    together = text(model, (30, 3, 14))
    all_rows = logits(model, together)
    for row, length in enumerate((30, 3, 14)):
        alone = {key: value[row : row + 1, :length] for key, value in together.items()}
        assert torch.allclose(logits(model, alone)[0], all_rows[row], atol=2e-5)


@NAMES
def test_modes_change_no_weight(name: str, architecture: str) -> None:
    model = tiny(architecture)
    apply(model, name)
    values = state(model)
    model.train()
    model.eval()
    assert equal(state(model), values)
    assert not any(module.training for module in model.modules())


@NAMES
def test_a_copy_is_independent(name: str, architecture: str) -> None:
    model = tiny(architecture)
    apply(model, name)
    train(model)
    batch = text(model)
    before = logits(model, batch)
    twin = copy.deepcopy(model)
    assert torch.equal(logits(twin, batch), before)
    train(twin)
    assert torch.equal(logits(model, batch), before)
    assert not torch.equal(logits(twin, batch), before)


@NAMES
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_follows_the_models_dtype(name: str, dtype: torch.dtype) -> None:
    model = tiny("bert", dtype=dtype)
    adapted = apply(model, name)
    assert {p.dtype for p in adapted.trained().values()} == {dtype}
    train(model, steps=1)
    assert logits(model, text(model)).dtype == dtype
    assert torch.isfinite(logits(model, text(model))).all()


@NAMES
def test_gradient_checkpointing_gives_the_same_gradients(name: str) -> None:
    def gradients(checkpointing: bool) -> dict[str, torch.Tensor]:
        model = tiny("bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        adapted = apply(model, name)
        model(**text(model), labels=torch.tensor([0, 1, 2])).loss.backward()
        return {n: p.grad for n, p in adapted.trained().items() if p.grad is not None}

    plain, saved = gradients(False), gradients(True)
    assert plain.keys() == saved.keys()
    assert all(torch.allclose(plain[n], saved[n], atol=1e-6) for n in plain)


@NAMES
def test_one_method_at_a_time(name: str) -> None:
    model = tiny("bert")
    apply(model, name)
    with pytest.raises(methods.MethodError, match=f"already holds the method '{name}'"):
        apply(model, "lora")


@NAMES
def test_works_without_memory(name: str) -> None:
    with torch.device("meta"):
        model = tiny("bert")
    counted = apply(model, name).parameter_counts()
    assert counted == apply(tiny("bert"), name).parameter_counts()

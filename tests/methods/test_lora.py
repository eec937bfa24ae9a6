"""Where LoRA's factors start, and at which rates they train."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torchao.quantization import Int8WeightOnlyConfig, quantize_

import methods
from methods.core import change as changes
from methods.lora import LoraOptions
from methods.modules.lora import LowRank
from runners import optimisation

from .cells import equal, perturb, state
from .conftest import build, inputs, logits, seed, tiny, train
from .test_bases import failing

KINDS = [
    ("bert", {"target": "query,value,down"}),
    ("gpt2", {"target": "query,value"}),  # slices of one stored (in x out)
    ("gpt2", {"target": "qkv"}),
    ("gpt_neox", {"target": "key,value", "rank_stabilized": True}),  # interleaved by head
]
ON_EACH = pytest.mark.parametrize(("architecture", "options"), KINDS)


def pissa(architecture: str, dtype: torch.dtype = torch.float64, **options: Any) -> methods.Adapted:
    made = methods.apply(tiny(architecture, dtype=dtype), "lora", rank=3, alpha=5, init="pissa", **options)
    return made


def updated(adapted: methods.Adapted) -> list[tuple[Tensor, Tensor, LowRank]]:
    """Of every update the rows of W0, those of the weight that is in the model, and the factors."""
    found = []
    original = tiny(adapted.anatomy.config.model_type, dtype=torch.float64).base_model
    conv = adapted.anatomy.config.model_type == "gpt2"
    for change in adapted._injection.foldable:
        wrapper = change.wrapper  # type: ignore[attr-defined]
        for part in wrapper.parts.values():
            whole = original.get_submodule(change.site.path).weight  # type: ignore[attr-defined]
            pair = (w.detach().T if conv else w.detach() for w in (whole, wrapper.base.weight))
            found.append((*(part.features.of(w) for w in pair), part))
    return found


# PiSSA ------------------------------------------------------------------------------------------------


@ON_EACH
def test_pissa_splits_a_weight_at_its_singular_values(architecture: str, options: dict[str, Any]) -> None:
    """W0 = W_res + s B A; s B A has the r largest singular values of W0, shared evenly by B and A."""
    found = updated(pissa(architecture, **options))
    assert len(found) == 2 * len(options["target"].split(","))
    for whole, rest, part in found:
        values = torch.linalg.svdvals(whole)
        torch.testing.assert_close(rest + part.update(), whole, rtol=0.0, atol=1e-12)
        torch.testing.assert_close(torch.linalg.svdvals(part.update())[:3], values[:3])
        torch.testing.assert_close(torch.linalg.svdvals(rest)[: len(values) - 3], values[3:])
        even = torch.diag(values[:3] / part.scaling)
        torch.testing.assert_close(part.lora_B.mT @ part.lora_B, even)
        torch.testing.assert_close(part.lora_A @ part.lora_A.mT, even)


@ON_EACH
def test_pissa_starts_at_the_base_but_for_rounding(architecture: str, options: dict[str, Any]) -> None:
    model = tiny(architecture, dtype=torch.float64)
    batch = inputs(model)
    before = logits(model, batch)
    made = pissa(architecture, **options)
    torch.testing.assert_close(logits(made.model, batch), before, rtol=0.0, atol=1e-10)
    assert {p.requires_grad for p in made.trained().values()} == {True}
    assert sum(made.parts().values()) == made.parameter_counts()["method"]


@ON_EACH
def test_pissa_is_kept_as_an_update_of_the_base(
    architecture: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """B A - B0 A0, of twice the rank: whoever loads it needs neither the residual nor an SVD."""
    made = pissa(architecture, **options)
    train(made.model)
    batch = inputs(made.model)
    trained = logits(made.model, batch)
    made.save(tmp_path / "saved")
    loaded = methods.load(tiny(architecture, dtype=torch.float64), tmp_path / "saved")
    assert loaded.options.init == "kaiming"  # type: ignore[attr-defined]
    assert loaded.options.rank == 6  # type: ignore[attr-defined]
    torch.testing.assert_close(logits(loaded.model, batch), trained, rtol=0.0, atol=1e-10)
    assert sum(made.method.count(made.sizes.geometry, made.stored_options).values()) == made.stored_count()
    made.merge()
    torch.testing.assert_close(logits(made.model, batch), trained, rtol=0.0, atol=1e-10)
    made.save(tmp_path / "merged")
    for file in (tmp_path / "saved").iterdir():
        assert (tmp_path / "merged" / file.name).read_bytes() == file.read_bytes()
    made.unmerge()
    assert torch.equal(logits(made.model, batch), trained)
    made.remove()
    assert equal(state(made.model), state(tiny(architecture, dtype=torch.float64)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_pissa_on_a_half_precision_base(dtype: torch.dtype) -> None:
    """The split is in float32, and the residual is rounded once."""
    made = pissa("llama", dtype)
    base = tiny("llama", dtype=dtype)
    for change in made._injection.foldable:
        wrapper = change.wrapper  # type: ignore[attr-defined]
        (part,) = wrapper.parts.values()
        assert part.lora_A.dtype == part.lora_B.dtype == torch.float32
        whole = base.base_model.get_submodule(change.site.path).weight.float()  # type: ignore[attr-defined]
        assert torch.equal(wrapper.base.weight, (whole - part.update()).to(dtype))
    assert torch.isfinite(logits(made.model, inputs(made.model))).all()
    made.remove()
    assert equal(state(made.model), state(base))


def test_pissa_is_copied_cast_and_made_without_memory() -> None:
    made = pissa("bert", torch.float32)
    perturb(made)
    batch, kept = inputs(made.model), made.checkpoint()
    before, file = logits(made.model, batch), io.BytesIO()
    torch.save(made.model, file)
    file.seek(0)
    for twin in (copy.deepcopy(made.model), torch.load(file, weights_only=False)):
        assert torch.equal(logits(twin, batch), before)
        handle = methods.adapted(twin)
        assert equal(handle.checkpoint().tensors, kept.tensors)
        handle.merge()
        twin.double()  # merged, the factors are out of the model, and so is W0 twice over
        handle.unmerge()
        assert {tensor.dtype for tensor in handle.checkpoint().tensors.values()} == {torch.float64}
        handle.remove()
        assert equal(state(twin), state(tiny("bert").double()))
    with torch.device("meta"):
        empty = build("bert", "classify")
    assert methods.apply(empty, "lora", rank=3, init="pissa").parameter_counts() == made.parameter_counts()


@pytest.mark.parametrize("merged", [True, False])
def test_a_switch_that_fails_leaves_pissa_as_it_was(merged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made, other = pissa("bert"), methods.apply(tiny("bert", dtype=torch.float64), "lora", rank=2)
    perturb(made)
    perturb(other)
    if merged:
        made.merge()
    before = state(made.model)
    wrong = copy.deepcopy(other.checkpoint())
    wrong.tensors.popitem()
    with pytest.raises(methods.MethodError, match="on one side only"):
        made.switch(wrong)
    assert equal(state(made.model), before)
    if merged:
        with monkeypatch.context() as patch:
            patch.setattr(changes, "stand_in", failing(2)(changes.stand_in))
            with pytest.raises(torch.OutOfMemoryError):
                made.switch(other.checkpoint())
        assert equal(state(made.model), before)
    assert (made.merged, made.options.init) == (merged, "pissa")  # type: ignore[attr-defined]
    made.switch(other.checkpoint())  # and another attempt works
    if merged:
        other.merge()
    assert equal(state(made.model), state(other.model))
    made.remove()
    assert equal(state(made.model), state(tiny("bert", dtype=torch.float64)))


def test_layers_that_share_a_weight_split_apart_and_come_back() -> None:
    model = tiny("llama", "causal", dtype=torch.float64)
    first, second = (layer.self_attn for layer in model.model.layers)
    second.v_proj.weight = first.v_proj.weight
    batch = inputs(model)
    before = logits(model, batch)
    made = methods.apply(model, "lora", rank=3, init="pissa")
    torch.testing.assert_close(logits(model, batch), before, rtol=0.0, atol=1e-10)
    made.remove()
    assert second.v_proj.weight is first.v_proj.weight
    assert torch.equal(logits(model, batch), before)


def broken(model: Any) -> Any:
    model.bert.encoder.layer[1].attention.self.value.weight.data[3, 4] = float("nan")
    return model


def packed(model: Any) -> Any:
    """A weight that is not made of numbers that could be split."""
    quantize_(model.bert.encoder.layer[1].attention.self, Int8WeightOnlyConfig())
    return model


@pytest.mark.parametrize(
    ("model", "rank", "words"),
    [
        (lambda: tiny("bert"), 33, r"rank=33 is more than query of .*layer\.0.* has, which is 32 x 32"),
        (
            lambda: broken(tiny("bert")),
            2,
            r"no singular values of value of .*layer\.1.* are its weights finite",
        ),
        (lambda: packed(tiny("bert")), 2, r"needs the numbers of .*layer\.1.*, whose weight is a quantised"),
    ],
)
def test_what_cannot_be_split_is_refused_and_nothing_is_lost(model: Any, rank: int, words: str) -> None:
    base = model()
    values, shape = {name: id(p) for name, p in base.named_parameters()}, str(base)
    with pytest.raises(methods.MethodError, match=words):
        methods.apply(base, "lora", rank=rank, init="pissa")
    assert {name: id(p) for name, p in base.named_parameters()} == values  # the parameters themselves
    assert str(base) == shape


def test_dora_has_no_pissa() -> None:
    with pytest.raises(methods.OptionError, match="dora: init='pissa' is not valid"):
        methods.apply(tiny("bert"), "dora", init="pissa")


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_gaussian(name: str) -> None:
    """N(0, 1/r^2), as the PEFT library has it."""
    seed(3)
    made = methods.apply(tiny("bert"), name, rank=4, init="gaussian", target="query", layers=0)
    seed(7)  # what tiny() leaves
    expected = torch.empty(4, 32)
    expected = expected.normal_(std=1 / 4)
    (a,) = (p for n, p in made.trained().items() if n.endswith("lora_A"))
    assert torch.equal(a, expected)


# LoRA+ ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lora", "dora"])
def test_b_has_a_rate_of_its_own(name: str) -> None:
    made = methods.apply(tiny("gpt2"), name, rank=2, b_rate=16)
    own = {n for n in made.trained() if n.endswith(".lora_B")}
    assert made.rates() == dict.fromkeys(own, 16.0)
    optimiser = optimisation.optimizer(made.trained(), 1e-3, 0.1, made.rates())
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 / (step + 1))
    for factor in (1.0, 0.5):
        found = {id(p): (g["lr"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}
        for n, p in made.trained().items():
            rate = 1e-3 * factor * (16 if n in own else 1)
            assert found.pop(id(p)) == pytest.approx((rate, 0.1 if p.ndim > 1 else 0.0))
        assert not found
        optimiser.step()
        schedule.step()
    loaded = made.method.options.parse(name, made.checkpoint().options)
    assert loaded.b_rate == 16  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", methods.names())
def test_without_it_there_is_one_rate(name: str) -> None:
    made = methods.apply(tiny("bert"), name)
    assert made.rates() == {}
    groups = optimisation.optimizer(made.trained(), 1e-3, 0.1, made.rates()).param_groups
    assert {group["lr"] for group in groups} == {1e-3}
    assert len(groups) <= 2


def test_options_of_the_first_records_are_written_as_they_were() -> None:
    """So that their trials keep their ids."""
    first = {"rank", "alpha", "dropout", "target", "rank_stabilized"}
    assert LoraOptions().told().keys() == first
    set_now = LoraOptions(init="pissa", layers=(0,), b_rate=2)
    assert set_now.told().keys() == first | {"init", "layers", "b_rate"}
    assert LoraOptions.parse("lora", set_now.told()) == set_now

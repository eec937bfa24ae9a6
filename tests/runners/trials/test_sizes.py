"""Trials at other sizes: dtypes, few bits, parts of a batch, blocks computed again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForSequenceClassification,
    PreTrainedModel,
)

import methods
import tasks
from methods.core.twins import base_of
from runners import device, models, numerics, optimisation
from runners.errors import ModelError
from runners.measure import memory
from runners.measure.footprint import Setting, Workbench
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.plan.study import parse_study
from runners.trials import adapting
from runners.trials.trial import run_trial
from runners.work import checking
from tests.methods.cells import perturb
from tests.methods.conftest import build

BRIEF = CostSettings(latency_rounds=10, latency_length=8)
HALF = {"precision": "bfloat16", "base_dtype": "bfloat16"}
QUICK: dict[str, Any] = {"steps": 3, "evaluate_every": 3, "batch_size": 8, "scored_examples": 16}


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of two narrow blocks, wide enough to be packed, with the embedded model's tokenizer."""
    folder = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = AutoTokenizer.from_pretrained(models.location("embedded"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = AutoConfig.for_model("llama", vocab_size=len(tokenizer), intermediate_size=128, **sizes)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def spec(model: str, data: str, method: str = "lora", costs: Any = None, **protocol: Any) -> TrialSpec:
    return TrialSpec(
        model=model, task="cola", method=method, data=data, protocol=QUICK | protocol, costs=costs
    )


@pytest.mark.parametrize("method", [name for name in methods.names() if name != "full"])
def test_every_method_trains_in_float32_on_a_body_in_bfloat16(method: str, tiny_model: str) -> None:
    adapted = adapting.adapt(spec(tiny_model, "", method, **HALF), tasks.get("cola"))
    own = {id(p) for p in adapted.of_the_task().values()}
    assert {p.dtype for p in adapted.of_the_task().values()} == {torch.float32}
    frozen = [p for p in adapted.model.parameters() if id(p) not in own]
    assert all(p.dtype == torch.bfloat16 for p in frozen if p.ndim > 1)
    batch = {"input_ids": torch.arange(12).view(2, 6), "labels": torch.tensor([0, 1])}
    with torch.no_grad():
        assert torch.isfinite(adapted.model(**batch).loss)
    adapted.model.train()
    loss = adapted.model(**batch).loss
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in adapted.trained().values())


@pytest.mark.parametrize("method", [name for name in methods.names() if name != "full"])
def test_the_base_beside_a_method_that_was_widened_is_the_one_that_was_loaded(
    method: str, tiny_model: str
) -> None:
    """In dtype and in bits: the twin without the method, the model with it disabled or removed."""
    asked = spec(tiny_model, "", method, **HALF)
    device.seed_everything(asked.seed)
    task = tasks.get("cola")
    loaded = models.classifier(tiny_model, task, asked.protocol.numerics)
    batch = {"input_ids": torch.arange(12).view(2, 6)}
    with torch.no_grad():
        expected = loaded(**batch).logits
    adapted = adapting.adapt(asked, task)
    perturb(adapted)
    held = {name: (p.dtype, p.clone()) for name, p in adapted.trained().items()}

    def same(model: PreTrainedModel) -> None:
        with torch.no_grad():
            assert torch.equal(model(**batch).logits, expected)
        found = model.state_dict()
        for name, value in loaded.state_dict().items():
            assert found[name].dtype == value.dtype, name
            assert torch.equal(found[name], value), name

    same(base_of(adapted))
    for name, value in adapted.trained().items():
        assert value.dtype == held[name][0]
        assert torch.equal(value, held[name][1])
    with adapted.disabled(), torch.no_grad():
        assert torch.equal(adapted.model(**batch).logits, expected)
    with torch.no_grad():
        adapted.model(**batch)
    same(adapted.remove())


@pytest.mark.parametrize(
    ("model", "protocol"),
    [
        ("tiny_model", {"precision": "float16", "micro_batch": 3, "attention": "eager"}),
        ("decoder", {"quantization": "nf4", **HALF, "gradient_checkpointing": True}),
        ("decoder", {"quantization": "int8"}),
    ],
)
def test_a_whole_trial(
    model: str, protocol: dict[str, Any], glue_folder: str, request: pytest.FixtureRequest
) -> None:
    record = run_trial(spec(request.getfixturevalue(model), glue_folder, costs=BRIEF, **protocol))
    assert record.status == "completed", record.message
    assert record.gaps == {}
    assert {key: record.spec["protocol"][key] for key in protocol} == protocol
    assert record.training is not None
    assert (record.training.skipped_steps is not None) == (protocol.get("precision") == "float16")
    assert record.memory is not None
    assert record.parameters is not None
    assert record.memory.best_weights_bytes == 4 * record.parameters.trainable


def _classifier(tiny_model: str) -> tuple[Any, torch.Tensor]:
    return models.classifier(tiny_model, tasks.get("cola")), torch.arange(8) % 2


def _writer(tiny_model: str) -> tuple[Any, torch.Tensor]:
    """A loss over tokens: of each row another number is labelled, of one none."""
    labels = torch.arange(48).view(8, 6).masked_fill(torch.ones(8, 6, dtype=torch.bool).tril(), -100)
    return build("gpt2", "causal"), labels


@pytest.mark.parametrize(("of", "exact"), [(_classifier, 1e-12), (_writer, 1e-6)])
def test_parts_of_a_batch_add_up_to_the_batch(of: Any, exact: float, tiny_model: str) -> None:
    """Without dropout, which draws other numbers for other parts; a loss over tokens is one of float32."""
    gradients, losses = [], []
    for rows in (None, 3, 1):
        torch.manual_seed(0)
        model, labels = of(tiny_model)
        adapted = methods.apply(model.double().eval(), "bitfit")
        batch = {
            "input_ids": torch.arange(48).view(8, 6),
            "attention_mask": torch.ones(8, 6, dtype=torch.long).tril(3),
            "labels": labels,
        }
        trained = adapted.trained()
        before = {name: p.detach().clone() for name, p in trained.items()}
        made = torch.optim.SGD(trained.values(), lr=1.0)
        loss = optimisation.training_step(device.accelerator(), model, made, batch, 1e9, micro_batch=rows)
        losses.append(float(loss))
        gradients.append({name: before[name] - p.detach() for name, p in trained.items()})
    assert losses == pytest.approx([losses[0]] * 3, rel=exact)
    for other in gradients[1:]:
        for name, gradient in gradients[0].items():
            torch.testing.assert_close(other[name], gradient, rtol=1e3 * exact, atol=exact)


def test_what_overflows_in_float16_updates_nothing_and_is_counted() -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    made = optimisation.optimizer({"weight": weight}, 0.1, 0.0)
    scaling = optimisation.scaler("float16", torch.device("cpu"))
    assert scaling is not None
    assert optimisation.scaler("bfloat16", torch.device("cpu")) is None

    class Model(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return SimpleNamespace(loss=(x * weight).sum())

    for value in (float("inf"), 1.0, 1.0):
        batch = {"x": torch.full((2,), value)}
        optimisation.training_step(device.accelerator(), Model(), made, batch, 1.0, scaling=scaling)
        if value > 1:
            assert not weight.any()
    assert optimisation.updates(made) == 2
    assert weight.tolist() == pytest.approx([-0.2, -0.2], rel=1e-4)
    assert scaling.get_scale() == 2.0**15


def study(**changes: Any) -> Any:
    values = {"name": "sizes", "models": ["embedded"], "tasks": ["rotten_tomatoes"], "methods": ["lora"]}
    return parse_study(values | changes)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ({"micro_batch": 64}, "micro_batch=64 is a part of a batch, and batch_size=32: expected at most 32"),
        ({"base_dtype": "bfloat16"}, "precision=float32: expected precision: bfloat16"),
        ({"base_dtype": "bfloat16", "precision": "float16"}, "expected precision: bfloat16"),
        ({"precision": "float64"}, "precision='float64' is not valid"),
        ({"quantization": "int4"}, "quantization='int4' is not valid"),
        ({"attention": "flash"}, "attention='flash' is not valid"),
    ],
)
def test_settings_that_contradict_each_other(protocol: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        study(protocol=protocol)


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "PACKING", "no_such_package")
    with pytest.raises(SpecError, match="needs the package no_such_package: pip install no_such_package"):
        study(protocol={"quantization": "nf4"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ["full"], "protocol": HALF}, "full trains every weight of the base, in float32"),
        ({"methods": ["full"], "protocol": {"quantization": "nf4"}}, "quantization=nf4: full trains .*lora"),
        ({"methods": ["said"], "protocol": {"quantization": "int8"}}, "quantization=int8: said trains"),
    ],
)
def test_what_a_method_cannot_do_is_said_before_the_first_trial(changes: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        checking.check(study(**changes))


def test_what_a_model_cannot_do_is_said_before_the_first_trial(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = BertForSequenceClassification
    monkeypatch.setattr(own, "supports_gradient_checkpointing", False)
    monkeypatch.setattr(own, "_supports_sdpa", False)
    for protocol, words in (
        ({"gradient_checkpointing": True}, "gradient_checkpointing cannot be had of BertForSequence"),
        ({"attention": "sdpa"}, "has no attention 'sdpa'"),
    ):
        with pytest.raises(ModelError, match=words):
            checking.check(study(models=[tiny_model], protocol=protocol))


def test_what_is_slow_here_is_said(tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for fast, lines in ((True, 0), (False, 1)):
        said: list[str] = []
        monkeypatch.setattr(device, "has_products_of", lambda dtype, fast=fast: fast)
        checking.check(study(models=[tiny_model], protocol={"precision": "bfloat16"}), said.append)
        assert len(said) == lines


def test_ids_and_variants_of_before_stay() -> None:
    plain = spec("embedded", "")
    assert plain.trial_id == spec("embedded", "", precision="float32", micro_batch=None).trial_id
    others = [
        {"precision": "bfloat16"},
        HALF,
        {"quantization": "nf4"},
        {"micro_batch": 4},
        {"gradient_checkpointing": True},
        {"attention": "eager"},
    ]
    assert len({plain.trial_id, *(spec("embedded", "", **other).trial_id for other in others)}) == 7


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_classifiers_fill_no_cache_and_score_the_same(kind: str, decoder: str, tmp_path: Path) -> None:
    where = decoder
    if kind == "gpt2":
        config = AutoConfig.for_model("gpt2", n_embd=32, n_layer=2, n_head=2, vocab_size=99, pad_token_id=0)
        AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
        where = str(tmp_path)
    model = models.classifier(where, tasks.get("cola"))
    ids = torch.arange(3, 33).view(3, 10)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids).tril(7)}
    with torch.inference_mode():
        found, cached = model(**batch), model(**batch, use_cache=True)
    assert found.past_key_values is None
    assert cached.past_key_values is not None
    assert torch.equal(found.logits, cached.logits)
    peaks = [
        memory.measure_peak(lambda own=own: model(**batch, **own), model, "cpu", steps=1).peak_bytes
        for own in ({}, {"use_cache": True})
    ]
    assert peaks[0] < peaks[1]
    for source in ("measured", "predicted"):
        bench = Workbench(Setting(where, 2, 8), source)
        assert bench._model.config.use_cache is False

"""What is predicted from a configuration alone is what real steps need."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig

import methods
from methods import MethodError
from reports.text import size
from runners import models
from runners.errors import ModelError
from runners.measure import footprint
from runners.measure.footprint import Footprint, Setting, Workbench
from runners.numerics import Numerics
from runners.plan.errors import SpecError
from runners.untrained import untrained

GPT2 = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 500, "n_positions": 96}
BERT = {
    "num_hidden_layers": 2,
    "hidden_size": 192,
    "num_attention_heads": 6,
    "intermediate_size": 768,
    "vocab_size": 4000,
    "max_position_embeddings": 128,
}
SMALL = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 120,
    "pad_token_id": 0,
}
TOLERANCE = 0.03
FLOAT = 4  # bytes


def folder(path: Path, architecture: str, **sizes: Any) -> str:
    """A model folder that holds nothing but a configuration."""
    AutoConfig.for_model(architecture, **sizes).save_pretrained(path)
    return str(path)


def both(setting: Setting) -> dict[str, Workbench]:
    return {source: Workbench(setting, source) for source in ("measured", "predicted")}


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Workbench]]:
    """The embedded model and geometries of BERT and of GPT-2, real and fake."""
    gpt2, bert = (tmp_path_factory.mktemp(name) for name in ("gpt2", "bert"))
    return {
        "embedded": both(Setting("embedded", 2, 24)),
        "bert": both(Setting(folder(bert, "bert", **BERT), 2, 24)),
        "gpt2": both(Setting(folder(gpt2, "gpt2", **GPT2), 4, 48)),
    }


def assert_agree(measured: Footprint, predicted: Footprint) -> None:
    """All figures but the smallest, which are rounding on the whole, within the tolerance."""
    peak = measured.peak_training_bytes
    for field, value in dataclasses.asdict(measured).items():
        if field == "how":
            assert (value, predicted.how) == ("tensors", "fake_tensors")
        elif field == "optimizer":
            assert value == predicted.optimizer == "fused"
        else:
            assert getattr(predicted, field) == pytest.approx(value, rel=TOLERANCE, abs=peak / 1000), field


@pytest.mark.parametrize(
    ("model", "method"),
    [
        *(("embedded", name) for name in ("full", "head", "lora", "lin", "prefix")),
        *(("bert", name) for name in methods.names()),
        *(("gpt2", name) for name in ("full", "lora", "dora", "ia3", "houlsby", "prefix", "prompt", "said")),
    ],
)
def test_predicted_is_measured(model: str, method: str, benches: dict[str, dict[str, Workbench]]) -> None:
    found = {source: bench.footprint(method, {}) for source, bench in benches[model].items()}
    assert_agree(found["measured"], found["predicted"])
    for one in found.values():
        kinds = [getattr(one, field.name) for field in dataclasses.fields(footprint.memory.Split)]
        assert sum(kinds) == one.peak_training_bytes
        assert one.peak_inference_bytes < one.peak_training_bytes


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("llama", {"num_key_value_heads": 2}),  # no dropout: fused attention
        ("bert", {"dtype": "bfloat16"}),
        ("bert", {"batch_size": 1}),  # no padding, no mask
        ("gpt2", {"objective": "language-modeling"}),
        ("t5", {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}),
    ],
)
def test_other_heads_types_and_architectures(
    architecture: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    own = {k: v for k, v in changes.items() if k in {field.name for field in dataclasses.fields(Setting)}}
    sizes = SMALL | {k: v for k, v in changes.items() if k not in own}
    setting = Setting(
        folder(tmp_path, architecture, **sizes), **({"batch_size": 3} | own), sequence_length=16
    )
    for method in ("lora", "prompt"):
        found = {source: bench.footprint(method, {}) for source, bench in both(setting).items()}
        assert_agree(found["measured"], found["predicted"])


@pytest.mark.parametrize(
    ("stored", "micro_batch"),
    [
        ({"precision": "float16"}, 2),
        ({"precision": "bfloat16", "base_dtype": "bfloat16", "gradient_checkpointing": True}, None),
        ({"attention": "eager"}, 3),
    ],
)
def test_how_a_trial_stores_and_computes(
    stored: dict[str, Any], micro_batch: int | None, tmp_path: Path
) -> None:
    path = folder(tmp_path, "llama", **SMALL)
    setting = Setting(path, 4, 16, stored=Numerics(**stored), micro_batch=micro_batch)
    plain = Workbench(Setting(path, 4, 16), "predicted")
    found = {source: bench.footprint("lora", {}) for source, bench in both(setting).items()}
    assert dataclasses.replace(found["predicted"], how="tensors") == found["measured"]
    assert found["predicted"].activations_bytes != plain.footprint("lora", {}).activations_bytes


def test_few_bits_can_only_be_measured(tmp_path: Path) -> None:
    setting = Setting(folder(tmp_path, "llama", **SMALL), 2, 8, stored=Numerics(quantization="int8"))
    with pytest.raises(SpecError, match=r"int8 cannot be predicted.*measure it instead"):
        Workbench(setting, "predicted")
    packed = Workbench(setting, "measured").footprint("lora", {})
    whole = Workbench(dataclasses.replace(setting, stored=Numerics()), "measured").footprint("lora", {})
    assert packed.parameters_bytes < whole.parameters_bytes
    assert packed.checkpoint_bytes == whole.checkpoint_bytes


def test_closed_forms(benches: dict[str, dict[str, Workbench]]) -> None:
    """What follows from counts alone: the weights, and on a tiny batch a gradient and two moments of each."""
    bench = Workbench(Setting("embedded", 1, 2), "predicted")
    found = bench.footprint("full", {})
    weights = 22_713_986 * FLOAT
    assert found.checkpoint_bytes == found.gradients_bytes == weights
    assert found.optimizer_bytes == pytest.approx(2 * weights, rel=1e-4)
    assert found.parameters_bytes == pytest.approx(weights, rel=1e-3)  # and the buffers
    lora = bench.footprint("lora", {"rank": 8})
    assert lora.checkpoint_bytes == (73_728 + 770) * FLOAT
    assert lora.optimizer_bytes == pytest.approx(2 * lora.checkpoint_bytes, rel=1e-3)


def test_the_page_on_gpt3_has_the_figures_that_follow_from_counts() -> None:
    page = (Path(__file__).parents[3] / "docs" / "gpt3-memory.md").read_text()
    adapted = methods.apply(models.skeleton("gpt3-175b"), "lora", rank=4)
    base, lora = adapted.parameter_counts()["base"], adapted.stored_count()
    assert f"| the whole model | {base:,} | {size(2 * base)} | {size(4 * base)} |" in page
    assert f"| {lora:,} | {size(2 * lora)} | {size(4 * lora)} |" in page
    assert f"the exact factor is {base / lora:,.0f}" in page
    for each in (8, 12, 16):
        assert f"= {each} | {size(each * base)} |" in page
    assert f"in\n2 bytes each that is {size(2 * lora)}, or {2 * lora / 2**20:.1f} MiB" in page
    assert f"which is\n  {8 * base / 2**40:.2f} TiB" in page


def test_inference_is_of_what_a_checkpoint_keeps(benches: dict[str, dict[str, Workbench]]) -> None:
    """The prefix without the MLP that makes it while it trains."""
    bench = benches["gpt2"]["predicted"]
    large, small = (bench.footprint("prefix", {"length": 4, "hidden": hidden}) for hidden in (2048, 16))
    assert large.peak_inference_bytes == small.peak_inference_bytes
    assert large.checkpoint_bytes == small.checkpoint_bytes
    assert large.parameters_bytes > 3 * small.parameters_bytes


def test_half_precision_halves_what_is_kept_not_what_a_kernel_computes_in_float32(tmp_path: Path) -> None:
    path = folder(tmp_path, "gpt2", **GPT2)
    whole, half = (
        Workbench(Setting(path, 4, 48, dtype), "predicted").footprint("lora", {})
        for dtype in ("float32", "float16")
    )
    # What LoRA trains is float32 on both, the head is of the base and half as large.
    assert whole.checkpoint_bytes / 2 < half.checkpoint_bytes < whole.checkpoint_bytes
    trained = half.checkpoint_bytes
    assert half.parameters_bytes - trained / 2 == pytest.approx(whole.parameters_bytes / 2, rel=0.02)
    assert whole.peak_training_bytes / 2 < half.peak_training_bytes < whole.peak_training_bytes


def test_a_prediction_allocates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPT-2 medium's 355 million weights are all fake, and no memory is asked for."""
    monkeypatch.setattr(footprint.devices, "available_bytes", lambda device: 0)
    bench = Workbench(Setting("gpt2-medium", 1, 16), "predicted")
    assert all(type(p.data).__name__ == "FakeTensor" for p in bench._model.parameters())
    assert bench.footprint("lora", {}).parameters_bytes > 1.4e9


def test_what_does_not_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def free(count: int) -> None:
        monkeypatch.setattr(footprint.devices, "available_bytes", lambda device: count)

    free(10**9)
    with pytest.raises(
        SpecError, match=r"the weights on 'gpt3-175b' needs 698\.\d GB at least, cpu has 1\.0"
    ):
        Workbench(Setting("gpt3-175b", 1, 8), "measured")
    bench = Workbench(Setting("embedded", 1, 8), "measured")
    free(200 * 10**6)
    with pytest.raises(SpecError, match=r"training full on 'embedded' needs another 0\.3 GB"):
        bench.footprint("full", {})
    assert bench.footprint("head", {}).how == "tensors"  # the model is whole again


def test_running_out_of_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    bench = Workbench(Setting("embedded", 1, 8), "measured")
    with monkeypatch.context() as patch:
        patch.setattr(footprint.optimisation, "training_step", refuse)
        with pytest.raises(SpecError, match="lora on 'embedded' ran out of memory on cpu: predict it"):
            bench.footprint("lora", {})
    assert not hasattr(bench._model, "_paretune_method")


def test_a_computation_on_values_cannot_be_predicted() -> None:
    bench = Workbench(Setting("embedded", 1, 8), "predicted")
    hook = bench._model.register_forward_pre_hook(lambda module, args: torch.randn(1).item())
    with pytest.raises(ModelError, match=r"'embedded' with lora cannot be predicted.*_local_scalar_dense"):
        bench.footprint("lora", {})
    hook.remove()
    assert bench.footprint("lora", {}).peak_training_bytes > 0


@pytest.mark.parametrize(
    ("arguments", "method", "words"),
    [
        (
            {"sequence_length": 513},
            "lora",
            "received a length of 513, but 'embedded' with lora takes at most 512",
        ),
        ({"sequence_length": 500}, "prompt", "with prompt takes at most 492 tokens"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: dict[str, Any], method: str, words: str) -> None:
    bench = Workbench(
        Setting(**({"model": "embedded", "batch_size": 1, "sequence_length": 8} | arguments)), "predicted"
    )
    with pytest.raises(SpecError, match=words):
        bench.footprint(method, {})
    with pytest.raises(MethodError, match="did you mean lora"):
        bench.footprint("lra", {})


def test_settings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no dtype 'float8'; did you mean float"):
        Setting("embedded", 1, 1, "float8")
    with pytest.raises(SpecError, match="expected one of the two"):
        Setting("embedded", 1, 1, "bfloat16", stored=Numerics(precision="bfloat16"))
    with pytest.raises(SpecError, match="expected at most 1"):
        Setting("embedded", 1, 1, micro_batch=2)
    with pytest.raises(
        ModelError, match=r"no head for translation; .*Valid: classification, language-modeling"
    ):
        untrained("embedded", "translation")
    with pytest.raises(ModelError, match=r"no head for classification; .*Valid: language-modeling"):
        untrained(folder(tmp_path, "t5"), "classification")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(ModelError, match="no head for training"):
        untrained(str(tmp_path))

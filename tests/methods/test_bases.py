"""Bases that people really tune: half precision, caches, shared weights, experts; moved and copied."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    DynamicCache,
    PreTrainedModel,
)

import methods
from methods import MergeError, MethodError
from methods.anatomy import Anatomy
from methods.core import change, standing_in
from methods.core.places import Place

from .cells import OPTIONS, apply, equal, perturb, state
from .conftest import GROUPED, SIZES, inputs, logits, text, tiny

OWN_TENSORS = ("lora", "dora", "vera", "ia3", "houlsby", "lin", "pfeiffer", "parallel", "prefix", "prompt")
OWN_TENSORS += ("did", "said")
MERGEABLE = [name for name in methods.names() if methods.get(name).mergeable]


def other(kind: str, auto: Any = AutoModelForCausalLM, **changes: Any) -> PreTrainedModel:
    """A tiny random model of a type that has no layout."""
    torch.manual_seed(0)
    sizes = SIZES | {"num_labels": 3} | changes
    return auto.from_config(AutoConfig.for_model(kind, **sizes)).eval()


# Half precision -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", OWN_TENSORS)
def test_every_entry_moves_on_a_half_precision_base(name: str, dtype: torch.dtype) -> None:
    model = tiny("llama", "causal", dtype=dtype)
    base = {id(p) for p in model.parameters()}
    adapted = apply(model, name)
    if name in ("prefix", "prompt", "houlsby", "lin", "pfeiffer"):
        own = {n: p for n, p in adapted.trained().items() if id(p) not in base}
    else:
        own = adapted.trained()
    perturb(adapted, 0.05)
    start = {n: p.detach().clone() for n, p in own.items()}
    optimizer = torch.optim.AdamW(list(own.values()), lr=methods.get(name).card.learning_rate)
    batch = text(model)
    for _ in range(10):
        model(**batch, labels=batch["input_ids"]).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert {p.dtype for p in own.values()} == {torch.float32}
    moved = sum(int((p != start[n]).sum()) for n, p in own.items())
    assert all(torch.isfinite(p).all() for p in own.values())
    # A factor whose gradient is exactly zero (an inactive ReLU) rightly stays.
    assert moved >= 0.9 * sum(p.numel() for p in own.values())
    assert logits(model, batch).dtype == dtype


def test_the_dtype_can_be_asked_for() -> None:
    model = tiny("llama", "causal", dtype=torch.bfloat16)
    adapted = methods.apply(model, "lora", dtype=torch.bfloat16)
    assert {p.dtype for p in adapted.trained().values()} == {torch.bfloat16}
    assert logits(model, text(model)).dtype == torch.bfloat16
    double = methods.apply(tiny("bert", dtype=torch.float64), "lora")
    assert {p.dtype for p in double.trained().values()} == {torch.float64}


@pytest.mark.parametrize("name", OWN_TENSORS)
def test_a_float32_adapter_stays_float32_on_a_half_base(name: str, tmp_path: Path) -> None:
    whole = apply(tiny("gpt2", "causal"), name)
    perturb(whole)
    whole.save(tmp_path)
    model = tiny("gpt2", "causal", dtype=torch.bfloat16)
    base = {id(p) for p in model.parameters()}
    loaded = methods.load(model, tmp_path)
    saved = whole.checkpoint().tensors
    for key, parameter in loaded.trained().items():
        if id(parameter) not in base:
            assert parameter.dtype == torch.float32
            assert torch.equal(parameter, saved[key])


@pytest.mark.parametrize("name", ["lora", "dora", "vera", "ia3"])
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "gpt_neox"])
def test_a_layer_returns_what_its_base_returns_under_autocast(name: str, architecture: str) -> None:
    model, x = tiny(architecture), torch.randn(2, 5, 32)
    site = Anatomy(model).sites("value")[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = site.module(x).dtype
        perturb(apply(model, name))
        assert site.module(x).dtype == expected


@pytest.mark.parametrize("name", ["lora", "vera", "dora", "ia3"])
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "gpt_neox", "phi3"])
def test_a_layer_takes_one_vector_as_a_linear_layer_does(name: str, architecture: str) -> None:
    model = tiny(architecture)
    adapted = apply(model, name)
    perturb(adapted)
    for site in adapted.anatomy.sites("value"):
        x = torch.randn(3, 32)
        alone, among = site.module(x[1]), site.module(x)
        assert alone.shape == among.shape[1:]
        assert torch.allclose(alone, among[1], atol=1e-5)


@pytest.mark.parametrize(
    "name", ["houlsby", "lin", "pfeiffer", "parallel", "lora", "vera", "ia3", "prefix", "prompt"]
)
def test_a_base_of_mixed_dtype_runs(name: str, tmp_path: Path) -> None:
    model = tiny("t5", "seq2seq")
    model.save_pretrained(tmp_path)
    mixed = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path, dtype=torch.float16)
    assert len({p.dtype for p in mixed.parameters()}) == 2
    perturb(apply(mixed, name))
    assert torch.isfinite(logits(mixed, inputs(mixed))).all()


def test_dora_leaves_rows_of_zeros_at_zero() -> None:
    model = tiny("bert")
    query = model.bert.encoder.layer[0].attention.self.query
    query.weight.data[3] = 0
    batch = inputs(model)
    before = logits(model, batch)
    adapted = apply(model, "dora")
    assert torch.equal(logits(model, batch), before)
    perturb(adapted)
    unmerged = logits(model, batch)
    adapted.merge()
    assert torch.allclose(logits(model, batch), unmerged, atol=1e-5)


# What is there is what counts -----------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in methods.names() if name != "full"])
def test_replaced_parameters_are_the_ones_that_are_seen(name: str, tmp_path: Path) -> None:
    model = tiny("bert")
    adapted = apply(model, name)
    perturb(adapted)
    model.load_state_dict({k: v.clone() for k, v in model.state_dict().items()}, assign=True)
    live = {id(p) for p in model.parameters()}
    assert all(id(p) in live for p in adapted.trained().values())
    for parameter in adapted.trained().values():
        parameter.data.mul_(1.5)
    batch = inputs(model)
    fresh = methods.load(tiny("bert"), adapted.save(tmp_path))
    assert torch.equal(logits(fresh.model, batch), logits(model, batch))


@pytest.mark.parametrize("name", MERGEABLE)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_may_be_cast_while_it_is_merged(name: str, dtype: torch.dtype) -> None:
    model, twin = tiny("llama", "causal"), tiny("llama", "causal")
    adapted, beside = apply(model, name), apply(twin, name)
    perturb(adapted)
    perturb(beside)
    adapted.merge()
    model.to(dtype)
    adapted.unmerge()
    twin.to(dtype)
    batch = text(model)
    assert equal(state(model), state(twin))
    assert torch.equal(logits(model, batch), logits(twin, batch))
    adapted.merge()
    adapted.remove()
    assert {p.dtype for p in model.parameters()} == {dtype}


def test_a_move_alone_is_no_cast() -> None:
    """What trains in float32 on a half-precision base stays so: the meta device stands for another one."""
    for move in ({"device": torch.device("meta")}, {"dtype": torch.float16}, {}):
        layer = nn.Linear(3, 2).to(torch.bfloat16)
        kept = standing_in.stand_in([([Place(layer, "weight")], torch.ones(2, 3))])
        layer.to(**move)
        assert standing_in.moves(kept) == move


@pytest.mark.parametrize("name", ["lora", "dora", "vera", "ia3"])
def test_layers_that_share_a_weight_merge_apart_and_come_back(name: str) -> None:
    model = tiny("llama", "causal")
    first, second = (layer.self_attn for layer in model.model.layers)
    second.v_proj.weight = first.v_proj.weight
    batch = text(model)
    base = logits(model, batch)
    adapted = apply(model, name)
    perturb(adapted)
    unmerged = logits(model, batch)
    adapted.merge()
    assert torch.allclose(logits(model, batch), unmerged, atol=1e-4)
    adapted.unmerge()
    assert torch.equal(logits(model, batch), unmerged)
    adapted.remove()
    assert torch.equal(logits(model, batch), base)
    assert second.v_proj.weight is first.v_proj.weight


@pytest.mark.parametrize("name", methods.names())
def test_a_model_is_copied_and_pickled_with_its_method(name: str) -> None:
    model = tiny("bert")
    perturb(apply(model, name))
    batch = inputs(model)
    before = logits(model, batch)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for twin in (copy.deepcopy(model), torch.load(file, weights_only=False)):
        assert torch.equal(logits(twin, batch), before)
        handle = methods.adapted(twin)
        assert handle.model is twin
        perturb(handle, 1.0)
        assert torch.equal(logits(model, batch), before)
        handle.remove()
        assert equal(state(twin), state(tiny("bert")))


def test_a_lost_handle_is_found_again() -> None:
    model = tiny("bert")
    with pytest.raises(MethodError, match="BertForSequenceClassification holds no method"):
        methods.adapted(model)
    adapted = apply(model, "lora")
    assert methods.adapted(model) is adapted
    adapted.remove()
    with pytest.raises(MethodError, match="holds no method"):
        methods.adapted(model)


# All or nothing -------------------------------------------------------------------------------


def failing(nth: int, kind: type[BaseException] = torch.OutOfMemoryError) -> Callable[..., Any]:
    """Wrap a function so that its n-th call fails."""

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        count = 0

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == nth:
                raise kind("no memory")
            return function(*args, **kwargs)

        return call

    return wrap


@pytest.mark.parametrize("name", [name for name in OWN_TENSORS if name != "said"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_an_apply_that_fails_leaves_nothing(name: str, nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("bert")
    before, modules = state(model), [type(m) for m in model.modules()]
    flags = [p.requires_grad for p in model.parameters()]
    with monkeypatch.context() as patch:
        patch.setattr(nn.Parameter, "__new__", failing(nth)(nn.Parameter.__new__))
        try:
            apply(model, name)
        except torch.OutOfMemoryError:
            pass
        else:
            methods.adapted(model).remove()  # it makes fewer
    assert equal(state(model), before)
    assert [type(m) for m in model.modules()] == modules
    assert [p.requires_grad for p in model.parameters()] == flags
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    apply(model, name)  # and another attempt works


@pytest.mark.parametrize("name", MERGEABLE)
def test_a_merge_that_fails_leaves_the_model_unmerged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("bert")
    adapted = apply(model, name)
    perturb(adapted)
    before, batch = state(model), inputs(model)
    expected = logits(model, batch)
    for nth in (1, 3):
        with monkeypatch.context() as patch:
            patch.setattr(nn.Parameter, "__new__", failing(nth)(nn.Parameter.__new__))
            with pytest.raises(torch.OutOfMemoryError):
                adapted.merge()
        assert not adapted.merged
        assert equal(state(model), before)
        assert torch.equal(logits(model, batch), expected)
    adapted.merge()
    assert torch.allclose(logits(model, batch), expected, atol=1e-4)


def test_a_switch_that_fails_keeps_what_was_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("bert")
    adapted = apply(model, "lora")
    there = methods.apply(tiny("bert"), "lora", rank=5)
    perturb(there)
    perturb(adapted, 0.2)
    adapted.merge()
    before, batch = state(model), inputs(model)
    for checkpoint in (there.checkpoint(), apply(tiny("bert"), "lora").checkpoint()):
        with monkeypatch.context() as patch:
            patch.setattr(change, "stand_in", failing(2)(change.stand_in))
            with pytest.raises(torch.OutOfMemoryError):
                adapted.switch(checkpoint)
        assert adapted.merged
        assert equal(state(model), before)
        assert torch.isfinite(logits(model, batch)).all()
    with pytest.raises(MergeError, match="already merged"):
        adapted.merge()


# Caches and positions -------------------------------------------------------------------------

STEPS: dict[str, Any] = {
    "max_new_tokens": 5,
    "min_new_tokens": 5,
    "do_sample": False,
    "output_logits": True,
    "return_dict_in_generate": True,
}


def written(model: PreTrainedModel, ids: Tensor, **more: Any) -> Tensor:
    """The logits of five generated tokens, (steps, batch, vocabulary)."""
    made = model.generate(ids, attention_mask=torch.ones_like(ids), **STEPS, **more)
    return torch.stack(made.logits)


@pytest.mark.parametrize("architecture", ["llama", "mistral", "gpt2", "qwen3", "gpt_neox"])
def test_prefix_with_a_static_cache_is_prefix(architecture: str) -> None:
    model = tiny(architecture, "causal")
    perturb(apply(model, "prefix"), 0.5)
    ids = text(model, (9,))["input_ids"]
    plain = written(model, ids, use_cache=False)
    for more in ({}, {"cache_implementation": "static"}):
        assert torch.allclose(written(model, ids, **more), plain, atol=1e-4)


@pytest.mark.parametrize("name", ["prefix", "prompt"])
@pytest.mark.parametrize("architecture", ["llama", "mistral", "gpt2"])
def test_chunked_prefill_equals_one_pass(name: str, architecture: str) -> None:
    model = tiny(architecture, "causal")
    perturb(apply(model, name), 0.5)
    ids = text(model, (11,))["input_ids"]
    whole, cache, parts = logits(model, {"input_ids": ids}), DynamicCache(config=model.config), []
    with torch.no_grad():
        for part in ids.split(4, dim=1):
            out = model(input_ids=part, past_key_values=cache, use_cache=True)
            parts.append(out.logits)
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-4)


@pytest.mark.parametrize("name", ["prefix", "prompt"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_beams_with_a_cache_are_beams_without(name: str, architecture: str) -> None:
    model = tiny(architecture, "causal")
    perturb(apply(model, name), 0.5)
    ids = text(model, (7,))["input_ids"]
    settings = {"num_beams": 3, "max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    one, two = (model.generate(ids, use_cache=use, **settings) for use in (True, False))
    assert torch.equal(one, two)


@pytest.mark.parametrize("implementation", ["eager", "sdpa"])
@pytest.mark.parametrize("architecture", ["bert", "llama", "gpt2", "t5"])
def test_another_attention_keeps_the_prefix(architecture: str, implementation: str) -> None:
    model = tiny(architecture)
    apply(model, "prefix")
    batch = inputs(model)
    before = logits(model, batch)
    model.set_attn_implementation(implementation)
    assert torch.allclose(logits(model, batch), before, atol=1e-5)
    methods.adapted(model).remove()
    assert model.config._attn_implementation == implementation
    assert not torch.allclose(logits(model, batch), before, atol=1e-3)


def test_models_of_one_configuration_do_not_meet() -> None:
    first = tiny("llama", "causal")
    second = copy.deepcopy(first)
    second.config = first.config
    for module in second.modules():
        if hasattr(module, "config"):
            module.config = first.config
    batch = text(first)
    base = logits(second, batch)
    apply(first, "prefix")
    assert torch.equal(logits(second, batch), base)
    apply(second, "prefix")
    assert torch.equal(logits(second, batch), logits(first, batch))


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "opt", "gpt_neox"])
def test_a_prompt_goes_on_from_a_cache_that_it_returned(architecture: str) -> None:
    model = tiny(architecture, "causal")
    perturb(apply(model, "prompt"), 0.5)
    ids = text(model, (9,))["input_ids"]
    with torch.no_grad():
        first = model(input_ids=ids[:, :6], use_cache=True).past_key_values
    assert first.get_seq_length() == 6
    assert torch.allclose(written(model, ids, past_key_values=first), written(model, ids), atol=1e-4)


def test_a_cache_without_the_prompt_is_refused() -> None:
    model = tiny("llama", "causal")
    ids = text(model, (6,))["input_ids"]
    with torch.no_grad():
        filled = model(input_ids=ids, use_cache=True).past_key_values
    apply(model, "prompt")
    with pytest.raises(MethodError, match="filled without this prompt"):
        model(input_ids=ids, past_key_values=filled)


@pytest.mark.parametrize("architecture", ["bert", "llama", "modernbert"])
@pytest.mark.parametrize("as_dict", [True, False])
def test_hidden_states_are_as_long_as_the_input(architecture: str, as_dict: bool) -> None:
    model = tiny(architecture)
    apply(model, "prompt")
    ids = text(model, (7,))["input_ids"]
    with torch.no_grad():
        out = model.base_model(input_ids=ids, output_hidden_states=True, return_dict=as_dict)
    states = out.hidden_states if as_dict else next(part for part in out if isinstance(part, tuple))
    assert {one.shape[1] for one in (out[0], *states)} == {7}


# Any model answers ----------------------------------------------------------------------------

EXPERTS: dict[str, dict[str, Any]] = {
    "mixtral": GROUPED | {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": GROUPED
    | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "decoder_sparse_step": 1},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "gpt_oss": GROUPED | {"num_local_experts": 4, "num_experts_per_tok": 2},
}


@pytest.mark.parametrize("kind", EXPERTS)
def test_mixtures_of_experts_take_what_does_not_touch_the_experts(kind: str) -> None:
    ids = torch.randint(4, 120, (2, 7), generator=torch.Generator().manual_seed(1))
    for name in ("lora", "dora", "vera", "ln", "lin", "pfeiffer", "prefix", "prompt", "top_layers", "full"):
        model = other(kind, **EXPERTS[kind])
        base = logits(model, {"input_ids": ids})
        adapted = methods.apply(model, name, **OPTIONS.get(name, {}))
        perturb(adapted)
        assert not torch.equal(logits(model, {"input_ids": ids}), base)
        if adapted.method.mergeable:
            adapted.merge()
        adapted.remove()
        assert torch.equal(logits(model, {"input_ids": ids}), base)
    for name in ("ia3", "houlsby", "parallel"):
        with pytest.raises(MethodError, match="mixture of experts"):
            methods.apply(other(kind, **EXPERTS[kind]), name)
    with pytest.raises(MethodError, match="mixture of experts"):
        methods.apply(other(kind, **EXPERTS[kind]), "lora").flops(1, 8)


@pytest.mark.parametrize(
    ("kind", "causal", "changes"),
    [
        ("xglm", True, {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48}),
        ("gpt_neo", True, {"attention_types": [[["global"], 2]], "num_layers": 2, "num_heads": 4}),
        ("biogpt", True, {}),
        ("ernie", False, {}),
        ("roc_bert", False, {}),
        ("data2vec-text", False, {"pad_token_id": 1}),
    ],
)
def test_a_search_tells_causal_models_by_trying(kind: str, causal: bool, changes: dict[str, Any]) -> None:
    model = other(kind, AutoModel, **changes)
    assert Anatomy(model).layouts[0].causal == causal


def test_left_padding_changes_nothing_under_a_prompt() -> None:
    model = other("xglm", d_model=32, num_layers=2, attention_heads=4, ffn_dim=48)
    perturb(methods.apply(model, "prompt", length=4), 0.5)
    ids = torch.randint(4, 120, (2, 9), generator=torch.Generator().manual_seed(1))
    padded = nn.functional.pad(ids, (3, 0))
    mask = nn.functional.pad(torch.ones_like(ids), (3, 0))
    places = (mask.cumsum(1) - 1).clamp(min=0)
    shifted = logits(model, {"input_ids": padded, "attention_mask": mask, "position_ids": places})
    assert torch.allclose(shifted[:, 3:], logits(model, {"input_ids": ids}), atol=1e-4)


@pytest.mark.parametrize("name", ["lora", "prompt"])
def test_the_longest_input_runs_where_positions_begin_behind_the_padding(name: str) -> None:
    model = other("data2vec-text", AutoModelForSequenceClassification, pad_token_id=1)
    adapted = methods.apply(model, name, **OPTIONS[name])
    assert adapted.max_input_length == 64 - 2 - (4 if name == "prompt" else 0)
    ids = torch.randint(4, 120, (1, adapted.max_input_length))
    assert torch.isfinite(logits(model, {"input_ids": ids})).all()


@pytest.mark.parametrize("name", [name for name in methods.names() if name != "head"])
def test_a_model_of_several_models_is_answered(name: str) -> None:
    torch.manual_seed(0)
    sizes = {key: value for key, value in SIZES.items() if key != "num_labels"}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.Gemma3Config(
        text_config={"model_type": "gemma3_text", **sizes, **GROUPED},
        vision_config=vision | {"image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
    )
    model = transformers.Gemma3ForConditionalGeneration(config)
    if name in ("full", "bitfit", "ln", "did"):  # they need to know no part of it
        assert methods.apply(model, name).trained()
        return
    with pytest.raises(MethodError, match=r"pass its text part \(gemma3_text\) alone|has no "):
        methods.apply(model, name)


@pytest.mark.parametrize("name", ["lora", "bitfit", "full", "head", "prefix", "prompt", "did"])
def test_the_head_of_a_body_that_is_the_whole_model(name: str) -> None:
    torch.manual_seed(0)
    sizes = {"vocab_size": 120, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    model = transformers.T5ForQuestionAnswering(transformers.T5Config(**sizes, decoder_start_token_id=0))
    total = sum(p.numel() for p in model.parameters())
    if name == "bitfit":
        with pytest.raises(MethodError, match="no biases"):
            apply(model, name)
        return
    adapted = apply(model, name)
    counts = adapted.parameter_counts()
    size = 2 * 32 + 2  # qa_outputs
    assert counts["base"] == total - size
    assert counts["head"] == (0 if name == "did" else size)
    assert "head.qa_outputs.bias" in adapted.of_the_task()


def test_what_a_model_keeps_frozen_stays_frozen() -> None:
    model = tiny("distilbert", sinusoidal_pos_embds=True)
    table = model.distilbert.embeddings.position_embeddings.weight
    table.requires_grad_(False)
    adapted = apply(model, "full")
    assert not table.requires_grad
    counts = adapted.parameter_counts()
    assert counts["method"] == counts["base"] - table.numel()
    assert sum(adapted.parts().values()) == counts["method"]
    frozen = tiny("bert").requires_grad_(False)  # by its user, whole: that says nothing
    counts = methods.apply(frozen, "full").parameter_counts()
    assert counts["method"] == counts["base"]


def test_biases_are_biases_whatever_they_are_called() -> None:
    model = other("gpt_oss", **EXPERTS["gpt_oss"])
    trained = methods.apply(model, "bitfit").trained()
    assert any(name.endswith("down_proj_bias") for name in trained)
    assert any(name.endswith("q_proj.bias") for name in trained)


def test_a_checkpoint_is_of_its_architecture(tmp_path: Path) -> None:
    adapted = apply(tiny("llama", "causal"), "lora")
    adapted.save(tmp_path)
    model = tiny("mistral", "causal")
    before = state(model)
    with pytest.raises(MethodError, match=r"trained on llama, and .*\(mistral\) is another architecture"):
        methods.load(model, tmp_path)
    assert equal(state(model), before)


@pytest.mark.parametrize("name", ["lora", "dora"])
@pytest.mark.parametrize(
    ("architecture", "target"),
    [
        ("gpt2", ("query", "value", "output")),
        ("gpt2", ("query", "key", "value", "up", "down")),
        ("modernbert", ("query", "value", "gate", "up", "output")),
        ("phi3", ("query", "value", "gate", "up", "down")),
        ("gpt_neox", ("key", "value", "output")),
    ],
)
@pytest.mark.parametrize("stable", [True, False])
def test_our_own_export_is_read_back(
    name: str, architecture: str, target: tuple[str, ...], stable: bool, tmp_path: Path
) -> None:
    adapted = methods.apply(tiny(architecture), name, rank=3, alpha=5, target=target, rank_stabilized=stable)
    perturb(adapted)
    adapted.export_peft(tmp_path)
    loaded = methods.load(tiny(architecture), tmp_path)
    batch = inputs(adapted.model)
    assert torch.allclose(logits(loaded.model, batch), logits(adapted.model, batch), atol=1e-5)

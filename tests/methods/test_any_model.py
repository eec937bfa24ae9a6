"""Every method on models of every shape: it works, or it says in a sentence what is missing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor
from transformers import AutoConfig, PreTrainedModel

import methods
from methods import MethodError

from .cells import apply, equal, perturb, state
from .conftest import BART, EXPERTS, GROUPED, OWN, SIZES, T5, WHISPER, seed, text

VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION |= {"image_size": 28, "patch_size": 14}
TEXT = {key: value for key, value in SIZES.items() if key != "num_labels"} | GROUPED
ROTARY = {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "rotary_dim": 4}
LAYERS = {"intermediate_size": [48, 48], "layer_types": ["full_attention"] * 2}
NANO = GROUPED | {"vocab_size_per_layer_input": 120, "hidden_size_per_layer_input": 8, "laurel_rank": 4}
ALTERNATING = ["sliding_attention", "full_attention"] * 2
SHARED = {"num_hidden_layers": 4, "num_kv_shared_layers": 2, "layer_types": ALTERNATING}
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
ROUTED = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1}
DEEPSEEK = LATENT | ROUTED | {"num_key_value_heads": 4, "moe_intermediate_size": 16}


def plain(name: str, kind: str, **own: Any) -> Callable[[], PreTrainedModel]:
    """A model of a class of transformers from a tiny configuration."""
    return lambda: getattr(transformers, name)._from_config(AutoConfig.for_model(kind, **(SIZES | own)))


def part(of: Callable[[], PreTrainedModel], path: str) -> Callable[[], PreTrainedModel]:
    """A part of a model that is a model itself."""
    return lambda: of().get_submodule(path)


def pair(name: str, kind: str, vision: dict[str, Any], **own: Any) -> Callable[[], PreTrainedModel]:
    """The text part of a model of images and text."""

    def make() -> PreTrainedModel:
        config = AutoConfig.for_model(kind, text_config=TEXT | own, vision_config=vision)
        return getattr(transformers, name)._from_config(config).model.language_model

    return make


FALCON = {"ffn_hidden_size": 48}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "falcon": plain("FalconForCausalLM", "falcon", **OWN["falcon"]),
    "falcon-7b": plain("FalconForCausalLM", "falcon", **FALCON, multi_query=True),
    "falcon-rw": plain(
        "FalconForCausalLM", "falcon", **FALCON, multi_query=False, alibi=True, parallel_attn=False, bias=True
    ),
    "mpt": plain("MptForCausalLM", "mpt", **OWN["mpt"]),
    "glm4": plain("Glm4ForCausalLM", "glm4", **OWN["glm4"]),
    "mixtral": plain("MixtralForCausalLM", "mixtral", **EXPERTS),
    "olmoe": plain("OlmoeForCausalLM", "olmoe", **EXPERTS),
    "gpt_oss": plain("GptOssForCausalLM", "gpt_oss", **EXPERTS),
    "deepseek_v3": plain("DeepseekV3ForCausalLM", "deepseek_v3", **DEEPSEEK, first_k_dense_replace=1),
    "dinov2-gated": plain("Dinov2Model", "dinov2", **OWN["dinov2"], use_swiglu_ffn=True),
    "vit": plain("ViTForImageClassification", "vit", image_size=28, patch_size=14),
    "clip-text": plain("CLIPTextModel", "clip_text_model"),
    "whisper": plain("WhisperForConditionalGeneration", "whisper", **WHISPER),
    "whisper-causal": plain("WhisperForCausalLM", "whisper", **WHISPER),
    "whisper-encoder": part(plain("WhisperModel", "whisper", **WHISPER), "encoder"),
    "t5-encoder": plain("T5EncoderModel", "t5", **T5),
    "t5-tokens": plain("T5ForTokenClassification", "t5", **T5),
    "t5-decoder": part(plain("T5Model", "t5", **T5), "decoder"),
    "bart-causal": plain("BartForCausalLM", "bart", **BART),
    "mbart-causal": plain("MBartForCausalLM", "mbart", **BART),
    "bart-encoder": part(plain("BartModel", "bart", **BART), "encoder"),
    "bart-decoder": part(plain("BartModel", "bart", **BART), "decoder"),
    "llava": pair(
        "LlavaForConditionalGeneration",
        "llava",
        VISION | {"model_type": "clip_vision_model"},
        model_type="llama",
    ),
    "qwen2_vl": pair(
        "Qwen2VLForConditionalGeneration",
        "qwen2_vl",
        {"depth": 1, "embed_dim": 16, "num_heads": 2, "hidden_size": 32},
        **ROTARY,
    ),
    "gemma3": pair("Gemma3ForConditionalGeneration", "gemma3", VISION, model_type="gemma3_text"),
    "gemma3n": plain(
        "Gemma3nForCausalLM",
        "gemma3n_text",
        **NANO,
        **LAYERS,
        num_kv_shared_layers=0,
        activation_sparsity_pattern=[0.0, 0.0],
    ),
    "gemma3n-shared": plain(
        "Gemma3nForCausalLM", "gemma3n_text", **NANO, **SHARED, activation_sparsity_pattern=None
    ),
    "gptj": plain("GPTJForCausalLM", "gptj", **GPT),
    "codegen": plain("CodeGenForCausalLM", "codegen", **GPT),
    "bloom": plain("BloomForCausalLM", "bloom", n_layer=2, n_head=4),
    "wav2vec2": plain(
        "Wav2Vec2ForSequenceClassification",
        "wav2vec2",
        conv_dim=(8, 8),
        conv_stride=(2, 2),
        conv_kernel=(3, 3),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    ),
}
"""What the matrix does not have."""
ANSWERS = {
    "head": "has no task head",
    "bitfit": "has no biases",
    "prefix": "without transformers' attention functions|has no (query|key|attention)",
    "prompt": "has no embedding of tokens|has no place for a prompt: it (reads|takes)",
    "lora": "has no (query|value)",
    "dora": "has no (query|value)",
    "vera": "has no (query|value)",
    "ia3": "has no (key|value|down)|mixture of experts",
    "houlsby": "has no (attention_output|feed_forward_output)|mixture of experts",
    "parallel": "has no (feed_forward_input|feed_forward_output)|mixture of experts",
    "pfeiffer": "not known where its blocks end",
}
"""What a method may answer where there is no place for it."""
REFUSED: dict[str, tuple[str, ...]] = {
    "wav2vec2": ("ia3", "houlsby", "parallel", "pfeiffer", "prompt"),
    "deepseek_v3": ("lora", "dora", "vera", "ia3", "houlsby", "parallel", "prefix"),
    "gemma3n": ("houlsby", "parallel", "prompt"),
    "gemma3n-shared": ("lora", "dora", "vera", "ia3", "houlsby", "parallel", "prefix", "prompt"),
    "bloom": ("lora", "dora", "vera", "ia3", "houlsby", "parallel", "prefix"),
    "codegen": ("lora", "dora", "vera", "ia3", "prefix"),
    **dict.fromkeys(("mixtral", "olmoe", "gpt_oss"), ("ia3", "houlsby", "parallel")),
    **dict.fromkeys(("falcon", "falcon-7b", "falcon-rw", "mpt", "gptj"), ("prefix",)),
    **dict.fromkeys(("dinov2-gated", "vit", "clip-text", "whisper", "whisper-encoder"), ("prompt",)),
}
"""Where a method has no place, beside those that want a task head or biases."""
TASK_HEADS = ("vit", "t5-tokens", "wav2vec2")


def why_not(name: str, method: str) -> str | None:
    """What a method has to answer; None where it has to work."""
    if method == "head" and name not in TASK_HEADS:
        return ANSWERS[method]
    body = prototype(name).base_model
    if method == "bitfit" and not any(key.endswith("bias") for key, _ in body.named_parameters()):
        return ANSWERS[method]
    return ANSWERS[method] if method in REFUSED.get(name, ()) else None


@cache
def prototype(name: str) -> PreTrainedModel:
    seed(7)
    model = MODELS[name]().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def made(name: str) -> PreTrainedModel:
    return copy.deepcopy(prototype(name))


def read(model: PreTrainedModel) -> dict[str, Tensor]:
    """An input without padding."""
    seed(3)
    if model.main_input_name == "input_values":
        return {"input_values": torch.randn(2, 64)}
    batch = text(model, (8, 8))
    batch.pop("attention_mask", None)
    if model.config.is_encoder_decoder and hasattr(model.base_model, "decoder"):
        batch["decoder_input_ids"] = torch.randint(4, 120, (2, 7))
    return batch


def answer(model: PreTrainedModel, **batch: Any) -> Tensor:
    output = model(**batch)
    return output.logits if hasattr(output, "logits") else output[0]


@pytest.mark.parametrize("method", methods.names())
@pytest.mark.parametrize("name", MODELS)
def test_a_method_works_or_says_what_is_missing(name: str, method: str) -> None:
    model = made(name)
    batch, values, shape = read(model), state(model), str(model)
    flags = [p.requires_grad for p in model.parameters()]
    with torch.no_grad():
        base = answer(model, **batch)
    if (reason := why_not(name, method)) is not None:
        with pytest.raises(MethodError, match=rf"({reason}).*\.$"):
            apply(model, method)
        assert (str(model), [p.requires_grad for p in model.parameters()]) == (shape, flags)
        assert equal(state(model), values)
        return
    adapted = apply(model, method)
    counts = adapted.parameter_counts()
    assert sum(adapted.method.count(adapted.sizes.geometry, adapted.options).values()) == counts["method"]
    with torch.no_grad():
        assert torch.equal(answer(model, **batch), base) == adapted.method.card.starts_at_base
    perturb(adapted)
    changed = answer(model, **batch)
    assert changed.shape == base.shape
    assert not torch.allclose(changed, base, atol=1e-4)
    changed.square().sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in adapted.trained().values())
    if adapted.method.mergeable:
        adapted.merge()
        with torch.no_grad():
            assert torch.allclose(answer(model, **batch), changed, atol=1e-4, rtol=1e-4)
    adapted.remove()
    assert equal(state(model), values)
    assert [p.requires_grad for p in model.parameters()] == flags
    with torch.no_grad():
        assert torch.equal(answer(model, **batch), base)


WRITERS = ("falcon", "falcon-7b", "falcon-rw", "mpt", "glm4", "mixtral", "gpt_oss")
WRITERS += ("bart-causal", "whisper-causal", "gptj", "gemma3n")
TOKENS = [(name, method) for name in WRITERS for method in ("prefix", "prompt") if not why_not(name, method)]


@pytest.mark.parametrize(("name", "method"), TOKENS)
def test_virtual_tokens_are_the_same_with_a_cache(name: str, method: str) -> None:
    model = made(name)
    perturb(apply(model, method), 0.5)
    ids = text(model, (9,))["input_ids"]
    steps = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False, "output_logits": True}
    with torch.no_grad():
        one, other = (
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                use_cache=use,
                return_dict_in_generate=True,
                **steps,
            ).logits
            for use in (True, False)
        )
    assert torch.allclose(torch.stack(one), torch.stack(other), atol=1e-4)


@pytest.mark.parametrize(("name", "method"), [(n, m) for n, m in TOKENS if "causal" not in n])
def test_virtual_tokens_stand_behind_padding_on_the_left(name: str, method: str) -> None:
    model = made(name)
    perturb(apply(model, method), 0.5)
    batch = text(model, (9, 5), left=True)
    with torch.no_grad():
        both, alone = answer(model, **batch), answer(model, input_ids=batch["input_ids"][1:, 4:])
    assert torch.allclose(both[1:, 4:], alone, atol=1e-4)

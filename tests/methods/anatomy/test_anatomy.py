"""The anatomy on its own: roles on fused layers, the structural search, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedModel

import methods
from methods.anatomy import Anatomy
from methods.anatomy.discovery import discover
from methods.anatomy.layouts import LAYOUTS
from methods.errors import AnatomyError

from ..cells import OPTIONS, equal, perturb, state
from ..conftest import logits, text, tiny

# Architectures without a layout, which the search finds: post-norm, pre-norm, parallel, sandwich.
SEARCHED = ("ernie", "layoutlm", "olmo", "olmo2", "cohere", "stablelm", "starcoder2", "gemma2")
SIZES: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.3,
    "num_labels": 3,
}


def unknown(architecture: str) -> PreTrainedModel:
    torch.manual_seed(7)
    config = AutoConfig.for_model(architecture, **SIZES)
    try:
        return AutoModelForSequenceClassification.from_config(config).eval()
    except ValueError:  # no classifier of this type
        return AutoModel.from_config(config).eval()


def outputs(model: PreTrainedModel, batch: dict[str, Any]) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(**batch)[0]
    return found


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("architecture", SEARCHED)
def test_methods_on_what_the_search_finds(architecture: str, name: str) -> None:
    assert architecture not in LAYOUTS
    model = unknown(architecture)
    batch, values = text(model, (7,)), state(model)
    before = outputs(model, batch)
    try:
        adapted = methods.apply(model, name, **OPTIONS.get(name, {}))
    except AnatomyError as error:
        nothing = {"bitfit": "has no biases", "head": "has no task head"}  # cohere has no classifier
        nothing["ln"] = "has no normalisation layers"  # olmo's have no parameters
        assert nothing.get(name, "no reason") in str(error)  # noqa: PT017
        return
    counts, geometry = adapted.parameter_counts(), adapted.sizes.geometry
    assert sum(adapted.method.count(geometry, adapted.options).values()) == counts["method"]
    assert torch.equal(outputs(model, batch), before) == adapted.method.card.starts_at_base
    perturb(adapted)
    changed = outputs(model, batch)
    assert torch.allclose(changed, before, atol=1e-4) == (not adapted.trained())
    if adapted.method.mergeable:
        adapted.merge()
        assert torch.allclose(outputs(model, batch), changed, atol=1e-4)
    adapted.remove()
    assert equal(state(model), values)


@pytest.mark.parametrize("architecture", ["bert", "electra", "llama", "mistral", "qwen3", "gemma"])
def test_discovery_finds_what_the_layouts_say(architecture: str) -> None:
    """On architectures that are known, as if they were not."""
    anatomy = Anatomy(tiny(architecture))
    (known,) = anatomy.layouts
    assert discover(anatomy.model) == replace(known, positions="sequence")


def test_what_cannot_be_discovered_is_named() -> None:
    config = AutoConfig.for_model("bloom", n_layer=1, hidden_size=8, n_head=2, vocab_size=50)
    model = AutoModelForSequenceClassification.from_config(config)
    anatomy = Anatomy(model)
    assert anatomy.layouts[0].attention.query is None
    with pytest.raises(AnatomyError, match=r"BloomForSequenceClassification \(bloom\) has no query that"):
        anatomy.sites("query")
    assert len(anatomy.blocks) == 1  # who asks for nothing else gets it


@pytest.mark.parametrize("architecture", ["gpt2", "gpt_neox", "modernbert", "phi3"])
@pytest.mark.parametrize("role", ["query", "key", "value"])
def test_rows_of_a_fused_projection(architecture: str, role: str) -> None:
    """Zeroed rows of the fused matrix must be the role's input to attention, and no one else's."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    seen: list[dict[str, Tensor]] = []

    def spy(module: Any, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any) -> Any:
        seen.append({"query": query, "key": key, "value": value})
        return ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, *args, **kwargs)

    AttentionInterface.register("spy", spy)
    AttentionMaskInterface.register("spy", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    model = tiny(architecture)
    model.set_attn_implementation("spy")
    for site in Anatomy(model).sites(role):
        layer = site.linear()
        weight = layer.weight if architecture != "gpt2" else layer.weight.t()
        with torch.no_grad():
            weight[site.rows] = 0
            if layer.bias is not None:
                layer.bias[site.rows] = 0
    logits(model, text(model))
    for states in seen:
        assert {name for name, tensor in states.items() if not tensor.any()} == {role}


def test_a_quantised_layer_is_refused() -> None:
    model = tiny("bert")
    model.base_model.encoder.layer[1].attention.self.value = torch.nn.Identity()
    with pytest.raises(AnatomyError, match=r"layer\.1\.attention\.self\.value is a Identity, expected"):
        methods.apply(model, "lora")


def test_qkv_needs_a_fused_projection() -> None:
    with pytest.raises(AnatomyError, match="its query, key and value are layers of their own"):
        methods.apply(tiny("bert"), "lora", target="qkv")
    with pytest.raises(methods.OptionError, match="qkv already is query, key and value together"):
        methods.apply(tiny("gpt2"), "lora", target="qkv,key")
    fused = methods.apply(tiny("gpt2"), "lora", target="qkv").parameter_counts()["method"]
    assert fused == methods.apply(tiny("gpt2"), "lora").parameter_counts()["method"]  # and another method

"""Tiny random models of every known architecture, made from configurations."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForAudioClassification,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForSpeechSeq2Seq,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from methods.anatomy.layouts import LAYOUTS

from .copies import Copies

HEADS: dict[str, tuple[Any, ...]] = {
    "classify": (
        AutoModelForSequenceClassification,
        AutoModelForImageClassification,
        AutoModelForAudioClassification,
    ),
    "causal": (AutoModelForCausalLM,),
    "seq2seq": (AutoModelForSeq2SeqLM, AutoModelForSpeechSeq2Seq),
    "tag": (AutoModelForTokenClassification,),
}
"""Of a text, or else of what the architecture reads."""

SIZES: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.3,  # large, so that what a method changes shows in the logits
}
ROBERTA = {"pad_token_id": 1, "type_vocab_size": 1, "bos_token_id": 0}
GROUPED = {"num_key_value_heads": 2, "head_dim": 8}
DEBERTA = {
    "relative_attention": True,
    "position_buckets": 8,
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "norm_rel_ebd": "layer_norm",
    "type_vocab_size": 0,
    "pooler_hidden_size": 32,
}
OPT = {"ffn_dim": 48, "init_std": 0.3}
T5 = {
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": 0,
    "initializer_factor": 1.0,
}
BART = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "init_std": 0.3,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": None,
}
EXPERTS = GROUPED | {"num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2}
WHISPER = {
    **{key: value for key, value in BART.items() if not key.endswith("token_id")},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3},
    **{"num_mel_bins": 8, "max_source_positions": 12, "max_target_positions": 64},
    **{"suppress_tokens": None, "begin_suppress_tokens": None, "classifier_proj_size": 16},
}
OWN: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 16},  # other than the hidden size: a projection in between
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "mpnet": {"pad_token_id": 1, "bos_token_id": 0},
    "albert": {"embedding_size": 16, "num_hidden_groups": 1},
    "deberta-v2": DEBERTA | {"conv_kernel_size": 3, "conv_act": "gelu"},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
    "gpt2": {"n_inner": 48},
    "gpt_neox": {"initializer_range": 0.3},
    "opt": OPT,
    "llama": GROUPED,
    "mistral": GROUPED | {"sliding_window": 6},
    "qwen2": GROUPED,
    "qwen3": GROUPED | {"head_dim": 16},
    "gemma": GROUPED | {"head_dim": 16},
    "phi3": GROUPED,
    "falcon": {"ffn_hidden_size": 48, "new_decoder_architecture": True, "num_kv_heads": 2, "bias": True},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64, "initializer_range": 0.3},
    "glm": GROUPED | {"attention_bias": True},
    "glm4": GROUPED | {"attention_bias": True},
    "mixtral": EXPERTS,
    "qwen3_moe": EXPERTS | {"moe_intermediate_size": 16},
    "olmoe": EXPERTS,
    "gpt_oss": EXPERTS,
    "dinov2": {"image_size": 28, "patch_size": 14, "mlp_ratio": 2, "use_mask_token": False},
    "whisper": WHISPER,
    "t5": T5,
    "mt5": T5 | {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},  # as in T5 1.1
    "bart": BART,
    "mbart": BART,
}
"""What a model type needs beside :data:`SIZES`."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "deberta-v3": ("deberta-v2", DEBERTA),  # without the convolution
    "opt-350m": ("opt", OPT | {"word_embed_proj_dim": 16, "do_layer_norm_before": False}),
}
"""Models of one type whose configurations change what methods touch: the type, and what they need."""
BESIDE = ("glm4", "olmoe")
"""Types that differ from another one in names alone; ``test_any_model.py`` has them."""
ARCHITECTURES: tuple[str, ...] = tuple(
    name
    for kind in LAYOUTS
    if kind not in BESIDE
    for name in (kind, *(v for v, (of, _) in VARIANTS.items() if of == kind))
)
"""Every other model type that the anatomy knows, and every variant: the rows of the matrix."""
CLASSIFIERS = ("falcon", "mpt", "glm", "mixtral", "qwen3_moe", "gpt_oss", "dinov2", "whisper")
"""Rows of which the matrix has the classifier alone; ``test_any_model.py`` has their language models."""


def configuration(architecture: str, **changes: Any) -> Any:
    """The tiny configuration of an architecture or variant, with three labels."""
    kind, own = VARIANTS.get(architecture) or (architecture, OWN.get(architecture, {}))
    return AutoConfig.for_model(kind, **(SIZES | own | {"num_labels": 3} | changes))


def heads(architecture: str) -> tuple[str, ...]:
    """The heads that the matrix tests: a classifier, and the language model of a decoder."""
    if architecture in CLASSIFIERS:
        return ("classify",)
    config = configuration(architecture)
    known = LAYOUTS[config.model_type]
    layouts = known(config) if callable(known) else known
    if len(layouts) == 2:
        return ("classify", "seq2seq")
    return ("classify", "causal") if layouts[0].causal else ("classify",)


def seed(number: int) -> None:
    """Seed the CPU's generator alone; ``torch.manual_seed`` takes longer: it keeps a stack trace for CUDA."""
    torch.default_generator.manual_seed(number)


def build(architecture: str, head: str, **changes: Any) -> PreTrainedModel:
    """A random model in evaluation mode. Biases and norms are random too."""
    seed(7)
    dtype = changes.pop("dtype", torch.float32)
    implementation = changes.pop("attn_implementation", "sdpa")
    config = configuration(architecture, **changes)
    if config.model_type in ("deberta-v2", "mpnet", "gpt_oss", "mpt"):
        implementation = "eager"
    maker = next(auto for auto in HEADS[head] if type(config) in auto._model_mapping)
    more = (
        {"experts_implementation": "eager"} if hasattr(config, "num_experts_per_tok") else {}
    )  # in float64 too
    model = maker.from_config(config, attn_implementation=implementation, **more)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.to(dtype).eval()


@cache
def _prototype(architecture: str, head: str, **changes: Any) -> Copies:
    return Copies(build(architecture, head, **changes))


def tiny(architecture: str, head: str = "classify", **changes: Any) -> PreTrainedModel:
    """A copy of such a model, which is built once; a classifier of three classes unless asked for another."""
    model = _prototype(architecture, head, **changes).one()
    seed(7)  # what is drawn next is the same, copied or built
    return model


def text(model: PreTrainedModel, lengths: tuple[int, ...] = (11, 5, 8), left: bool = False) -> dict[str, Any]:
    """A padded batch of random tokens on the model's device, each row ended by the end-of-text token.

    Padded on the left, a lone decoder gets positions too: absolute ones would otherwise count the padding.
    What reads no text gets as many images or sounds.
    """
    generator = torch.Generator().manual_seed(3)
    shape = {"pixel_values": (3, 28, 28), "input_features": (8, 24)}.get(model.main_input_name)
    if shape is not None:
        drawn = torch.randn(len(lengths), *shape, generator=generator)
        return {model.main_input_name: drawn.to(next(model.parameters()))}
    padding, longest = model.config.pad_token_id, max(lengths)
    ids = torch.full((len(lengths), longest), padding)
    mask = torch.zeros(len(lengths), longest, dtype=torch.long)
    for row, length in enumerate(lengths):
        place = slice(longest - length, None) if left else slice(length)
        ids[row, place] = torch.randint(4, 120, (length,), generator=generator)
        ids[row, place][-1] = model.config.eos_token_id
        mask[row, place] = 1
    batch = {"input_ids": ids.to(model.device), "attention_mask": mask.to(model.device)}
    if left and not model.config.is_encoder_decoder:
        batch["position_ids"] = (batch["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
    return batch


def inputs(
    model: PreTrainedModel, lengths: tuple[int, ...] = (11, 5, 8), left: bool = False
) -> dict[str, Any]:
    """The same for one forward pass: a sequence-to-sequence language model also reads what it has written.

    That is padded on the right, and as long as the rows of the input are in reverse.
    """
    batch = text(model, lengths, left)
    if model.config.is_encoder_decoder and is_language_model(model):
        written = text(model, lengths[::-1])
        written["input_ids"][:, 0] = model.config.decoder_start_token_id
        batch |= {f"decoder_{key}": value for key, value in written.items()}
    return batch


def is_language_model(model: PreTrainedModel) -> bool:
    """Whether the logits are over the vocabulary."""
    return model.get_output_embeddings() is not None


def labels(model: PreTrainedModel, batch: dict[str, Any]) -> torch.Tensor:
    """Targets for a batch of three: a class each, or the tokens themselves without the padding."""
    if not is_language_model(model):
        return torch.tensor([0, 1, 2], device=model.device)
    side = "decoder_" if model.config.is_encoder_decoder else ""
    targets: torch.Tensor = batch[f"{side}input_ids"]
    return targets.masked_fill(batch[f"{side}attention_mask"] == 0, -100)


def logits(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits without gradients."""
    with torch.no_grad():
        return model(**batch).logits


def train(model: PreTrainedModel, steps: int = 3) -> None:
    """A few AdamW steps on whatever requires a gradient."""
    batch = inputs(model)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    was_training = model.training
    model.train()
    for _ in range(steps):
        model(**batch, labels=labels(model, batch)).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.train(was_training)


@pytest.fixture
def in_matrix(request: pytest.FixtureRequest, record_property: Any) -> None:
    """Write into the test results which cell of the matrix a test belongs to, see tests/matrix_page.py."""
    cell = {"head": "classify", **request.node.callspec.params}
    if storage := cell.get("storage"):
        cell["architecture"] += f" in {storage}"
    for key, value in cell.items():
        if key in ("name", "architecture", "head", "reason"):
            record_property({"name": "method"}.get(key, key), value)

"""Tiny random models of every known architecture, made from configurations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)

from methods.layouts import LAYOUTS

HEADS: dict[str, Any] = {
    "classify": AutoModelForSequenceClassification,
    "causal": AutoModelForCausalLM,
    "seq2seq": AutoModelForSeq2SeqLM,
}

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
OWN: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 16},  # other than the hidden size: a projection in between
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "mpnet": {"pad_token_id": 1, "bos_token_id": 0},
    "albert": {"embedding_size": 16, "num_hidden_groups": 1},
    "deberta-v2": {  # as in version 3: relative positions alone, shared with the content's projections
        "relative_attention": True,
        "position_buckets": 8,
        "share_att_key": True,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "norm_rel_ebd": "layer_norm",
        "type_vocab_size": 0,
        "pooler_hidden_size": 32,
    },
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48},
    "gpt2": {"n_inner": 48},
    "gpt_neox": {"initializer_range": 0.3},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 16, "init_std": 0.3},
    "llama": GROUPED,
    "mistral": GROUPED | {"sliding_window": 6},
    "qwen2": GROUPED,
    "qwen3": GROUPED | {"head_dim": 16},
    "gemma": GROUPED | {"head_dim": 16},
    "t5": {
        "d_model": 32,
        "d_kv": 16,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu",
        "decoder_start_token_id": 0,
        "initializer_factor": 1.0,
    },
    "bart": {
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
    },
}


def tiny(architecture: str, head: str = "classify", **changes: Any) -> PreTrainedModel:
    """A random model in evaluation mode, a classifier of three classes if nothing else is asked for.

    Biases and norms are random too.
    """
    torch.manual_seed(7)
    dtype = changes.pop("dtype", torch.float32)
    implementation = changes.pop("attn_implementation", "sdpa")
    if architecture in ("deberta-v2", "mpnet"):
        implementation = "eager"
    settings = SIZES | OWN.get(architecture, {}) | {"num_labels": 3} | changes
    config = AutoConfig.for_model(architecture, **settings)
    model = HEADS[head].from_config(config, attn_implementation=implementation)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.to(dtype).eval()


def text(model: PreTrainedModel, lengths: tuple[int, ...] = (11, 5, 8), left: bool = False) -> dict[str, Any]:
    """A padded batch of random tokens, each row ended by the end-of-text token.

    Padded on the left it has positions too: absolute ones would otherwise count the padding.
    """
    generator = torch.Generator().manual_seed(3)
    padding, longest = model.config.pad_token_id, max(lengths)
    ids = torch.full((len(lengths), longest), padding)
    mask = torch.zeros(len(lengths), longest, dtype=torch.long)
    for row, length in enumerate(lengths):
        place = slice(longest - length, None) if left else slice(length)
        ids[row, place] = torch.randint(4, 120, (length,), generator=generator)
        ids[row, place][-1] = model.config.eos_token_id
        mask[row, place] = 1
    batch = {"input_ids": ids, "attention_mask": mask}
    if left:
        batch["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return batch


def logits(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits without gradients."""
    with torch.no_grad():
        return model(**batch).logits


def train(model: PreTrainedModel, steps: int = 3) -> None:
    """A few AdamW steps on whatever requires a gradient."""
    batch = text(model)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    was_training = model.training
    model.train()
    for _ in range(steps):
        model(**batch, labels=torch.tensor([0, 1, 2])).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.train(was_training)


@pytest.fixture(params=LAYOUTS)
def architecture(request: pytest.FixtureRequest) -> str:
    """Every architecture that the anatomy knows."""
    return str(request.param)

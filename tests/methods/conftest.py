"""Tiny random models of every known architecture, made from configurations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from methods.anatomy import LAYOUTS

SIZES: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "initializer_range": 0.3,  # large, so that what a method changes shows in the logits
}
OWN: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 16},  # other than the hidden size: a projection in between
    "roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "xlm-roberta": {"pad_token_id": 1, "type_vocab_size": 1},
    "camembert": {"pad_token_id": 1, "type_vocab_size": 1},
}


def tiny(architecture: str, **changes: Any) -> PreTrainedModel:
    """A random classifier with three classes in evaluation mode; biases and norms are random too."""
    torch.manual_seed(7)
    dtype = changes.pop("dtype", torch.float32)
    implementation = changes.pop("attn_implementation", "sdpa")
    config = AutoConfig.for_model(
        architecture, **(SIZES | OWN.get(architecture, {}) | {"num_labels": 3} | changes)
    )
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation=implementation)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.to(dtype).eval()


def text(model: PreTrainedModel, lengths: tuple[int, ...] = (11, 5, 8)) -> dict[str, torch.Tensor]:
    """A right-padded batch of random tokens."""
    generator = torch.Generator().manual_seed(3)
    padding, longest = model.config.pad_token_id, max(lengths)
    ids = torch.full((len(lengths), longest), padding)
    mask = torch.zeros(len(lengths), longest, dtype=torch.long)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(4, 120, (length,), generator=generator)
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask}


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

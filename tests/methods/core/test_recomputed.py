"""Reentrant activation checkpointing: the gradients of a plain pass, or a sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import methods
from methods import MethodError

from ..cells import CELLS, OPTIONS, perturb
from ..conftest import inputs, labels, logits, tiny

NO_DROPOUT = {"bert": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}}
REENTRANT = {"use_reentrant": True}
MADE_ONCE = ("did", "said", "prefix")
"""What makes tensors once for all blocks; a prefix without its MLP does not."""
CASES = [cell for cell in CELLS if cell[1:] in (("bert", "classify"), ("llama", "causal"))]
CASES = [cell for cell in CASES if cell[0] not in ("did", "said")]


def adapted(name: str, architecture: str, head: str, **options: Any) -> methods.Adapted:
    model = tiny(architecture, head, dtype=torch.float64, **NO_DROPOUT.get(architecture, {})).train()
    made = methods.apply(model, name, **(OPTIONS.get(name, {}) | options))
    perturb(made)
    return made


def backward(made: methods.Adapted, **more: Any) -> dict[str, torch.Tensor | None]:
    batch = inputs(made.model)
    targets = labels(made.model, batch)
    if "inputs_embeds" in more:
        del batch["input_ids"]
    cache = {} if made.model.config.model_type == "bert" else {"use_cache": False}
    made.model(**batch, **cache, **more, labels=targets).loss.backward()
    return {name: parameter.grad for name, parameter in made.trained().items()}


def check(one: dict[str, torch.Tensor | None], other: dict[str, torch.Tensor | None]) -> None:
    assert one.keys() == other.keys()
    for name, expected in one.items():
        found = other[name]
        assert (found is None) == (expected is None), name
        assert found is None or torch.allclose(found, expected, atol=1e-10), name
    assert any(gradient is not None for gradient in one.values())


@pytest.mark.parametrize(("name", "architecture", "head"), CASES)
def test_gradients_are_those_of_a_plain_pass(name: str, architecture: str, head: str) -> None:
    options = {"hidden": None} if name == "prefix" else {}
    plain, made = (adapted(name, architecture, head, **options) for _ in range(2))
    made.model.activation_checkpointing_enable(REENTRANT)
    check(backward(plain), backward(made))


@pytest.mark.parametrize("name", MADE_ONCE)
@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_what_is_made_once_for_all_blocks_is_refused(name: str, architecture: str) -> None:
    made, plain = (adapted(name, architecture, "classify") for _ in range(2))
    made.model.activation_checkpointing_enable(REENTRANT)
    with pytest.raises(MethodError, match=r"once for all blocks.*'use_reentrant': False"):
        backward(made)
    made.model.eval()
    batch = inputs(made.model)
    assert torch.equal(logits(made.model, batch), logits(plain.model.eval(), batch))
    made.model.train().activation_checkpointing_enable({"use_reentrant": False})
    check(backward(plain), backward(made))


def test_embeddings_of_ones_own_and_another_order() -> None:
    plain, made = (adapted("lora", "llama", "classify") for _ in range(2))
    made.remove()
    made.model.activation_checkpointing_enable(REENTRANT)
    again = methods.apply(made.model, "lora", **OPTIONS["lora"])
    again.take(plain.checkpoint())
    embeds = made.model.get_input_embeddings()(inputs(made.model)["input_ids"]).detach()
    check(backward(plain, inputs_embeds=embeds), backward(again, inputs_embeds=embeds))
    assert not embeds.requires_grad

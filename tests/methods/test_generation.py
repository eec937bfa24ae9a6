"""Every method on every decoder while it writes: with the key/value cache, and step by step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from .cells import LANGUAGE_MODELS, apply, perturb
from .conftest import logits, text, tiny

pytestmark = pytest.mark.usefixtures("in_matrix")


@LANGUAGE_MODELS
def test_cached_generation_equals_uncached(name: str, architecture: str, head: str) -> None:
    model = tiny(architecture, head)
    perturb(apply(model, name))
    batch = text(model, (7, 3), left=head == "causal")
    batch.pop("position_ids", None)  # generate() makes them
    settings: dict[str, Any] = {"max_new_tokens": 5, "min_new_tokens": 5, "do_sample": False}
    settings |= {"return_dict_in_generate": True, "output_logits": True}
    cached = model.generate(**batch, use_cache=True, **settings)
    plain = model.generate(**batch, use_cache=False, **settings)
    assert torch.equal(cached.sequences, plain.sequences)
    for one, other in zip(cached.logits, plain.logits, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@LANGUAGE_MODELS
def test_generation_steps_equal_one_forward(name: str, architecture: str, head: str) -> None:
    """The logits of each generated token are those of a forward pass over the whole text."""
    model = tiny(architecture, head)
    perturb(apply(model, name))
    ids = text(model, (6,))["input_ids"]
    settings: dict[str, Any] = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    made = model.generate(ids, return_dict_in_generate=True, output_logits=True, **settings)
    stepwise = torch.stack(made.logits, dim=1)
    if head == "causal":
        whole = logits(model, {"input_ids": made.sequences})[:, ids.shape[1] - 1 : -1]
    else:
        whole = logits(model, {"input_ids": ids, "decoder_input_ids": made.sequences})[:, :-1]
    assert torch.allclose(stepwise, whole, atol=1e-4)

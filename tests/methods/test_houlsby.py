from __future__ import annotations

import pytest
import torch

import methods

from .cells import OF_EXPERTS
from .conftest import ARCHITECTURES, inputs, logits, tiny


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if a not in OF_EXPERTS])
def test_starts_close_to_the_base(architecture: str) -> None:
    """Weights of 1e-3: near identity, but the adapter is there."""
    model = tiny(architecture)
    batch = inputs(model)
    before = logits(model, batch)
    methods.apply(model, "houlsby", bottleneck=5)
    assert torch.allclose(logits(model, batch), before, atol=2e-3)
    assert not torch.equal(logits(model, batch), before)

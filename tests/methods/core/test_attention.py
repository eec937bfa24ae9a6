"""Keys and values in front of an attention's own: the masks that let queries attend to them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import methods
from methods.core.attention import InFront, Masks

from ..cells import perturb
from ..conftest import inputs, logits, tiny


def masks_of(adapted: methods.Adapted) -> Masks:
    (change,) = (c for c in adapted._injection.changes if isinstance(c, InFront))
    return change.masks


@pytest.mark.parametrize(("dtype", "open_is"), [(torch.bool, True), (torch.float32, 0.0)])
def test_a_mask_is_made_once_until_it_is_written_to(dtype: torch.dtype, open_is: Any) -> None:
    masks, mask = Masks(), torch.zeros(2, 1, 3, 3).bernoulli_().to(dtype)
    first = masks.opened(mask, 2)
    assert torch.equal(first[..., 2:], mask)
    assert bool((first[..., :2] == open_is).all())
    assert masks.opened(mask, 2) is first
    mask[0, 0, 0, 0] = 1 - mask[0, 0, 0, 0].int()
    second = masks.opened(mask, 2)
    assert torch.equal(second[..., 2:], mask)
    second.fill_(1)  # an attention function that writes to what it is given
    assert torch.equal(masks.opened(mask, 2)[..., 2:], mask)


def test_no_mask_is_kept_where_writing_leaves_no_trace() -> None:
    masks = Masks()
    with torch.inference_mode():
        mask = torch.zeros(1, 1, 3, 3)
        masks.opened(mask, 2)
        mask[0, 0, 0, 0] = -1.0
        assert torch.equal(masks.opened(mask, 2)[..., 2:], mask)
        assert torch.equal(masks.causal(3, 2, mask.device)[0, 0], torch.ones(3, 5).tril(2).bool())
    assert not masks._made


@pytest.mark.parametrize("architecture", ["bert", "gpt2", "mistral", "t5"])
def test_once_a_pass(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("t5", num_layers=4) if architecture == "t5" else tiny(architecture, num_hidden_layers=4)
    adapted = methods.apply(model, "prefix", length=3, hidden=None)
    perturb(adapted)
    made: list[Tensor] = []
    real = Masks._open

    def spy(mask: Tensor, length: int) -> Tensor:
        made.append(mask)
        return real(mask, length)

    monkeypatch.setattr(Masks, "_open", staticmethod(spy))
    expected = logits(model, inputs(model))
    assert 1 <= len(made) <= 3  # the encoder's, the decoder's, the one between them
    assert len({id(mask) for mask in made}) == len(made)
    assert not masks_of(adapted)._made
    assert torch.equal(logits(model, inputs(model)), expected)

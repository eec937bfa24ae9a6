"""Statistics are of fixed seeds: they hold always or never."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from runners.dropout import VALUES, Dropout, draw_cheaply
from tests.methods.conftest import text, tiny

RATES = (0.1, 0.5, 0.9)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def dropped(rate: float, *shape: int, **kind: Any) -> Tensor:
    return Dropout(rate)(torch.ones(*shape, **kind))


@pytest.mark.parametrize("rate", RATES)
def test_the_rate_lies_within_its_binomial_bounds(rate: float) -> None:
    values = dropped(rate, 1000, 1000)
    zeros = float(values.eq(0).float().mean())
    assert abs(zeros - rate) < 4 * math.sqrt(rate * (1 - rate) / values.numel())
    # Each of the four numbers in a draw, and every column, has the rate too.
    for strided in (*(values.flatten()[start::4] for start in range(4)), *values.unbind(1)[::250]):
        assert abs(float(strided.eq(0).float().mean()) - rate) < 4 * math.sqrt(
            rate * (1 - rate) / strided.numel()
        )


@pytest.mark.parametrize("rate", RATES)
def test_the_mean_stays(rate: float) -> None:
    values = dropped(rate, 1000, 1000, dtype=torch.float64)
    kept = values[values.ne(0)]
    share = 1 - round(rate * VALUES) / VALUES
    assert torch.equal(kept, torch.full_like(kept, 1 / share))
    assert abs(float(values.mean()) - 1) < 4 * math.sqrt(rate / (1 - rate) / values.numel())


def test_values_and_calls_are_independent() -> None:
    one, other = (dropped(0.5, 1_000_000).eq(0).double() for _ in range(2))
    bound = 4 / math.sqrt(len(one))
    for shift in (1, 2, 3, 4, 7, 384):
        assert abs(float(torch.corrcoef(torch.stack([one[shift:], one[:-shift]]))[0, 1])) < bound
    assert abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) < bound


def test_the_seed_decides_and_a_state_goes_on() -> None:
    first = [dropped(0.3, 37) for _ in range(2)]
    torch.manual_seed(0)
    assert torch.equal(dropped(0.3, 37), first[0])
    state = torch.get_rng_state()
    dropped(0.3, 5)
    torch.set_rng_state(state)
    assert torch.equal(dropped(0.3, 37), first[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_the_mask(dtype: torch.dtype) -> None:
    x = torch.randn(3, 5, 7, dtype=dtype, requires_grad=True)
    out = Dropout(0.4)(x)
    out.sum().backward()
    assert x.grad is not None
    assert out.dtype == x.grad.dtype == dtype
    assert torch.equal(out, x.detach() * x.grad)
    assert 0 < int(x.grad.eq(0).sum()) < x.numel()


def test_evaluation_and_what_cannot_be_rounded_are_torchs_own() -> None:
    x = torch.randn(50)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Dropout(1.0)(x), torch.zeros_like(x))
    torch.manual_seed(0)
    rare = Dropout(1e-6)(x)
    torch.manual_seed(0)
    assert torch.equal(rare, F.dropout(x, 1e-6))
    assert Dropout(0.5)(torch.empty(0, 3)).shape == (0, 3)


def test_a_model_keeps_its_modules_and_answers_and_a_backward_pass_draws_alike() -> None:
    """Blocks that are computed again in the backward pass have the masks of the forward pass."""
    model = tiny("bert")
    batch = text(model)
    before = model(**batch).logits
    draw_cheaply(model)
    drops = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert drops
    assert all(type(module) is Dropout for module in drops)
    assert torch.equal(model(**batch).logits, before)
    gradients = []
    for again in (False, True):
        if again:
            model.activation_checkpointing_enable({"use_reentrant": False})
        torch.manual_seed(1)
        model.train().zero_grad()
        model(**batch).logits.square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)

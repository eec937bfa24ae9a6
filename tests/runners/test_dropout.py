"""Statistics are of fixed seeds: they hold always or never."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

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


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "modernbert", "gpt2", "qwen2", "opt", "bart"])
def test_attention_by_hand_is_transformers_own_but_for_what_is_dropped(architecture: str) -> None:
    """With a rate at which nothing is dropped both compute the same, with padding and a causal mask alike."""
    rates = {"attention_probs_dropout_prob": 1e-9, "attention_dropout": 1e-9, "attn_pdrop": 1e-9}
    others = {"hidden_dropout_prob": 0.0, "dropout": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0}
    others |= {"classifier_dropout": 0.0, "seq_classif_dropout": 0.0, "activation_dropout": 0.0}
    gradients = []
    for cheap in (False, True):
        model = tiny(architecture, dtype=torch.float64, **rates, **others)
        if cheap:
            draw_cheaply(model)
        logits = model.train()(**text(model)).logits
        logits.square().sum().backward()
        gradients.append([logits.detach(), *(p.grad for p in model.parameters() if p.grad is not None)])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("causal", [None, True, False])
@pytest.mark.parametrize("mask", [None, torch.bool, torch.float64])
@pytest.mark.parametrize(("queries", "keys"), [(6, 6), (6, 9), (1, 9)])
def test_attention_by_hand_reads_masks_as_transformers_does(
    queries: int, keys: int, mask: torch.dtype | None, causal: bool | None
) -> None:
    """Shapes and masks of caches and prefixes, with keys that heads share."""
    module = nn.Module()
    module.num_key_value_groups = 2
    query = torch.randn(2, 4, queries, 8, dtype=torch.float64)
    key, value = torch.randn(2, 2, 2, keys, 8, dtype=torch.float64)
    seen = torch.rand(2, 1, queries, keys) > 0.3
    seen[..., 0] = True
    hidden = torch.zeros(seen.shape, dtype=torch.float64).masked_fill(~seen, -1e300)
    given = {None: None, torch.bool: seen, torch.float64: hidden}[mask]
    attend = ALL_ATTENTION_FUNCTIONS["sdpa"]
    expected, _ = attend(module, query, key, value, given, dropout=0.0, is_causal=causal)
    draw_cheaply(module)
    found, _ = attend(module, query, key, value, given, dropout=1e-12, is_causal=causal)
    torch.testing.assert_close(found, expected)


def test_attention_that_cannot_be_had_is_refused_while_it_trains_too() -> None:
    module = nn.Module()
    draw_cheaply(module)
    states = torch.randn(3, 1, 1, 4, 8)
    with pytest.raises(ValueError, match="softcap"):
        ALL_ATTENTION_FUNCTIONS["sdpa"](module, *states, None, dropout=0.1, softcap=30.0)


def test_attention_drops_shares_at_its_rate_in_models_that_draw_cheaply_alone() -> None:
    def attended(cheap: bool) -> Tensor:
        module = nn.Module()
        module.is_causal = False
        if cheap:
            draw_cheaply(module)
        states = torch.randn(2, 2, 50, 8, dtype=torch.float64)
        marks = torch.eye(50, dtype=torch.float64).expand(2, 2, 50, 50)  # what comes out are the shares
        out, _ = ALL_ATTENTION_FUNCTIONS["sdpa"](module, states, states, marks, None, dropout=0.25)
        return out

    for cheap in (True, False):
        shares = attended(cheap)
        assert abs(float(shares.eq(0).double().mean()) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / shares.numel())
        assert abs(float(shares.sum(dim=-1).mean()) - 1) < 0.02
    torch.manual_seed(3)
    plain = attended(cheap=False)
    torch.manual_seed(3)
    states = torch.randn(2, 2, 50, 8, dtype=torch.float64)
    marks = torch.eye(50, dtype=torch.float64).expand(2, 2, 50, 50)
    expected = F.scaled_dot_product_attention(states, states, marks, dropout_p=0.25)
    assert torch.equal(plain, expected.transpose(1, 2))

"""Rates found again from steps that were made with them, and from real ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import methods
from runners import device, models
from runners.measure import forecast as speed
from runners.measure import machine
from runners.measure.forecast import Asks, Deployed, Rates, Timed
from runners.plan.costs import CostSettings
from runners.plan.spec import Protocol

RATES = Rates(
    forward=2e-9, activations=3e-9, weights=1e-9, update=4e-9, step=0.01, scoring=1e-9, once=0.002, load=0.5
)
FROZEN, WHOLE = Asks(10**9, 10**9, 4_000), Asks(10**9, 2 * 10**9, 90_000_000)


def timed(asks: Asks) -> Timed:
    return Timed(
        asks,
        forward=RATES.forward * asks.forward,
        backward=RATES.activations * asks.activations + RATES.weights * asks.weights,
        update=RATES.update * asks.trained_bytes + 0.008,
        batch=0.002,
    )


def test_two_methods_tell_the_rates() -> None:
    steps = [[timed(FROZEN)] * 3, [timed(WHOLE)] * 3]
    found = speed.rates_of(steps, RATES.scoring, RATES.once, RATES.load, bytes_per_second=1e10)
    assert vars(found) == pytest.approx(vars(RATES), rel=1e-6)
    between = Asks(10**9, 15 * 10**8, 10_000_000)
    parts = timed(between)
    assert found.training(between) == pytest.approx(
        parts.forward + parts.backward + parts.update + parts.batch
    )


@pytest.mark.parametrize("asks", [FROZEN, WHOLE, Asks(10**9, 0, 4_000)])
def test_one_method_tells_its_own_steps(asks: Asks) -> None:
    found = speed.rates_of([[timed(asks)] * 2], 1e-9, 0.002, 0.5, bytes_per_second=1e12)
    parts = timed(asks)
    told = parts.forward + parts.backward + parts.update + parts.batch
    assert found.training(asks) == pytest.approx(told, rel=0.02)


def test_what_moves_the_costs() -> None:
    method = Deployed(longest=FROZEN, widening=1.0, mergeable=False, stored_bytes=10_000)
    few = speed.costs(CostSettings(latency_rounds=10), RATES, 1e10, method)
    many = speed.costs(CostSettings(latency_rounds=110), RATES, 1e10, method)
    assert many - few == pytest.approx(100 * 2 * 3 * RATES.once)  # base, control, method, each called twice
    merged = speed.costs(CostSettings(latency_rounds=10), RATES, 1e10, replace(method, mergeable=True))
    assert merged > few


def test_what_moves_the_costs_of_a_text() -> None:
    rates = replace(RATES, next_token=0.0005)
    method = Deployed(longest=FROZEN, widening=1.0, mergeable=False, stored_bytes=10_000, writes=True)

    def told(**changes: int) -> float:
        return speed.costs(CostSettings(**{"decoding_rounds": 10, **changes}), rates, 1e10, method)

    assert told(latency_rounds=500) == told()
    longer = 20 * 13 * 3 * rates.next_token  # three models, in ten rounds and three to warm up
    assert told(decoding_tokens=36) - told(decoding_tokens=16) == pytest.approx(longer)
    round_of_all = 3 * (3 * rates.once + 15 * rates.next_token)
    assert told(decoding_rounds=40) - told() == pytest.approx(30 * round_of_all)


def test_real_steps_are_timed(tiny_model: str) -> None:
    accelerator = device.accelerator()
    with torch.random.fork_rng():
        adapted = methods.apply(models.served(tiny_model), "lora", rank=2)
    ids = torch.arange(12).view(2, 6)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor([0, 1])}
    asked = []

    def asks(one: dict[str, torch.Tensor]) -> Asks:
        asked.append(one["input_ids"].shape)
        return FROZEN

    protocol = Protocol(learning_rate=0.01, micro_batch=1, batch_size=2)
    found = speed.time_steps(accelerator, adapted, protocol, [batch] * 3, asks)
    assert len(asked) == 3
    assert len(found) == 2  # the first is left out
    for step in found:
        assert min(step.forward, step.backward, step.update) > 0
    assert speed.time_pass(accelerator, adapted, batch, 2) > 0
    rates = speed.rates_of([found], 1e-9, 1e-3, 0.1, bytes_per_second=1e10)
    assert rates.training(FROZEN) > 0
    guess = speed.guessed(machine.measure("cpu"))
    assert all(value > 0 for value in vars(guess).values())

"""Latency without a stopwatch: a synthetic clock says how long each call takes."""

import gc
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from runners import latency


class Clock:
    """Stands in for `perf_counter_ns`; contenders move it by what they cost."""

    def __init__(self, monkeypatch):
        self.now = 0
        self.calls = []
        monkeypatch.setattr(latency.time, "perf_counter_ns", lambda: self.now)

    def contender(self, name, cost):
        def call():
            self.calls.append(name)
            self.now += int(cost() if callable(cost) else cost)

        return call


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def _sample(contenders, rounds=40, warmup=2, seed=0):
    rng = np.random.default_rng(seed)
    return latency.sample(contenders, device="cpu", rounds=rounds, warmup=warmup, rng=rng)


def test_every_round_visits_every_contender_once_in_shuffled_order(clock):
    _sample({name: clock.contender(name, 1) for name in "abc"}, rounds=300, warmup=5)
    orders = [tuple(clock.calls[i : i + 3]) for i in range(0, len(clock.calls), 3)]
    assert len(orders) == 305
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    counts = Counter(orders)
    assert len(counts) == 6
    assert min(counts.values()) > 25  # 51 expected of each order, if independent and uniform


def test_the_seed_decides_the_orders(clock):
    contenders = {name: clock.contender(name, 1) for name in "abcd"}
    seen = []
    for seed in (0, 0, 1):
        clock.calls.clear()
        _sample(contenders, seed=seed)
        seen.append(list(clock.calls))
    assert seen[0] == seen[1] != seen[2]


def test_times_belong_to_their_contender_and_warm_up_is_dropped(clock):
    costs = iter([1000, 1000, *range(40)])
    times = _sample({"a": clock.contender("a", 7), "b": clock.contender("b", lambda: next(costs))})
    assert times["a"].tolist() == [7] * 40
    assert times["b"].tolist() == list(range(40))


def test_the_device_is_synchronised_inside_the_timed_span(clock, monkeypatch):
    """Work still queued when the call returns belongs to it; work queued before does not."""
    queued = [500]

    def synchronize(device):
        assert device == "cuda"
        clock.now += queued.pop() if queued else 0

    monkeypatch.setattr(latency, "synchronize", synchronize)
    contenders = {"a": lambda: queued.append(30)}
    times = latency.sample(contenders, device="cuda", rounds=3, warmup=0, rng=np.random.default_rng(0))
    assert times["a"].tolist() == [30, 30, 30]


def test_calls_run_in_inference_mode_without_garbage_collection(clock):
    seen = set()
    _sample({"a": lambda: seen.add((torch.is_inference_mode_enabled(), gc.isenabled()))})
    assert seen == {(True, False)}
    assert gc.isenabled()
    assert not torch.is_inference_mode_enabled()


def test_garbage_collection_is_restored_after_an_error(clock):
    def broken():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        _sample({"a": broken})
    assert gc.isenabled()


def test_ratio_is_paired_within_the_round(clock):
    """A machine that slows down by 10 x over the run changes the times and not the ratio."""

    def slowing(nanoseconds):
        return lambda: nanoseconds * 10 ** ((len(clock.calls) - 1) // 2 / 60)

    contenders = {
        "base": clock.contender("base", slowing(1e6)),
        "slow": clock.contender("slow", slowing(1.5e6)),
    }
    rows = latency.measure(contenders, reference="base", device="cpu", rounds=60, seed=3, warmup=0)
    slow = rows["slow"]
    assert slow.ratio_low == pytest.approx(1.5, abs=1e-5)
    assert slow.ratio == pytest.approx(1.5, abs=1e-5)
    assert slow.ratio_high == pytest.approx(1.5, abs=1e-5)
    assert slow.latency_ms_p95 > 2 * slow.latency_ms_p50
    assert rows["base"].ratio == rows["base"].ratio_low == rows["base"].ratio_high == 1


def test_percentiles_are_milliseconds_over_all_calls(clock):
    costs = iter(range(1_000_000, 102_000_000, 1_000_000))
    contenders = {"a": clock.contender("a", lambda: next(costs))}
    row = latency.measure(contenders, reference="a", device="cpu", rounds=101, seed=0, warmup=0)["a"]
    assert row.latency_ms_p50 == pytest.approx(51)
    assert row.latency_ms_p95 == pytest.approx(96)


def test_outliers_move_neither_ratio_nor_interval_far(clock):
    rng = np.random.default_rng(5)

    def noisy(nanoseconds):
        return lambda: nanoseconds * rng.normal(1, 0.01) * (30 if rng.random() < 0.1 else 1)

    contenders = {
        "base": clock.contender("base", noisy(1e6)),
        "other": clock.contender("other", noisy(1.1e6)),
    }
    row = latency.measure(contenders, reference="base", device="cpu", rounds=200, seed=0)["other"]
    assert row.ratio == pytest.approx(1.1, abs=0.01)
    assert 1.08 < row.ratio_low < row.ratio_high < 1.12


@pytest.mark.parametrize("rounds", [60, 201])
def test_the_interval_covers_the_true_median_as_often_as_it_says(rounds):
    """Skewed ratios as a noisy machine gives them; 400 experiments, true median 1."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        low, high = latency.median_interval(np.exp(rng.standard_t(3, size=rounds) * 0.05), rng, resamples=300)
        covered += low <= 1 <= high
    assert 0.92 <= covered / 400 <= 0.98  # 0.95 and three standard errors


def test_interval_of_a_constant_is_a_point():
    assert latency.median_interval(np.full(10, 2.0), np.random.default_rng(0)) == (2.0, 2.0)


def test_measuring_leaves_the_global_generators_alone(clock):
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    latency.measure({"a": clock.contender("a", 1)}, reference="a", device="cpu", rounds=5, seed=0)
    assert (np.random.get_state()[1] == state).all()
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_bad_arguments_are_refused_with_what_was_received(clock):
    contenders = {"a": clock.contender("a", 1)}
    with pytest.raises(ValueError, match="'base' is not among the contenders: a"):
        latency.measure(contenders, reference="base", device="cpu", rounds=5, seed=0)
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        latency.measure(contenders, reference="a", device="cpu", rounds=0, seed=0)


class Toy(nn.Module):
    """Takes what a classifier takes; costs what it is told; ties two of its weights."""

    def __init__(self, clock, cost):
        super().__init__()
        self.call = clock.contender(cost, cost)
        self.embedding = nn.Embedding(10, 4)
        self.decoder = nn.Linear(4, 10, bias=False)
        self.decoder.weight = self.embedding.weight
        self.register_buffer("positions", torch.arange(6))
        self.eval()

    def forward(self, input_ids, attention_mask):
        assert input_ids.shape == attention_mask.shape
        self.call()
        return self.decoder(self.embedding(input_ids))


def _trial(models, **options):
    inputs = {"input_ids": torch.ones(2, 6, dtype=torch.long), "attention_mask": torch.ones(2, 6)}
    return latency.trial_latency(*models, inputs, device="cpu", rounds=9, seed=0, **options)


def test_trial_latency_fills_the_schema(clock):
    ms = latency.NS_PER_MS
    result = _trial([Toy(clock, cost * ms) for cost in (10, 10, 12, 10)])
    assert (result.batch_size, result.sequence_length, result.rounds) == (2, 6, 9)
    assert result.base_ms_p50 == 10
    assert (result.control.ratio, result.unmerged.ratio, result.merged.ratio) == (1, 1.2, 1)
    assert result.unmerged.latency_ms_p50 == 12


def test_trial_latency_of_a_method_that_cannot_merge(clock):
    assert _trial([Toy(clock, 10), Toy(clock, 10), Toy(clock, 12), None]).merged is None


def test_trial_latency_refuses_a_model_in_training_mode(clock):
    models = [Toy(clock, 10), Toy(clock, 10), Toy(clock, 12), None]
    models[2].decoder.train()
    with pytest.raises(ValueError, match="the unmerged model is not in eval mode"):
        _trial(models)


def test_trial_latency_moves_weights_and_changes_none(clock):
    model = Toy(clock, 10)
    before = {name: (tensor.clone(), tensor.data_ptr()) for name, tensor in model.state_dict().items()}
    parameters = list(model.parameters())
    _trial([model, Toy(clock, 10), Toy(clock, 12), None])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name][0])
        assert tensor.data_ptr() != before[name][1]
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert model.decoder.weight is model.embedding.weight
    assert not model.decoder.weight.is_inference()

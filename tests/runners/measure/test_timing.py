"""Timing without a stopwatch: a synthetic clock says how long each call takes."""

import gc
from collections import Counter

import numpy as np
import pytest
import torch

from runners.measure import timing


def _sample(contenders, rounds=40, warmup=2, seed=0):
    rng = np.random.default_rng(seed)
    return timing.sample(contenders, device="cpu", rounds=rounds, warmup=warmup, rng=rng)


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

    monkeypatch.setattr(timing, "synchronize", synchronize)
    contenders = {"a": lambda: queued.append(30)}
    times = timing.sample(contenders, device="cuda", rounds=3, warmup=0, rng=np.random.default_rng(0))
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
    rows = timing.measure(contenders, reference="base", device="cpu", rounds=60, seed=3, warmup=0)
    slow = rows["slow"]
    assert slow.ratio_low == pytest.approx(1.5, abs=1e-5)
    assert slow.ratio == pytest.approx(1.5, abs=1e-5)
    assert slow.ratio_high == pytest.approx(1.5, abs=1e-5)
    assert slow.latency_ms_p95 > 2 * slow.latency_ms_p50
    assert rows["base"].ratio == rows["base"].ratio_low == rows["base"].ratio_high == 1


def test_percentiles_are_milliseconds_over_all_calls(clock):
    costs = iter(range(1_000_000, 102_000_000, 1_000_000))
    contenders = {"a": clock.contender("a", lambda: next(costs))}
    row = timing.measure(contenders, reference="a", device="cpu", rounds=101, seed=0, warmup=0)["a"]
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
    row = timing.measure(contenders, reference="base", device="cpu", rounds=200, seed=0)["other"]
    assert row.ratio == pytest.approx(1.1, abs=0.01)
    assert 1.08 < row.ratio_low < row.ratio_high < 1.12


@pytest.mark.parametrize("rounds", [60, 201])
def test_the_interval_covers_the_true_median_as_often_as_it_says(rounds):
    """Skewed ratios as a noisy machine gives them; 400 experiments, true median 1."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(400):
        low, high = timing.median_interval(np.exp(rng.standard_t(3, size=rounds) * 0.05), rng, resamples=300)
        covered += low <= 1 <= high
    assert 0.92 <= covered / 400 <= 0.98  # 0.95 and three standard errors


def test_interval_of_a_constant_is_a_point():
    assert timing.median_interval(np.full(10, 2.0), np.random.default_rng(0)) == (2.0, 2.0)


def test_measuring_leaves_the_global_generators_alone(clock):
    state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    timing.measure({"a": clock.contender("a", 1)}, reference="a", device="cpu", rounds=5, seed=0)
    assert (np.random.get_state()[1] == state).all()
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_bad_arguments_are_refused_with_what_was_received(clock):
    contenders = {"a": clock.contender("a", 1)}
    with pytest.raises(ValueError, match="'base' is not among the contenders: a"):
        timing.measure(contenders, reference="base", device="cpu", rounds=5, seed=0)
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        timing.measure(contenders, reference="a", device="cpu", rounds=0, seed=0)


def _until(contenders, **changes):
    settings = {"reference": "base", "device": "cpu", "width": 0.01, "seconds": 1.0, "seed": 0}
    return timing.measure_until(contenders, **settings | changes)


def test_goes_on_until_every_interval_is_narrow_enough(clock):
    rng = np.random.default_rng(5)
    contenders = {
        "base": clock.contender("base", lambda: 1e5 * rng.normal(1, 0.02)),
        "slow": clock.contender("slow", lambda: 1.2e5 * rng.normal(1, 0.02)),
    }
    found = _until(contenders)
    assert found.widest <= 0.01
    assert timing.LEAST_ROUNDS < found.rounds < 1000
    assert clock.now < 1e9
    assert found.rows["slow"].ratio == pytest.approx(1.2, abs=0.01)
    wider = _until(contenders, width=0.05)
    assert wider.rounds < found.rounds
    assert len(clock.calls) == 2 * (found.rounds + wider.rounds + 2 * timing.WARMUP_ROUNDS)


def test_narrow_by_luck_is_not_enough(clock):
    contenders = {name: clock.contender(name, 100) for name in ("base", "other")}
    assert _until(contenders).rounds == timing.LEAST_ROUNDS * 5 // 4  # narrow at two looks in a row


def test_the_time_limit_ends_what_is_too_noisy_and_no_round_is_begun_after_it(clock):
    rng = np.random.default_rng(5)
    contenders = {
        name: clock.contender(name, lambda: 4e6 * rng.lognormal(0, 0.5)) for name in ("base", "other")
    }
    found = _until(contenders)
    assert found.widest > 0.01
    assert 1e9 <= clock.now < 1e9 + 1e8
    slow = {name: clock.contender(name, 2e9) for name in ("base", "other")}
    assert _until(slow).rounds == 2  # a limit that is over at once still gives a comparison


def test_preparation_is_outside_the_time_and_before_each_call(clock):
    calls = {name: clock.contender(name, 10) for name in ("base", "other")}
    prepare = {name: clock.contender(f"prepare {name}", 1000) for name in calls}
    found = _until(calls, prepare=prepare)
    assert found.rows["other"].latency_ms_p50 * timing.NS_PER_MS == pytest.approx(10)
    pairs = set(zip(clock.calls[::2], clock.calls[1::2], strict=True))
    assert pairs == {("prepare base", "base"), ("prepare other", "other")}


def test_whoever_watches_is_told_of_rounds_and_width(clock):
    seen = []
    _until(
        {name: clock.contender(name, 10) for name in ("base", "other")}, watch=lambda *now: seen.append(now)
    )
    assert seen[-2:] == [(timing.LEAST_ROUNDS, 0.0), (timing.LEAST_ROUNDS * 5 // 4, 0.0)]

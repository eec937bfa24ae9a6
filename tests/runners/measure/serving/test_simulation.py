"""The simulation against what queueing theory says, and against what can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from runners.measure.serving.queue import arrivals
from runners.measure.serving.simulation import Server, Times, answered, waited

ONE = Times([1], [0.01], [0.01], 0.0, 0.0)


def server(way="mixed", times=ONE, tasks=8, largest=1, in_memory=None, requests=40_000):
    unit, who = arrivals(requests, tasks, 1.0, seed=0)
    return Server(unit, who, way, times, largest, tasks if in_memory is None else in_memory)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.8])
def test_single_requests_wait_as_pollaczek_and_khinchine_say(load):
    # M/D/1: the mean wait before service is load * D / (2 (1 - load)).
    one = server()
    rate = load / 0.01
    at = one.unit / rate
    done = answered(at, one.tasks, "mixed", ONE, 1, 8)
    expected = 0.01 + load * 0.01 / (2 * (1 - load))
    assert np.mean((done - at)[4000:]) == pytest.approx(expected, rel=0.05)


def test_a_quiet_server_answers_in_the_time_of_one_request():
    found = server().waited(0.01)
    assert [found.ms_p50, found.ms_p95] == pytest.approx([10, 10], rel=1e-6)


def test_the_most_is_a_full_batch_after_another():
    times = Times([1, 32], [0.01, 0.1], [0.01, 0.08], 0.0, 0.0)
    assert server(times=times, largest=32, requests=32_000).most() == pytest.approx(320, rel=0.01)
    # One task alone never mixes.
    assert server(times=times, largest=32, tasks=1, requests=32_000).most() == pytest.approx(400, rel=0.01)


def test_a_switch_and_a_read_are_paid_where_they_are_needed():
    at, who = np.arange(6.0), np.array([0, 1, 0, 0, 1, 1])
    slow = Times([1], [0.01], [0.01], 0.1, 0.0)
    took = answered(at, who, "merged in turn", slow, 1, 2) - at
    assert took == pytest.approx([0.11, 0.11, 0.11, 0.01, 0.11, 0.01])
    reading = Times([1], [0.01], [0.01], 0.0, 0.5)
    took = answered(at, who, "in turn", reading, 1, 1) - at  # task 0 is held at first
    assert took == pytest.approx([0.01, 0.51, 0.51, 0.01, 0.51, 0.01])
    assert (answered(at, who, "in turn", reading, 1, 2) - at).max() == pytest.approx(0.01)


def test_what_was_not_asked_for_longest_makes_room():
    at, who = np.arange(6.0), np.array([0, 1, 2, 1, 0, 2])  # 0 and 1 are held at first; 2 drops 0, 0 drops 2
    reading = Times([1], [0.01], [0.01], 0.0, 0.5)
    took = answered(at, who, "mixed", reading, 1, 2) - at
    assert took == pytest.approx([0.01, 0.01, 0.51, 0.01, 0.51, 0.51])


def test_times_between_the_measured_sizes_lie_on_a_line():
    times = Times([1, 9], [1.0, 9.0], [1.0, 5.0], 0.0, 0.0)
    assert [times.batch(rows, 2) for rows in (1, 3, 9)] == [1, 3, 9]
    assert times.batch(5, 1) == 3


def test_a_machine_twice_as_slow_lets_wait_twice_as_long_at_half_the_rate():
    times = Times([1, 8], [0.01, 0.04], [0.01, 0.03], 0.005, 0.02)
    fast, slow = (server("merged in turn", one, largest=8, in_memory=3) for one in (times, times.scaled(2.0)))
    for quantile in ("ms_p50", "ms_p95", "ms_p99"):
        assert getattr(slow.waited(20.0), quantile) == pytest.approx(2 * getattr(fast.waited(40.0), quantile))


def test_the_largest_rate_keeps_the_limit_and_a_little_more_does_not():
    one = server(largest=4, times=Times([1, 4], [0.01, 0.02], [0.01, 0.02], 0.0, 0.0))
    rate = one.largest_rate(100.0)
    assert one.waited(rate).ms_p99 <= 100
    assert one.waited(1.01 * rate).ms_p99 > 100
    assert rate < one.most()
    assert one.largest_rate(200.0) > rate
    assert one.largest_rate(5.0) == 0, "one request alone takes longer"


def test_mixing_serves_more_where_tasks_are_many():
    times = Times([1, 32], [0.01, 0.1], [0.01, 0.1], 0.0, 0.0)
    apart, mixed = (server(way, times, tasks=1000, largest=32, requests=8000) for way in ("in turn", "mixed"))
    assert mixed.largest_rate(500.0) > 1.5 * apart.largest_rate(500.0)


def test_waits_are_counted_without_the_first():
    at = np.arange(10.0)
    done = at + np.array([100, *[1] * 9])
    assert waited(at, done).ms_p99 == pytest.approx(1000)
    assert waited(at, done, warm=0).ms_p99 > 1000

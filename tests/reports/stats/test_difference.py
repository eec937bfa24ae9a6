"""The interval of a difference over seeds and examples: by hand, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.difference import Stratum, difference
from reports.stats.estimate import examples_variance, stratified_mean


def test_nothing_shared_says_nothing():
    assert difference([], 0.05) is None
    assert difference([Stratum(np.array([]))], 0.05) is None


def test_few_pairs_on_one_task_have_students_interval():
    values = np.array([0.02, 0.03, 0.04])
    found = difference([Stratum(values)], 0.05)
    assert (found.way, found.pairs, found.tasks, found.tasks_with_examples) == ("t", 3, 1, 0)
    assert found.interval == pytest.approx(stratified_mean([values]).interval)
    assert found.p == 0.25


def test_many_pairs_have_the_interval_of_the_flips():
    rng = np.random.default_rng(0)
    strata = [Stratum(rng.normal(0.02, 0.01, 3)) for _ in range(6)]
    found = difference(strata, 0.05 / 36)
    assert found.way == "sign flips"
    assert found.interval.low > 0
    assert found.monte_carlo_error == 0
    assert found.detectable > found.interval.high - found.value


def test_what_does_not_vary_has_no_interval():
    found = difference([Stratum(np.full(3, 0.1))], 0.05)
    assert (found.value, found.interval, found.way) == (pytest.approx(0.1), None, "none")


def test_a_task_with_too_few_pairs_is_left_out_where_t_decides():
    few = [Stratum(np.array([0.02, 0.03, 0.04])), Stratum(np.array([0.5]))]
    found = difference(few, 0.05)
    assert (found.way, found.tasks, found.value) == ("t", 1, pytest.approx(0.03))


def test_examples_widen_it_by_the_root_of_squares():
    values = np.array([0.02, 0.03, 0.04])
    rows = np.random.default_rng(1).normal(size=(3, 400))
    rows -= rows.mean(axis=1, keepdims=True)
    alone, both = difference([Stratum(values)], 0.05), difference([Stratum(values, rows)], 0.05)
    z = stats.norm.ppf(0.975) * math.sqrt(examples_variance(rows))
    assert both.interval.high - both.value == pytest.approx(math.hypot(alone.interval.high - alone.value, z))
    assert both.tasks_with_examples == 1


def test_the_variance_of_examples_is_that_of_the_two_way_model():
    """Effects of examples of 0.3, of seed and example of 0.4: 0.3² / N is what another sample of N adds."""
    rng = np.random.default_rng(0)
    found = [
        examples_variance(rng.normal(0, 0.3, 500) + rng.normal(0, 0.4, (5, 500)) + rng.normal(0, 0.1, (5, 1)))
        for _ in range(300)
    ]
    assert np.mean(found) == pytest.approx(0.3**2 / 500, rel=0.03)


def test_intervals_for_new_examples_hold_the_truth():
    """Two models that err on the same hard examples, 200 of them, three seeds."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(600):
        hard = rng.normal(size=200)

        def right(ease, seeds=3, hard=hard):
            return (hard[None] + rng.normal(size=(seeds, 200)) < ease + rng.normal(0, 0.05, (seeds, 1))) * 1.0

        first, second = right(1.0), right(0.8)
        gaps = (first - second).mean(axis=1)
        rows = (first - second) - gaps[:, None]
        found = difference([Stratum(gaps, rows)], 0.05)
        scale = math.sqrt(2 + 0.05**2)
        truth = stats.norm.cdf(1.0 / scale) - stats.norm.cdf(0.8 / scale)
        held.append(found.interval is not None and found.interval.low <= truth <= found.interval.high)
    assert np.mean(held) >= 0.93

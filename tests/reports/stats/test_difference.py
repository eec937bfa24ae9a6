"""The interval of a difference over seeds and examples: by hand, against scipy, and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.difference import Stratum, difference, differences
from reports.stats.estimate import examples_variance


def over(*several):
    """Strata from the differences on each task."""
    return {f"task {number}": Stratum(np.asarray(values)) for number, values in enumerate(several)}


def test_nothing_shared_says_nothing():
    assert difference({}, 0.05) is None
    assert difference(over([]), 0.05) is None


def test_one_task_has_the_interval_of_the_paired_t_test():
    values = np.random.default_rng(0).normal(0.02, 0.01, 12)
    paired = stats.ttest_1samp(values, 0.0)
    found = difference(over(values), 0.01)
    assert (found.pairs, found.tasks, found.tasks_with_examples) == (12, 1, 0)
    assert found.interval == pytest.approx(tuple(paired.confidence_interval(0.99)))
    assert found.p == pytest.approx(paired.pvalue)


def test_two_tasks_by_hand():
    """Variances of 1 and 9 from 3 pairs each: df (1 + 9)² / (1/4 + 81/4) - 2, se √(10 / 3) / 2."""
    found = difference(over([1.0, 2.0, 3.0], [1.0, 4.0, 7.0]), 0.05)
    freedom = 100 / (82 / 4) - 2  # fewer than the common 100 / (82 / 2)?
    half = stats.t.ppf(0.975, min(freedom, 100 / (82 / 2))) * math.sqrt(10 / 3) / 2
    assert found.value == 3
    assert found.interval == pytest.approx((3 - half, 3 + half))


def test_tasks_that_disagree_do_not_widen_it():
    """The mean is over these tasks: what a method gains on one and loses on another is no noise."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (3, 5))
    agree, apart = (
        difference(over(*(0.02 + noise + np.array(gaps)[:, None])), 0.05 / 36)
        for gaps in ([0.0, 0.0, 0.0], [0.1, 0.0, -0.1])
    )
    assert apart.value == pytest.approx(agree.value)
    assert apart.interval == pytest.approx(agree.interval)
    assert (agree.ahead, apart.ahead) == (3, 2)
    assert apart.swapped.ahead == 1


def test_a_variance_that_is_small_by_chance_does_not_make_its_task_a_quiet_one():
    """The pair's own variances are alike; those of the others say that the first task is the noisy one."""
    pair = over([0.01, 0.02, 0.03, 0.04, 0.05], [0.01, 0.02, 0.03, 0.04, 0.05])
    others = [over(np.linspace(-1, 1, 5) * scale, np.linspace(0, 0.02, 5)) for scale in (1.0, 1.2, 0.8)]
    alone, among = difference(pair, 0.05 / 36), differences([pair, *others], 0.05 / 36)[0]
    error = math.sqrt(2 * 0.00025 / 5) / 2
    assert alone.interval.high - alone.value == pytest.approx(stats.t.ppf(1 - 0.05 / 72, 8) * error)
    assert among.interval.high - among.value == pytest.approx(stats.t.ppf(1 - 0.05 / 72, 4) * error, rel=0.01)
    assert differences([pair, pair, pair], 0.05 / 36)[0] == alone


@pytest.mark.parametrize("noisy", [1.0, 10.0])
def test_nine_equal_methods_are_seldom_told_apart_where_tasks_differ(noisy):
    """36 comparisons on three tasks, which favour others each; 5 % is allowed, 21 of 200 is 1 in 1000."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        scores = rng.normal(0, 1, (9, 3, 5)) * np.array([noisy, 1, 1])[:, None]
        of_tasks = rng.normal(0, 5, (9, 3, 1))
        scores += of_tasks - of_tasks.mean(axis=1, keepdims=True)
        several = [over(*(one - other)) for one, other in itertools.combinations(scores, 2)]
        found = differences(several, 0.05 / 36)
        wrong += any(one.interval.low > 0 or one.interval.high < 0 for one in found)
    assert wrong <= 20


def test_what_does_not_vary_has_no_interval():
    found = difference(over(np.full(3, 0.1)), 0.05)
    assert (found.value, found.interval, found.p) == (pytest.approx(0.1), None, None)


def test_a_task_with_too_few_pairs_is_left_out_where_another_has_enough():
    found = difference(over([0.02, 0.03, 0.04], [0.5]), 0.05)
    assert (found.tasks, found.value) == (1, pytest.approx(0.03))
    few = difference(over([0.02, 0.04], [0.5]), 0.05)
    assert (few.tasks, few.interval) == (2, None)


def test_examples_widen_it_by_the_root_of_squares():
    values = np.array([0.02, 0.03, 0.04])
    rows = np.random.default_rng(1).normal(size=(3, 400))
    rows -= rows.mean(axis=1, keepdims=True)
    alone, both = difference(over(values), 0.05), difference({"task": Stratum(values, rows)}, 0.05)
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
        found = difference({"task": Stratum(gaps, rows)}, 0.05)
        scale = math.sqrt(2 + 0.05**2)
        truth = stats.norm.cdf(1.0 / scale) - stats.norm.cdf(0.8 / scale)
        held.append(found.interval is not None and found.interval.low <= truth <= found.interval.high)
    assert np.mean(held) >= 0.93

"""Intervals against scipy, worked cases and simulation; which seeds count, and as what."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.estimate import (
    NORMAL,
    examples_variance,
    interquartile_mean,
    mean_interval,
    seed_score,
    stratified_mean,
)
from reports.stats.learning import ONE_SIDED


def test_what_is_written_down_of_the_normal_distribution_is_scipys_to_the_bit():
    assert (stats.norm.ppf(0.975), stats.norm.ppf(0.95)) == (NORMAL, ONE_SIDED)


def covers(estimates, truth):
    """Share of the intervals that hold the truth."""
    return np.mean([estimate.interval.low <= truth <= estimate.interval.high for estimate in estimates])


@pytest.mark.parametrize("scores", [[0.81, 0.79, 0.8], [0.7, 0.72, 0.9, 0.71, 0.5]])
def test_mean_interval_is_scipys_t_interval(scores):
    found = mean_interval([*scores, math.nan])
    expected = stats.t.interval(0.95, len(scores) - 1, loc=np.mean(scores), scale=stats.sem(scores))
    assert found.value == pytest.approx(np.mean(scores))
    assert found.interval == pytest.approx(expected)
    assert found.n == len(scores)


def test_mean_interval_by_hand():
    # mean 2, s = 1, n = 3, t(0.975, 2) = 4.3027: 2 ± 4.3027 / √3
    assert mean_interval([1, 2, 3]).interval == pytest.approx((-0.4841, 4.4841), abs=1e-4)


def test_no_interval_is_cut_to_the_range_of_the_metric_or_has_width_zero():
    assert mean_interval([1.0, 0.9, 1.0]).interval.high > 1
    found = mean_interval([0.5, 0.5, 0.5])
    assert (found.value, found.interval) == (0.5, None)
    assert found.note == "no interval: every seed gave the same"
    assert stratified_mean([[7, 7, 7]], exact=True).interval == (7, 7)  # bytes are no sample


def test_examples_widen_the_interval():
    rows = np.random.default_rng(0).normal(size=(3, 100))
    rows -= rows.mean(axis=1, keepdims=True)
    alone, both = mean_interval([0.8, 0.82, 0.84]), mean_interval([0.8, 0.82, 0.84], rows)
    assert (alone.over_examples, both.over_examples) == (False, True)
    half = math.hypot(alone.interval.high - 0.82, NORMAL * math.sqrt(examples_variance(rows)))
    assert both.interval.high - 0.82 == pytest.approx(half)
    assert mean_interval([0.8] * 3, rows).interval is not None  # the examples vary where the seeds do not
    assert mean_interval([0.8, 0.9], rows[:2]).interval is None


@pytest.mark.parametrize(("scores", "said"), [([0.5], "1 seed,"), ([0.5, 0.6], "2 seeds,")])
def test_fewer_than_three_seeds_have_a_mean_and_no_interval(scores, said):
    found = mean_interval(scores)
    assert found.value == pytest.approx(np.mean(scores))
    assert found.interval is None
    assert said in found.note


def test_no_score_and_no_spread():
    assert mean_interval([math.nan]).value is None
    assert stratified_mean([]).value is None
    assert stratified_mean([[1, 2, 3], []]).value is None


def test_two_equal_strata_are_welchs_interval():
    a, b = [0.8, 0.82, 0.85], [0.3, 0.5, 0.41, 0.44]
    welch = stats.ttest_ind(a, -np.array(b), equal_var=False).confidence_interval(0.95)
    found = stratified_mean([a, b])  # (mean a + mean b) / 2 is half the difference of a and −b
    assert found.interval == pytest.approx((welch.low / 2, welch.high / 2))
    assert stratified_mean([a, [0.1, 0.2]]).interval is None


@pytest.mark.parametrize("seeds", [3, 5])
def test_mean_intervals_cover_the_truth(seeds):
    rng = np.random.default_rng(seeds)
    assert covers([mean_interval(rng.normal(0.8, 0.02, seeds)) for _ in range(2000)], 0.8) == pytest.approx(
        0.95, abs=0.015
    )


def test_stratified_intervals_cover_the_truth_when_tasks_differ_in_spread():
    rng = np.random.default_rng(0)
    means, spreads = np.array([0.9, 0.8, 0.5, 0.6]), np.array([0.002, 0.005, 0.03, 0.01])
    found = [stratified_mean(rng.normal(means, spreads, (3, 4)).T) for _ in range(2000)]
    assert 0.94 <= covers(found, means.mean()) <= 0.985


def test_interquartile_mean_by_hand_and_by_scipy():
    # Of 0 … 11 the outer three on each side go: the mean of 3 … 8 is 5.5.
    scores = np.arange(12.0).reshape(4, 3)
    found = interquartile_mean(scores)
    assert found.value == 5.5
    assert found.n == 12
    assert interquartile_mean(scores * [[1], [1], [1], [100]]).value == 5.5
    wide = np.random.default_rng(0).normal(size=(5, 7))
    assert interquartile_mean(wide).value == pytest.approx(stats.trim_mean(wide.ravel(), 0.25))


def test_interquartile_mean_of_one_task_and_three_seeds_is_near_the_t_interval():
    scores = [0.81, 0.79, 0.83]
    found, exact = interquartile_mean([scores], resamples=20_000), mean_interval(scores)
    assert found.interval == pytest.approx(exact.interval, abs=1e-3)


def test_interquartile_mean_takes_whole_seeds_and_repeats():
    scores = np.random.default_rng(1).normal(size=(3, 4))
    holes = np.insert(scores, 2, [0.5, math.nan, 0.5], axis=1)
    assert interquartile_mean(holes) == interquartile_mean(scores)
    assert interquartile_mean(scores, seed=1).interval != interquartile_mean(scores).interval
    assert interquartile_mean(scores[:, :2]).interval is None
    assert interquartile_mean([[math.nan, 1], [1, math.nan]]).value is None


@pytest.mark.parametrize("apart", [0.0, 1.0, 3.0])
def test_interquartile_intervals_cover_the_truth(apart):
    rng = np.random.default_rng(int(apart))
    centres = apart * np.arange(4)[:, None]
    truth = stats.trim_mean((rng.normal(size=(4, 100_000)) + centres).ravel(), 0.25)
    tables = [rng.normal(size=(4, 3)) + centres for _ in range(400)]
    assert 0.92 <= covers([interquartile_mean(table, resamples=200) for table in tables], truth) <= 0.99


def test_interquartile_intervals_take_the_examples_in():
    scores = np.random.default_rng(1).normal(size=(3, 4))
    noise = np.random.default_rng(2).normal(0, 0.5, (1000, 3))
    alone, both = interquartile_mean(scores), interquartile_mean(scores, noise=noise)
    assert both.over_examples
    assert both.interval.high - both.interval.low > alone.interval.high - alone.interval.low
    assert interquartile_mean(np.ones((3, 4))).interval is None


@pytest.mark.parametrize(
    ("status", "score", "counts"),
    [
        ("completed", 0.7, 0.7),
        ("completed", None, 0.5),
        ("diverged", None, 0.5),
        ("out_of_memory", None, None),
        ("failed", None, None),
    ],
)
def test_what_a_seed_counts_for(status, score, counts):
    assert seed_score(status, score, 0.5) == counts

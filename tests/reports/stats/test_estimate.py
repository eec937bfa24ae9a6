"""Intervals against scipy, worked cases and simulation; which seeds count, and as what."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.estimate import (
    instability,
    interquartile_mean,
    mean_interval,
    pooled,
    seed_score,
    stratified_mean,
)


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
    assert mean_interval([1, 2, 3], bounds=(0, 4)).interval == (0, 4)


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
    assert mean_interval([0.5, 0.5, 0.5]).interval == (0.5, 0.5)


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


def test_instability_counts_divergence_and_chance_but_not_other_failures():
    outcomes = [
        ("completed", 0.8),
        ("completed", 0.5),
        ("completed", 0.49),
        ("completed", None),
        ("diverged", None),
        ("out_of_memory", None),
        ("failed", None),
    ]
    found = instability(outcomes, 0.5)
    assert (found.seeds, found.diverged, found.at_chance, found.share) == (5, 1, 3, 0.8)
    lower = instability(outcomes, 0.5, higher_is_better=False)
    assert lower.at_chance == 3  # 0.8, 0.5 and the undefined one
    assert instability(outcomes, None).share is None
    assert instability([("failed", None)], 0.5).share is None


def test_the_share_has_the_exact_interval():
    found = instability([("completed", 0.8)] * 5, 0.5)
    assert found.share == 0
    assert found.interval == pytest.approx((0, 1 - 0.025 ** (1 / 5)))  # Clopper and Pearson's, in closed form
    half = instability([("completed", 0.8), ("diverged", None)], 0.5)
    assert half.interval == pytest.approx((stats.beta.ppf(0.025, 1, 2), stats.beta.ppf(0.975, 2, 1)))


def test_pooled_instability_counts_every_run():
    one = instability([("completed", 0.8), ("diverged", None)], 0.5)
    two = instability([("completed", 0.4)] * 3, 0.5)
    assert pooled([one, two]) == instability(
        [("completed", 0.8), ("diverged", None)] + [("completed", 0.4)] * 3, 0.5
    )
    assert pooled([one, instability([("completed", 0.4)], None)]).share is None


@pytest.mark.parametrize("truth", [0.02, 0.1, 0.3, 0.7])
def test_intervals_of_the_share_cover_the_truth(truth):
    counts = range(6)
    possible = [instability([("diverged", None)] * k + [("completed", 0.8)] * (5 - k), 0.5) for k in counts]
    held = [found.interval.low <= truth <= found.interval.high for found in possible]
    assert stats.binom.pmf(counts, 5, truth) @ held >= 0.95

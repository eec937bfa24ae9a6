"""Which runs learned nothing: one floor, a bound for the sample of examples, an exact share."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.records.answers import packed
from reports.records.metrics import accuracy
from reports.stats.learning import Risk, exact_share, floors, learned, pooled


def _main(record):
    return next(m for m in record.task.metrics if m.name == record.task.main_metric)


def _judged(record, floor=0.5):
    return learned(record, _main(record), floor)


def test_a_score_within_the_chance_of_the_floor_learned_nothing(make_record):
    """853 examples: one standard error of 0.528 is 0.0171, and 0.5 + 1.645 of them is 0.528."""
    edge = 0.5 + 1.6449 * math.sqrt(0.528 * 0.472 / 853)
    assert _judged(make_record(score=edge + 0.002)) is True
    assert _judged(make_record(score=edge - 0.002)) is False
    assert _judged(make_record(score=0.3)) is False


def test_lower_is_better_turns_it_around(make_record):
    made = {"metric": "error", "higher_is_better": False}
    assert _judged(make_record(score=0.3, **made)) is True
    assert _judged(make_record(score=0.49, **made)) is False


def test_a_run_that_diverged_or_predicts_a_constant_learned_nothing(make_record):
    assert _judged(make_record(status="diverged")) is False
    assert _judged(make_record(score=None)) is False
    for status in ("failed", "out_of_memory"):
        assert _judged(make_record(status=status)) is None
    assert _judged(make_record(), floor=None) is None


def test_answers_give_the_bound_and_the_floor(make_record):
    """The floor is the best constant on the reported split, whatever the training split's majority is."""
    rng = np.random.default_rng(0)
    right = (rng.random(200) < 0.6).astype(int)
    said = np.where(rng.random(200) < 0.66, right, 1 - right)
    score = accuracy(said, right)
    record = make_record(score=score).model_copy(update={"answers": packed(said, right, 2)})
    floor = floors(record.task, [make_record(), record])["accuracy"]
    assert floor == max(right.mean(), 1 - right.mean()) != 0.5
    bound = score - 1.6449 * math.sqrt(score * (1 - score) / 200)
    assert _judged(record, floor) == (bound > floor)


def test_without_answers_the_best_of_what_was_said_is_the_floor(make_record):
    """It does not depend on the seed: today's two floors were the first record's, whichever came first."""
    low, high = make_record(), make_record(seed=1)
    scores = high.scores.model_copy(update={"majority": {"accuracy": 0.55}})
    high = high.model_copy(update={"scores": scores})
    assert floors(low.task, [low, high]) == floors(low.task, [high, low]) == {"accuracy": 0.55}
    assert floors(None, []) == {}
    correlation = make_record(metric="pearson", unit="correlation")
    scores = correlation.scores.model_copy(update={"majority": {"pearson": None}})
    assert floors(correlation.task, [correlation.model_copy(update={"scores": scores})]) == {"pearson": 0.0}


def test_the_share_has_the_exact_interval():
    found = Risk(5, 0)
    assert found.share == 0
    assert found.interval == pytest.approx((0, 1 - 0.025 ** (1 / 5)))  # Clopper and Pearson's, in closed form
    assert Risk(2, 1).interval == pytest.approx((stats.beta.ppf(0.025, 1, 2), stats.beta.ppf(0.975, 2, 1)))
    assert Risk(0, 0).share is None
    assert Risk(3, None).interval is None


def test_pooled_counts_every_run():
    assert pooled([Risk(2, 1, 1), Risk(3, 3)]) == Risk(5, 4, 1)
    assert pooled([Risk(2, 1), Risk(3, None)]).share is None


@pytest.mark.parametrize("truth", [0.02, 0.1, 0.3, 0.7])
def test_intervals_of_the_share_cover_the_truth(truth):
    counts = range(6)
    held = [exact_share(k, 5).low <= truth <= exact_share(k, 5).high for k in counts]
    assert stats.binom.pmf(counts, 5, truth) @ held >= 0.95

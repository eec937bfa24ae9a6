"""The sign-flip test against every sign pattern, Holm against its paper, and verdicts that claim no more."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports import RecordError
from reports.stats.estimate import stratified_mean
from reports.stats.grid import Grid
from reports.stats.paired import holm, p_value, paired_verdicts, pairs_needed, sign_flip_test, smallest_p


def table(scores, methods="abcdefghi", higher=True) -> Grid:
    """A grid from scores of shape [methods, tasks, seeds]."""
    scores = np.array(scores, dtype=float)
    count, tasks, seeds = scores.shape
    return Grid(
        methods=tuple(methods[:count]),
        tasks=tuple(f"task {number}" for number in range(tasks)),
        seeds=tuple(range(seeds)),
        scores=scores,
        higher_is_better=(higher,) * tasks,
        floors=(0.0,) * tasks,
        tops=(1.0,) * tasks,
    )


def brute_force(strata) -> float:
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in strata])
    weighted = [round(w * d * 1e6) for w, d in zip(weights, np.concatenate(strata), strict=True)]
    seen = abs(sum(weighted))
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, weighted, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(weighted))
    ]
    return sum(value >= seen for value in sums) / len(sums)


_differences = st.lists(st.integers(-4, 4), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(_differences, min_size=1, max_size=3))
def test_sign_flips_agree_with_every_pattern_ties_included(strata):
    # Strata of one, two or three differences: sixths keep every sum exact for the brute force.
    strata = [np.array(part) * 6 / 100 for part in strata]
    assert sign_flip_test(strata) == pytest.approx(brute_force(strata))


def test_three_seeds_on_one_task_never_get_below_a_quarter():
    assert sign_flip_test([[0.1, 0.2, 0.3]]) == 0.25
    assert sign_flip_test([[0.1]]) == 1
    assert sign_flip_test([[0.0, 0.0, 0.0]]) == 1


def test_many_pairs_draw_patterns_and_never_give_zero():
    rng = np.random.default_rng(0)
    differences = rng.normal(0.4, 1, 16)
    found = sign_flip_test([differences])
    exact = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=2**16, vectorized=True
    ).pvalue
    assert found == pytest.approx(exact, abs=0.01)
    assert found == sign_flip_test([differences]) != sign_flip_test([differences], seed=1)
    assert sign_flip_test([np.full(20, 0.1)]) == smallest_p(20) == 1e-4


def test_the_test_rejects_one_in_twenty_when_methods_are_equal():
    rng = np.random.default_rng(0)
    found = np.array([sign_flip_test(rng.normal(size=(2, 4))) for _ in range(800)])
    for alpha in (0.05, 0.2):
        assert (found <= alpha).mean() == pytest.approx(alpha, abs=0.025)


def test_holm_by_hand():
    # Of four: 0.01 · 4, 0.02 · 3, max(0.06, 0.03 · 2) and max(0.06, 0.2 · 1), back in their places.
    assert holm([0.2, 0.01, 0.03, 0.02]) == pytest.approx([0.2, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1, 1]
    assert holm([]) == []


def test_holm_holds_the_chance_of_any_false_claim():
    rng = np.random.default_rng(0)
    claims = [min(holm(list(rng.uniform(size=10)))) <= 0.05 for _ in range(4000)]
    assert np.mean(claims) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(("comparisons", "pairs"), [(1, 6), (8, 9), (36, 11)])
def test_pairs_needed_is_the_first_number_that_can_decide(comparisons, pairs):
    assert pairs_needed(comparisons) == pairs
    assert comparisons * smallest_p(pairs) <= 0.05 < comparisons * smallest_p(pairs - 1)


def test_too_few_seeds_are_said_to_be_too_few():
    (verdict,) = paired_verdicts(table([[[0.9, 0.91, 0.92]], [[0.5, 0.52, 0.51]]]))
    assert verdict.decision == "too few pairs"
    assert (verdict.p, verdict.smallest_p, verdict.pairs, verdict.tasks) == (0.25, 0.25, 3, 1)
    assert verdict.difference.value == pytest.approx(0.4)
    assert verdict.sentence == (
        "a and b cannot be told apart by so few seeds, whatever their scores: a is better than b by 0.400, "
        "95 % interval 0.375 to 0.425 (3 pairs on 1 task; p = 0.25). "
        "The smallest p that 3 pairs can give is 0.25; it takes 6 pairs."
    )


def test_distinguishable_over_tasks_with_holm():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.01, (3, 4, 5)) + np.array([0.8, 0.8, 0.7])[:, None, None]
    ab, ac, bc = paired_verdicts(table(scores))
    assert (ab.decision, ac.decision, bc.decision) == (
        "not distinguishable",
        "distinguishable",
        "distinguishable",
    )
    assert (ac.pairs, ac.tasks, ac.comparisons) == (20, 4, 3)
    assert [ab.adjusted_p, ac.adjusted_p, bc.adjusted_p] == pytest.approx(holm([ab.p, ac.p, bc.p]))
    assert "a and c are distinguishable: a is better than c by" in ac.sentence
    assert "after Holm's correction for 3 comparisons" in ac.sentence
    assert "a and b are not distinguishable" in ab.sentence
    assert "no proof that they are equal" in ab.sentence
    differences = scores[0] - scores[2]
    assert ac.difference == stratified_mean(list(differences))


def test_a_chosen_family_is_corrected_for_its_own_size():
    rng = np.random.default_rng(3)
    grid = table(rng.normal(size=(5, 2, 3)))
    (verdict,) = paired_verdicts(grid, [("e", "a")])
    assert (verdict.comparisons, verdict.adjusted_p) == (1, verdict.p)
    every = {(found.first, found.second): found for found in paired_verdicts(grid)}
    assert len(every) == 10
    assert every["a", "e"].difference.value == pytest.approx(-verdict.difference.value)
    with pytest.raises(RecordError, match="no method 'z'"):
        paired_verdicts(grid, [("a", "z")])


def test_missing_cells_use_what_both_have():
    scores = np.full((3, 2, 4), 0.5)
    scores[0] += 0.1
    scores[0, 0, 1] = scores[1, 1, :] = math.nan
    scores[2] = math.nan
    ab, ac, _ = paired_verdicts(table(scores))
    assert (ab.pairs, ab.tasks) == (3, 1)
    assert ab.comparisons == 1
    assert ac.p is None
    assert ac.decision == "too few pairs"
    assert ac.sentence == "a and c share no seed on any task, so nothing can be said."


def test_lower_is_better_turns_the_sign():
    scores = np.random.default_rng(0).normal(size=(2, 1, 6))
    (up,), (down,) = paired_verdicts(table(scores)), paired_verdicts(table(scores, higher=False))
    assert up.difference.value == pytest.approx(-down.difference.value)
    assert up.p == down.p


def test_a_worse_first_method_is_said_with_positive_numbers():
    scores = np.random.default_rng(0).normal(0, 0.01, (2, 1, 6)) + np.array([0.5, 0.8])[:, None, None]
    (verdict,) = paired_verdicts(table(scores))
    assert "b is better than a by 0.299, 95 % interval 0.287 to 0.310" in verdict.sentence
    assert verdict.difference.interval.low < verdict.difference.interval.high < 0
    flipped = replace(verdict, difference=stratified_mean([[0.0, 0.0, 0.0]]))
    assert "no difference" in flipped.sentence


def test_p_values_are_short():
    assert [p_value(value) for value in (0.25, 0.01234, 0.00005)] == ["0.25", "0.012", "< 0.0001"]

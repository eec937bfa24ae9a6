"""The sign-flip test against every sign pattern, Holm by hand, and how a p is written."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reports.stats.p_values import DRAWS, ENUMERATED, holm, p_value, sign_flip_test


def brute_force(strata) -> float:
    """Two-sided p by the definition: the share of patterns on the smaller side, ties included, twice."""
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in strata])
    weighted = [round(w * d * 1e6) for w, d in zip(weights, np.concatenate(strata), strict=True)]
    sums = [
        sum(sign * value for sign, value in zip(signs, weighted, strict=True))
        for signs in itertools.product((1, -1), repeat=len(weighted))
    ]
    sides = [sum(s >= sum(weighted) for s in sums), sum(s <= sum(weighted) for s in sums)]
    return min(1.0, 2 * min(sides) / len(sums))


_differences = st.lists(st.integers(-4, 4), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(st.lists(_differences, min_size=1, max_size=3))
def test_sign_flips_agree_with_every_pattern_ties_included(strata):
    # Strata of one, two or three differences: sixths keep every sum exact for the brute force.
    strata = [np.array(part) * 6 / 100 for part in strata]
    assert sign_flip_test(strata) == pytest.approx(brute_force(strata))


def test_differences_that_sum_to_0_but_for_rounding_have_a_p_of_1():
    strata = [np.array(part) * 0.06 for part in ([0, 0], [0, 0, 0], [-1, -2, 3])]
    assert np.concatenate([part / len(part) for part in strata]).sum() != 0
    assert sign_flip_test(strata) == 1


def test_three_seeds_on_one_task_never_get_below_a_quarter():
    assert sign_flip_test([[0.1, 0.2, 0.3]]) == 0.25
    assert sign_flip_test([[0.1]]) == 1
    assert sign_flip_test([[0.0, 0.0, 0.0]]) == 1


def test_many_pairs_draw_patterns_and_count_the_one_seen():
    count = ENUMERATED + 4
    differences = np.random.default_rng(0).normal(0.3, 1, count)
    t = abs(differences.sum()) / np.sqrt((differences**2).sum())
    assert sign_flip_test([differences]) == pytest.approx(2 * stats.norm.sf(t), abs=0.02)
    assert sign_flip_test([differences], seed=1) == pytest.approx(sign_flip_test([differences]), abs=0.01)
    assert sign_flip_test([np.full(40, 0.1)]) == pytest.approx(2 / (DRAWS + 1))


def test_the_test_rejects_one_in_twenty_when_methods_are_equal():
    rng = np.random.default_rng(0)
    found = np.array([sign_flip_test(rng.normal(size=(2, 4))) for _ in range(400)])
    for alpha in (0.05, 0.2):
        assert (found <= alpha).mean() == pytest.approx(alpha, abs=0.035)


def test_holm_by_hand():
    # Of four: 0.01 · 4, 0.02 · 3, max(0.06, 0.03 · 2) and max(0.06, 0.2 · 1), back in their places.
    assert holm([0.2, 0.01, 0.03, 0.02]) == pytest.approx([0.2, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1, 1]
    assert holm([]) == []


def test_p_values_are_short():
    assert [p_value(value) for value in (0.25, 0.01234, 0.00005)] == ["0.25", "0.012", "< 0.0001"]

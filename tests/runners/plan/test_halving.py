"""The plan of a search that stops settings early: closed, known before anything runs, the same for all."""

from __future__ import annotations

from itertools import pairwise

import pytest

from runners.plan.halving import BRACKET, Bracket, brackets, rungs, steps_in_all

LENGTHS = (1, 2, 3, 4, 5, 7, 8, 37, 80, 81, 1000)


@pytest.mark.parametrize("steps", LENGTHS)
def test_rungs_rise_to_the_whole(steps: int) -> None:
    found = rungs(steps)
    assert list(found) == sorted({*found})
    assert found[0] >= 1
    assert found[-1] == steps
    assert len(found) <= 3


@pytest.mark.parametrize("halving", [True, False])
@pytest.mark.parametrize("steps", LENGTHS)
def test_every_setting_is_tried_and_in_each_bracket_one_is_whole(steps: int, halving: bool) -> None:
    for trials in range(1, 30):
        plan = brackets(trials, steps, halving=halving)
        assert sum(bracket.settings[0] for bracket in plan) == trials
        for bracket in plan:
            assert bracket.rungs[-1] == steps
            assert {*bracket.rungs} <= {*rungs(steps)}
            assert bracket.settings[-1] >= 1
            # At every rung some are stopped, and the better half is not.
            assert all(after < before <= 2 * after for before, after in pairwise(bracket.settings))
        assert steps_in_all(plan) <= trials * steps
        if not halving:
            assert steps_in_all(plan) == trials * steps


@pytest.mark.parametrize("finalists", [2, 3])
@pytest.mark.parametrize("steps", LENGTHS)
def test_as_many_finalists_are_whole_as_were_asked_for(steps: int, finalists: int) -> None:
    for trials in range(1, 30):
        for one, bracket in zip(
            brackets(trials, steps), brackets(trials, steps, finalists=finalists), strict=True
        ):
            size = one.settings[0]
            assert (bracket.settings[0], bracket.rungs[-1]) == (size, steps)
            assert {*bracket.rungs} <= {*one.rungs}
            assert bracket.settings[-1] >= min(finalists, size)
            if len(one.rungs) > 1:  # a training of few steps may have no rung
                assert bracket.settings[-1] == min(finalists, size)
            assert all(after < before for before, after in pairwise(bracket.settings))
    assert brackets(4, 160, finalists=2) == (Bracket((40, 160), (4, 2)),)
    assert steps_in_all(brackets(4, 160, finalists=2)) == 400


def test_a_larger_search_begins_with_the_brackets_of_a_smaller_one() -> None:
    for trials in range(1, 30):
        full = trials // BRACKET
        assert brackets(trials, 80)[:full] == brackets(trials + 1, 80)[:full]


def test_what_it_saves() -> None:
    assert brackets(4, 80)[0].rungs == (20, 40, 80)
    assert brackets(4, 80)[0].settings == (4, 2, 1)
    assert steps_in_all(brackets(4, 80)) == 160
    assert steps_in_all(brackets(2, 80)) == 100  # the least that lets one of two go on
    for trials in (*range(3, 60), 999, 1000):
        assert steps_in_all(brackets(trials, 80)) <= 0.6 * trials * 80

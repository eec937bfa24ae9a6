from __future__ import annotations

import itertools

import pytest

from runners.plan.evaluations import MOST, SHARE, STEP, evaluation_steps

SIZES = list(itertools.product((1, 2, 7, 80, 160, 961, 50_000), (1, 16, 64), (1, 408, 1279, 40_000)))


@pytest.mark.parametrize(("steps", "examples", "rows"), SIZES)
def test_evaluations_are_even_end_with_the_training_and_cost_a_tenth_of_it(
    steps: int, examples: int, rows: int
) -> None:
    found = evaluation_steps(None, steps, examples, rows)
    gaps = [after - before for before, after in itertools.pairwise([0, *found])]
    assert found[-1] == steps
    assert min(gaps) >= 1
    assert max(gaps) - min(gaps) <= 1
    assert len(found) <= MOST
    cost = SHARE * rows / (STEP * steps * examples)  # of one, in tenths of the training
    assert len(found) * cost <= 1 or len(found) == 1
    assert (len(found) + 1) * cost > 1 or len(found) in (MOST, steps)  # and no fewer than that pays for


def test_an_interval_that_is_set_is_kept() -> None:
    assert evaluation_steps(4, 10, 32, 100) == [4, 8, 10]
    assert evaluation_steps(5, 10, 32, 100) == [5, 10]
    assert evaluation_steps(80, 10, 32, 100) == [10]

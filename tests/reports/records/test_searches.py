"""Which setting a search chooses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.records.schema import SearchStep
from reports.records.searches import choose

SCORES = st.lists(st.one_of(st.none(), st.floats(-1, 1)), min_size=1, max_size=8)


def tried(*pairs: tuple[float, float | None], steps: int = 160) -> list[SearchStep]:
    """Settings of these rates and scores."""
    return [
        SearchStep(values={"learning_rate": rate}, score=score, status="completed", steps=steps)
        for rate, score in pairs
    ]


@given(SCORES, st.booleans(), st.floats(0, 0.5))
def test_it_is_within_the_tolerance_of_the_best_and_no_lower_rate_is(
    scores: list[float | None], higher: bool, tolerance: float
) -> None:
    steps = tried(*((0.001 * (index * 7 % 8 + 1), score) for index, score in enumerate(scores)))
    found = choose(steps, higher_is_better=higher, tolerance=tolerance)
    known = [score for score in scores if score is not None]
    if found is None:
        assert not known
        return
    best = max(known) if higher else min(known)
    assert found.score is not None
    assert abs(best - found.score) <= tolerance + 1e-9
    if not tolerance:
        assert found == next(step for step in steps if step.score == best)
        return
    lower = [step for step in steps if step.values["learning_rate"] < found.values["learning_rate"]]
    assert all(step.score is None or abs(best - step.score) > tolerance for step in lower)


def test_a_point_is_a_point_whatever_the_last_bit_is() -> None:
    steps = tried((0.01, 0.80), (0.003, 0.79), (0.001, 0.78))
    assert 0.80 - 0.79 > 0.01
    found = choose(steps, higher_is_better=True, tolerance=0.01)
    assert found is not None
    assert found.values == {"learning_rate": 0.003}


def test_what_was_stopped_is_not_chosen_however_low_its_rate() -> None:
    steps = [*tried((0.001, 0.8), steps=40), *tried((0.003, 0.79), (0.01, 0.8))]
    found = choose(steps, higher_is_better=True, tolerance=0.05)
    assert found is not None
    assert found.values == {"learning_rate": 0.003}


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_without_a_rate_the_best_is(tolerance: float) -> None:
    steps = [
        SearchStep(values={"rank": rank}, score=score, status="completed")
        for rank, score in ((4, 0.79), (8, 0.8), (16, 0.8))
    ]
    found = choose(steps, higher_is_better=True, tolerance=tolerance)
    assert found is not None
    assert found.values == {"rank": 8}

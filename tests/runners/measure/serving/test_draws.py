from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.measure.serving.draws import Draws, groups, zipf

MIXES = ("uniform", "zipf", "one")


@given(st.sampled_from(MIXES), st.integers(1, 40), st.integers(1, 20), st.integers(0, 99))
def test_equal_draws_draw_the_same_tasks_that_there_are(mix, tasks, rows, seed):
    one, other = Draws(mix, tasks, rows, seed), Draws(mix, tasks, rows, seed)
    for _ in range(3):
        who = one.batch()
        assert np.array_equal(who, other.batch())
        assert who.shape == (rows,)
        assert who.min() >= 0
        assert who.max() < tasks
        assert mix != "one" or len(set(who.tolist())) == 1
        parts = groups(who)
        assert sorted(row for own in parts.values() for row in own) == list(range(rows))
        assert all(who[row] == task for task, own in parts.items() for row in own)


def test_zipf_halves_from_the_first_to_the_second():
    chances = zipf(1000, 1.0)
    assert chances.sum() == pytest.approx(1)
    assert chances[0] / chances[1] == pytest.approx(2)
    assert chances[0] / chances[99] == pytest.approx(100)
    assert np.allclose(zipf(7, 0.0), 1 / 7)
    drawn = np.concatenate([Draws("zipf", 10, 500, seed).batch() for seed in range(20)])
    assert np.mean(drawn == 0) == pytest.approx(zipf(10, 1.0)[0], abs=0.02)

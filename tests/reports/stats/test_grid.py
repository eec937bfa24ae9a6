"""From records to the array that comparisons are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports import RecordError
from reports.stats.grid import make_grid
from reports.stats.sections import sections


def test_cells_by_method_task_and_seed(make_record):
    records = [
        make_record("lora", seed=0, score=0.8, task="a"),
        make_record("lora", seed=7, task="a", status="diverged"),
        make_record("head", seed=0, score=0.6, task="a"),
        make_record("head", seed=7, task="a", status="out_of_memory"),
        make_record("lora", seed=7, score=0.4, task="b", metric="pearson", unit="correlation"),
    ]
    grid = make_grid(sections(records))
    assert (grid.methods, grid.tasks, grid.seeds) == (("lora", "head"), ("a", "b"), (0, 7))
    expected = [[[0.8, 0.5], [math.nan, 0.4]], [[0.6, math.nan], [math.nan, math.nan]]]
    np.testing.assert_array_equal(grid.scores, expected)
    assert (grid.floors, grid.tops) == ((0.5, 0.5), (1.0, 1.0))


def test_gained_runs_from_the_majority_answer_to_the_best_possible(make_record):
    records = [
        make_record(seed=0, score=0.75, task="a"),
        make_record(seed=0, score=0.1, task="b", metric="error", higher_is_better=False),
        make_record(seed=0, score=3.0, task="c", metric="loss", unit="nats", higher_is_better=False),
    ]
    grid = make_grid(sections(records))
    np.testing.assert_array_equal(grid.signed[0, :, 0], [0.75, -0.1, -3.0])
    gained = grid.gained()
    assert gained.tasks == ("a", "b")
    assert gained.scores[0, :, 0] == pytest.approx([0.5, 0.8])
    np.testing.assert_array_equal(gained.signed, gained.scores)


def test_sections_of_two_models_are_refused(make_record):
    with pytest.raises(RecordError, match="expected the tasks of one model"):
        make_grid(sections([make_record(), make_record(model="other")]))


def test_a_task_that_nothing_reached_has_no_cells(make_record):
    lost = make_record(status="failed").model_copy(update={"task": None, "parameters": None})
    assert make_grid(sections([lost])).scores.shape == (0, 0, 0)

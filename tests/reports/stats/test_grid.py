"""From records to the array that comparisons are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports import RecordError
from reports.records.answers import packed
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
    learned = [[[True, False], [False, False]], [[True, False], [False, False]]]
    np.testing.assert_array_equal(grid.learned, learned)  # 0.4 is below the floor


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


def test_a_correlation_has_a_floor_where_none_was_said(make_record):
    record = make_record(metric="pearson", unit="correlation", score=0.6)
    scores = record.scores.model_copy(update={"majority": {"pearson": None}})
    gained = make_grid(sections([record.model_copy(update={"scores": scores})])).gained()
    assert gained.tasks == ("rotten_tomatoes",)
    assert gained.scores[0, 0, 0] == pytest.approx(0.6)


def test_answers_become_influences_and_noise(make_record):
    rng = np.random.default_rng(0)
    right = rng.integers(0, 2, 100)
    records, hits = [], {}
    for name in ("lora", "head"):
        for seed in range(3):
            hit = rng.random(100) < 0.7
            hits[name, seed] = hit
            made = make_record(name, seed=seed, score=float(hit.mean()))
            answers = packed(np.where(hit, right, 1 - right), right, 2)
            records.append(made.model_copy(update={"answers": answers}))
    grid = make_grid(sections(records))
    rows = grid.examples["lora", "rotten_tomatoes"]
    np.testing.assert_allclose(rows[1], hits["lora", 1] - hits["lora", 1].mean())
    assert grid.noise.shape == (1000, 2, 1)
    means = [np.mean([hits[name, seed] for seed in range(3)], axis=0) for name in ("lora", "head")]
    expected = np.cov(means) / 100
    order = [("lora", "head").index(name) for name in grid.methods]
    drawn = np.cov(grid.noise[:, :, 0].T)
    np.testing.assert_allclose(drawn, expected[np.ix_(order, order)], rtol=0.2, atol=4e-5)
    np.testing.assert_allclose(grid.gained().examples["lora", "rotten_tomatoes"], rows / (1 - grid.floors[0]))
    unknown = [make_record("head", seed=seed, score=0.7) for seed in range(3)]
    assert make_grid(sections([*records[:3], *unknown])).noise is None


def test_sections_of_two_models_are_refused(make_record):
    with pytest.raises(RecordError, match="expected the tasks of one model"):
        make_grid(sections([make_record(), make_record(model="other")]))


def test_a_task_that_nothing_reached_has_no_cells(make_record):
    lost = make_record(status="failed").model_copy(update={"task": None, "parameters": None})
    assert make_grid(sections([lost])).scores.shape == (0, 0, 0)

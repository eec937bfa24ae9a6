"""What is planned is what a run then does, to the trial and to the example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports import read_records
from reports.records.store import read_searches
from runners.plan import study
from runners.plan.study import Study
from runners.work import execute, search, todo
from runners.work.forecast import forecast


@pytest.fixture(scope="module")
def content(tiny_model: str, glue_folder: str) -> dict[str, Any]:
    return {
        "name": "small",
        "models": [tiny_model],
        "tasks": ["cola"],
        "methods": ["full", "lora"],
        "seeds": [0, 1],
        "data": glue_folder,
        "protocol": {"steps": 4, "evaluate_every": 3, "batch_size": 8, "train_examples": 5},
        "costs": "none",
        "tuning": {"trials": 2, "seed": 7, "steps_share": 0.5},
    }


def left(made: Study, folder: Path) -> tuple[int, int, int]:
    """Trials, those that are missing, and how often costs are measured."""
    rows = todo.of(made, folder).values()
    return (
        sum(row.trials for row in rows),
        sum(len(row.missing) for row in rows),
        sum(len(row.costs) for row in rows),
    )


def test_a_run_does_what_was_planned(content: dict[str, Any], tmp_path: Path) -> None:
    made = study.parse_study(content)
    before = forecast(made, tmp_path)
    assert not list(tmp_path.iterdir())
    execute.run_study(search.run_searches(made, tmp_path, []), tmp_path, [])
    reported, searched = read_records(tmp_path), read_searches(tmp_path)
    every = [*reported, *searched]
    assert [row.trials for row in before.rows] == [row.missing for row in before.rows]
    assert before.missing == len(every)
    assert sum(row.examples for row in before.rows) == sum(r.training.examples for r in every if r.training)
    assert [row.settings for row in before.rows] == [2] * 2
    assert sum(row.reported for row in before.rows) == len(reported)
    assert all(row.peak_bytes and row.total > 0 for row in before.rows)
    assert any("steps of" in sentence for sentence in before.assumed)
    assert before.here(1) > before.elsewhere(2) >= before.elsewhere(8)

    after = forecast(made, tmp_path)
    assert (after.missing, sum(row.total for row in after.rows)) == (0, 0)
    assert sum(row.trials for row in after.rows) == len(every)

    # A trial of a search is lost: it is planned again, and what it may choose with it.
    next(path for path in (tmp_path / search.FOLDER).glob("*lora*.json")).unlink()
    seeds = len(made.searches[0].reported)
    assert left(made, tmp_path) == (len(every), 1 + seeds, 0)
    for path in tmp_path.glob("*.json"):
        path.unlink()
    assert left(made, tmp_path) == (len(every), 1 + len(reported), 0)


def test_costs_are_planned_once_for_each_setting(content: dict[str, Any], brief: Any, tmp_path: Path) -> None:
    plain = {key: value for key, value in content.items() if key != "tuning"}
    made = study.parse_study({**plain, "methods": ["lora"], "costs": brief})
    assert left(made, tmp_path) == (2, 2, 1)
    execute.run_study(made, tmp_path, [])
    assert left(made, tmp_path) == (2, 0, 0)
    # Without the record that has them, they are measured with the trial that is run again, or with the other.
    next(path for path in tmp_path.glob("*seed0*.json")).unlink()
    assert left(made, tmp_path) == (2, 1, 1)

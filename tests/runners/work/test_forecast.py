"""What is planned is what a run then does, to the trial and to the example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reports import read_records
from reports.records.schema import Record
from reports.records.store import read_searches
from runners.plan import study
from runners.plan.forecast import Forecast
from runners.plan.study import Study
from runners.work import execute, search
from runners.work.forecast import forecast


@pytest.fixture(scope="module")
def content(tiny_model: str, glue_folder: str) -> dict[str, Any]:
    return {
        "name": "small",
        "models": [tiny_model],
        "tasks": ["cola", {"stsb": {"train_examples": 5}}],
        "methods": ["full", "lora"],
        "seeds": [0, 1],
        "data": glue_folder,
        "protocol": {"steps": 4, "evaluate_every": 3, "batch_size": 8, "scored_examples": 12},
        "costs": "none",
        "tuning": {"trials": 2, "seed": 7, "steps_share": 0.5},
    }


def run(made: Study, folder: Path) -> list[Record]:
    return execute.run_study(search.run_searches(made, folder, []), folder, [])


def counts(found: Forecast) -> tuple[int, int, int]:
    return (
        sum(row.trials for row in found.rows),
        found.missing,
        sum(row.examples for row in found.rows),
    )


def examples(records: list[Record]) -> int:
    return sum(record.training.examples for record in records if record.training)


def test_a_run_does_what_was_planned(content: dict[str, Any], tmp_path: Path) -> None:
    made = study.parse_study(content)
    before = forecast(made, tmp_path)
    assert not list(tmp_path.iterdir())
    run(made, tmp_path)
    reported, searched = read_records(tmp_path), read_searches(tmp_path)
    every = [*reported, *searched]
    assert counts(before) == (len(every), len(every), examples(every))
    assert [row.settings for row in before.rows] == [2] * 4
    assert sum(row.reported for row in before.rows) == len(reported)
    assert all(row.peak_bytes and row.total > 0 for row in before.rows)
    assert any("steps of" in sentence for sentence in before.assumed)
    assert before.here(1) > before.elsewhere(2) > before.elsewhere(8)

    after = forecast(made, tmp_path)
    assert counts(after) == (len(every), 0, 0)
    assert sum(row.total for row in after.rows) == 0

    # A trial of a search is lost: it is planned again, and what it may choose with it.
    lost = next(path for path in (tmp_path / search.FOLDER).glob("*lora*.json"))
    lost.unlink()
    again = forecast(made, tmp_path, quick=True)
    assert counts(again)[1] == 1 + len(made.searches[0].reported)
    assert any("guess" in sentence for sentence in again.assumed)

    for path in tmp_path.glob("*.json"):
        path.unlink()
    assert counts(forecast(made, tmp_path, quick=True))[1] == 1 + len(reported)


def test_costs_are_planned_once_for_each_setting(content: dict[str, Any], brief: Any, tmp_path: Path) -> None:
    plain = {key: value for key, value in content.items() if key != "tuning"}
    made = study.parse_study({**plain, "tasks": ["cola"], "methods": ["lora"], "costs": brief})
    before = forecast(made, tmp_path, quick=True)
    assert before.missing == 2
    assert len(before.load.costs) == 1
    execute.run_study(made, tmp_path, [])
    after = forecast(made, tmp_path, quick=True)
    assert (after.missing, after.load.costs) == (0, [])
    # Without the record that has them, they are measured with the other seed's.
    next(path for path in tmp_path.glob("*seed0*.json")).unlink()
    assert len(forecast(made, tmp_path, quick=True).load.costs) == 1

"""A real search among settings that a study lists."""

from __future__ import annotations

from pathlib import Path

from reports.records.tuning import how_set_in_full, searched
from reports.records.validate import validate
from runners.plan import study
from runners.work import execute, search


def test_listed_settings_are_tried_in_their_order_and_no_other(
    tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    grid = {"lora": {"learning_rate": [0.01, 0.0003], "rank": [2, 3]}}
    asked = {
        "name": "listed",
        "models": [tiny_model],
        "tasks": ["cola"],
        "methods": ["lora"],
        "data": glue_folder,
        "protocol": {"steps": 4, "batch_size": 8},
        "costs": "none",
        "tuning": {"trials": 4, "seed": 7, "grid": grid, "finalists": 2, "tolerance": 0.99},
    }
    found = search.run_searches(study.parse_study(asked), tmp_path, [])
    (tuning,) = {id(one): one for one in found.tunings.values()}.values()
    assert [tuple(step.values.values()) for step in tuning.history] == [
        (0.01, 2),
        (0.01, 3),
        (0.0003, 2),
        (0.0003, 3),
    ]
    assert (tuning.sampler, tuning.space["rank"]) == ("grid", {"values": [2, 3]})
    assert sorted(step.steps or 0 for step in tuning.history) == [1, 1, 4, 4]
    assert (tuning.rungs, tuning.tolerance) == ((1,), 0.99)
    whole = [step.values["learning_rate"] for step in tuning.history if step.status == "completed"]
    assert tuning.chosen["learning_rate"] == min(whole)
    records = execute.run_study(found, tmp_path, [])
    assert "which the study lists" in how_set_in_full(records)
    assert "the one of the lowest learning rate within 0.99 of the best" in how_set_in_full(records)
    assert "default" not in searched(records[0].tuning)
    assert all(not one.faults for one in validate(tmp_path))
    assert {spec.options["rank"] for spec in found.specs} == {tuning.chosen["rank"]}

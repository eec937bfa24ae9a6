"""A real search among settings that a study lists."""

from __future__ import annotations

from pathlib import Path

from runners.plan import study
from runners.work import search


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
        "tuning": {"trials": 4, "seed": 7, "grid": grid},
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
    assert sorted(step.steps or 0 for step in tuning.history) == [1, 1, 2, 4]
    assert {spec.options["rank"] for spec in found.specs} == {tuning.chosen["rank"]}

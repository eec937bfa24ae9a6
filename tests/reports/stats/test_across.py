from __future__ import annotations

from pathlib import Path

from reports import build_site, markdown_scores
from reports.records.schema import Record
from reports.stats.across import across
from reports.stats.sections import sections

from ..conftest import build_record


def study(**tasks: dict[str, list[float]]) -> list[Record]:
    return [
        build_record(method, options={}, task=task, score=score, seed=seed)
        for task, methods in tasks.items()
        for method, scores in methods.items()
        for seed, score in enumerate(scores)
    ]


TWO = study(
    sst2={"full": [0.7, 0.8, 0.9], "lora": [0.6, 0.7, 0.8], "head": [0.5, 0.5, 0.5]},
    mrpc={"lora": [0.7, 0.7, 0.7], "full": [0.7, 0.7, 0.7]},
)


def test_best_average_rank_first_and_a_hole_where_a_method_was_not_run() -> None:
    (table,) = across(sections(TWO))
    assert [section.task for section in table.sections] == ["mrpc", "sst2"]
    assert [line.label for line in table.lines] == ["full", "lora", "head"]
    assert [line.best for line in table.lines] == [(False, True), (False, False), (False, False)]
    assert table.lines[2].rows[0] is None
    told = [line.split(" | ")[:3] for line in markdown_scores(TWO).splitlines()]
    assert told == [
        ["| Method", "mrpc, accuracy", "sst2, accuracy"],
        ["| ---", "---:", "---:"],
        ["| full", "0.700 ± 0.000", "**0.800 (0.552–1.048)**"],
        ["| lora", "0.700 ± 0.000", "0.700 (0.452–0.948)"],
        ["| head", "–", "0.500; 3 of 3 runs learned nothing"],
    ]


def test_costs_are_told_from_the_lowest_to_the_highest_of_the_tasks() -> None:
    records = [
        build_record("lora", options={}, task="mrpc", method_parameters=1_000, memory_mb=300, unmerged=1.2),
        build_record("lora", options={}, task="sst2", method_parameters=2_000, memory_mb=100, unmerged=1.1),
        build_record("head", options={}, task="sst2", method_parameters=0, merged=None),
    ]
    header, _, *lines = (line.strip("| ").split(" | ") for line in markdown_scores(records).splitlines())
    costs = {line[0]: dict(zip(header, line, strict=True)) for line in lines}
    assert header[3:] == ["Trainable parameters", "Peak training memory", "Latency", "Latency, merged"]
    assert [costs["lora"][name] for name in header[3:]] == [
        "1,770 to 2,770",
        "100 MB to 300 MB",
        "×1.10 to ×1.20",
        "×1.00",
    ]
    assert [costs["head"][name] for name in header[3:]] == ["770", "334 MB", "×1.21", "–"]


def test_a_cost_that_no_trial_measured_is_no_column() -> None:
    records = [build_record(options={}, task=task, merged=None) for task in ("mrpc", "sst2")]
    assert "Latency |" in markdown_scores(records)
    assert "merged" not in markdown_scores(records)


def test_a_table_for_each_model_and_none_of_one_task(tmp_path: Path) -> None:
    other = [build_record(task=task, model="other") for task in ("mrpc", "sst2")]
    assert [item.model for item in across(sections([*TWO, *other]))] == ["embedded", "other"]
    assert markdown_scores([*TWO, *other]).startswith("**embedded**\n\n| Method |")
    one = [record for record in TWO if record.spec["task"] == "sst2"]
    assert across(sections(one)) == []
    assert "Scores by task" not in build_site(one, tmp_path / "one").read_text()
    assert build_site(TWO, tmp_path / "two").read_text().count("Scores by task") == 1
    assert "## Scores by task on embedded" in (tmp_path / "two" / "table.md").read_text()

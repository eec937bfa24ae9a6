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
    assert markdown_scores(TWO).splitlines() == [
        "| Method | mrpc, accuracy | sst2, accuracy |",
        "| --- | ---: | ---: |",
        "| full | 0.700 ± 0.000 | **0.800 (0.552–1.048)** |",
        "| lora | 0.700 ± 0.000 | 0.700 (0.452–0.948) |",
        "| head | – | 0.500; 3 of 3 runs learned nothing |",
    ]


def test_a_table_for_each_model_and_none_of_one_task(tmp_path: Path) -> None:
    other = [build_record(task=task, model="other") for task in ("mrpc", "sst2")]
    assert [item.model for item in across(sections([*TWO, *other]))] == ["embedded", "other"]
    assert markdown_scores([*TWO, *other]).startswith("**embedded**\n\n| Method |")
    one = [record for record in TWO if record.spec["task"] == "sst2"]
    assert across(sections(one)) == []
    assert "Scores by task" not in build_site(one, tmp_path / "one").read_text()
    assert build_site(TWO, tmp_path / "two").read_text().count("Scores by task") == 1
    assert "## Scores by task on embedded" in (tmp_path / "two" / "table.md").read_text()

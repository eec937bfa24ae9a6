"""What is published is whole and clean."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import tasks
from reports import read_latencies, read_records, read_servings
from reports.records.published import counts_of, scores_on, tables_on
from reports.records.schema import Record
from reports.records.store import read_searches
from reports.stats.intrinsic import curves
from runners.measure.serving.arrivals import simulate
from runners.plan import study
from runners.plan.intrinsic import parse_intrinsic_study
from runners.plan.serving_study import parse_serving_study
from runners.plan.spec import TrialSpec
from runners.work import serving_study

from . import study_hours

ROOT = Path(__file__).parents[1]
FURTHER_SEEDS = range(5, 10)
"""What docs/protocol.md trains as well where more than 1 of 20 runs of a chosen setting learned nothing."""


def boards(kind: str) -> list[Path]:
    """The folders of published records, by the kind of their study."""
    found = sorted((ROOT / "reports" / "leaderboards").iterdir())
    return [board for board in found if study.content(board.name).get("kind", "trials") == kind]


@pytest.mark.parametrize("board", boards("latency"), ids=lambda path: path.name)
def test_published_comparisons_are_of_their_study_and_clean(board: Path) -> None:
    cells = study.content(board.name)["cells"]
    for record in read_latencies(board):
        assert {"batch": record.batch_size, "length": record.sequence_length} in cells
        assert record.study == board.name
        assert record.environment.tree_clean, "published records come from a clean tree"


@pytest.mark.parametrize("board", boards("serving"), ids=lambda path: path.name)
def test_published_servings_are_of_their_study_and_clean(board: Path) -> None:
    asked = parse_serving_study(study.content(board.name))
    records = read_servings(board)
    assert {record.label for record in records} == {choice.label for choice in asked.choices}
    for record in records:
        (choice,) = (one for one in asked.choices if one.label == record.label)
        assert serving_study.is_of(asked, choice, record, threads=record.environment.threads)
        assert record.environment.tree_clean, "published records come from a clean tree"


def test_published_arrivals_are_what_the_published_times_give() -> None:
    asked = parse_serving_study(study.content("serving")).arrivals
    (record,) = (
        one for one in read_servings(ROOT / "reports/leaderboards/serving") if one.method == "prefix"
    )
    assert asked is not None
    assert record.arrivals is not None
    again = simulate(record, replace(asked, further=()), record.arrivals.memory_limit_bytes)
    assert list(again) == [one for one in record.arrivals.simulated if one.tasks <= 256]


def ids_by_their_rules(specs: Iterable[TrialSpec], records: Sequence[Record]) -> set[str]:
    """The ids of trials by the rules and by the files of the model that a board's records were trained by.

    A model of the hub that was read from a folder is known by what its files hold.
    """
    ((rules, files),) = {(record.spec.get("rules", 1), record.spec.get("model_sha256")) for record in records}
    more = {"rules": rules, "model_sha256": files}
    return {TrialSpec(**dict(spec) | more).trial_id for spec in specs}


def chosen_by(default: TrialSpec, record: Record) -> bool:
    """Whether a record is of a search's row: of its task, method and options, but for those searched."""
    spec = record.spec
    searched = record.tuning.space if record.tuning else {}
    fixed = {name: value for name, value in default.options.items() if name not in searched}
    return (spec["task"], spec["method"]) == (default.task, default.method) and all(
        spec["options"][name] == value for name, value in fixed.items()
    )


@pytest.mark.parametrize("board", boards("trials"), ids=lambda path: path.name)
def test_published_records_are_whole_and_clean(board: Path) -> None:
    """A long study may be published task by task, but of a task with all its trials.

    Seeds 5 to 9 of a method are published where the protocol asks for them, all five or none.
    """
    records = read_records(board)
    built_in = study.read_study(board.name)
    done = {record.spec["task"] for record in records}
    specs = [spec for spec in built_in.specs if spec.task in done]
    tried: list[TrialSpec] = []
    for planned in built_in.searches:
        if planned.default.task not in done:
            continue
        mine = [record for record in records if chosen_by(planned.default, record)]
        own = [record.tuning for record in mine if record.tuning]
        assert all(tuning == own[0] for tuning in own)
        best = planned.best(own[0].chosen)
        further = {record.spec["seed"] for record in mine} - {spec.seed for spec in best}
        assert further in (set(), set(FURTHER_SEEDS))
        specs += [*best, *(best[0].model_copy(update={"seed": seed}) for seed in further)]
        # Those of before trained all their settings whole.
        halved = {"halving": bool(own[0].rungs)}
        for step in own[0].history:
            tried += [trial.model_copy(update=halved) for trial in planned.trials_at(step.values)]
    assert {record.trial_id for record in records} == ids_by_their_rules(specs, records)
    searched = read_searches(board)
    assert {record.trial_id for record in searched} == (
        ids_by_their_rules(tried, searched) if tried else set()
    )
    for record in records:
        assert (record.tuning is not None) == bool(built_in.searches)
        assert record.status == "completed"
        assert record.environment.tree_clean, "published records come from a clean tree"


@pytest.mark.parametrize("board", boards("intrinsic"), ids=lambda path: path.name)
def test_published_searches_are_of_their_study_and_clean(board: Path) -> None:
    """A search decides which trials it needs, so nothing but their being of it can be asked."""
    records = read_records(board)
    trials = [
        spec
        for search in parse_intrinsic_study(study.content(board.name)).searches
        for specs in (search.references, *(specs for rates in search.inside.values() for specs in rates))
        for spec in specs
    ]
    assert {record.trial_id for record in records} <= ids_by_their_rules(trials, records)
    assert {curve.task for curve in curves(records)} == {record.spec["task"] for record in records}
    for record in records:
        assert record.status == "completed"
        assert record.environment.tree_clean, "published records come from a clean tree"


@pytest.mark.parametrize(
    "folder", sorted((ROOT / "reports" / "imported").glob("*/")), ids=lambda path: path.name
)
def test_imported_records_are_of_another_suite(folder: Path) -> None:
    for record in read_records(folder):
        assert record.suite is not None
        assert record.tuning is None


@pytest.mark.parametrize("name", ["rotten_tomatoes", "imdb_pair"])
def test_the_floors_of_older_records_are_those_of_the_data(name: str) -> None:
    data = tasks.load(name)
    rows = [row for row in csv.DictReader(_floors_file()) if row["task"] == name]
    assert rows
    for row in rows:  # of a part of the split the first examples are scored
        labels = data.report["label"][: int(row["examples"])]
        assert (row["data_sha256"], row["metric"]) == (data.sha256, "accuracy")
        assert len(labels) == int(row["examples"])
        assert float(row["floor"]) == pytest.approx(max(Counter(labels).values()) / len(labels), abs=1e-12)


def test_no_published_record_tells_of_a_better_constant_answer() -> None:
    known = {
        (row["data_sha256"], int(row["examples"]), row["metric"]): row
        for row in csv.DictReader(_floors_file())
    }
    for board in boards("trials"):
        for record in read_records(board):
            if record.scores is None or record.task is None or record.answers is not None:
                continue
            for metric, value in record.scores.majority.items():
                key = record.task.data_sha256, record.task.sizes.report, metric
                if value:  # a constant answer has no correlation
                    assert value <= float(known[key]["floor"]) + 1e-12


def test_the_lora_papers_table_3_is_whole_and_in_the_units_of_our_records() -> None:
    (table,) = tables_on("e2e")
    assert table.source == "arXiv 2106.09685, table 3"
    assert len(table.lines) == 12
    units = {metric.name: metric.unit for metric in tasks.get("e2e").metrics} | {"meteor": "fraction"}
    assert set(table.metrics) == set(units)
    for line in table.lines:
        assert list(line.scores) == list(table.metrics)
        for metric, row in line.scores.items():
            low, high = (0.4, 0.8) if units[metric] == "fraction" else (2.3, 9)
            assert low < row.score < high
        # The paper has a ± for what its authors ran, and a star for what they took over.
        assert {row.plus_minus is None for row in line.scores.values()} == {line.printed.endswith("*")}


def test_published_sizes_are_those_of_the_closed_forms() -> None:
    """What a paper trains on E2E is of the size that our formula gives for the options it states."""
    known = {
        (row.model, row.method, row.printed): row.parameters
        for method in ("lora", "lin", "houlsby")
        for row in counts_of(method)
    }
    found = 0
    for score in scores_on("e2e"):
        name = score.model.replace("GPT-2 ", "gpt2-")
        exact = known.get((name, score.method, f"{score.parameters / 1e6:.2f}M"))
        if exact is not None:
            assert abs(exact - score.parameters) <= 5_000
            found += 1
    assert found >= 4 * 5


def _floors_file() -> list[str]:
    text = (ROOT / "reports" / "published" / "floors.csv").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_studies_tell_the_hours_that_their_records_took() -> None:
    found = study_hours.hours(study_hours.published())
    for name in study.built_in():
        told = study.content(name).get("hours")
        planned = told is not None and told["how"] == "planned"
        assert planned or told == (found[name].model_dump() if name in found else None), name
        assert not (planned and name in found), f"{name}: its records tell its hours"

"""Real searches on a tiny model: what they see, that they go on where they were, and what records say."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports import read_records
from reports.records.files import SEARCH_SUFFIX
from reports.records.schema import Record, SearchStep
from reports.records.store import read_searches, write_record
from reports.records.validate import validate
from runners.executors.local import Local
from runners.plan import study
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials import batches
from runners.trials.snapshots import FOLDER as SNAPSHOTS
from runners.trials.trial import run_trial
from runners.work import execute, search, shelf


@pytest.fixture(scope="module")
def content(tiny_model: str, glue_folder: str) -> dict[str, Any]:
    return {
        "name": "small",
        "models": [tiny_model],
        "tasks": ["cola"],
        "methods": ["full", "lora"],
        "seeds": [0, 1],
        "data": glue_folder,
        "protocol": {
            "steps": 4,
            "evaluate_every": 4,
            "batch_size": 8,
        },
        "costs": "none",
        "tuning": {"trials": 5, "seed": 7, "protocol": {"steps": 4, "evaluate_every": 9}},
    }


@dataclasses.dataclass
class Whole:
    """A study that ran from beginning to end, and the splits that its trials turned into tokens."""

    folder: Path
    study: Study
    records: list[Record]
    searched: list[Record]
    seen: list[tuple[bool, str]]


@pytest.fixture(scope="module")
def whole(content: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder, seen = tmp_path_factory.mktemp("whole"), []
    encode, running = batches.encode, []

    def watched(*arguments: Any, **named: Any) -> batches.Encoded:
        seen.append((running[-1].search, named["split"]))
        return encode(*arguments, **named)

    def run(spec: TrialSpec, **rest: Any) -> Record:
        running.append(spec)
        return run_trial(spec, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "encode", watched)
        found = search.run_searches(study.parse_study(content), folder, [], executor=Local(run))
        records = execute.run_study(found, folder, [], executor=Local(run))
    return Whole(folder, found, records, read_searches(folder / search.FOLDER), seen)


def test_a_search_sees_training_and_selection_and_nothing_else(whole: Whole) -> None:
    assert {split for searching, split in whole.seen if searching} == {"train", "selection"}
    assert {split for searching, split in whole.seen if not searching} == {"train", "selection", "report"}
    for record in whole.searched:
        assert record.status in ("completed", "pruned"), record.message
        assert record.scores is not None
        assert record.scores.selection.keys() == {"matthews_correlation"}
        assert (record.scores.report, record.scores.majority) == ({}, {})
        assert (record.memory, record.latency, record.serving, record.compute) == (None,) * 4
        assert record.checkpoint_bytes is None
        assert record.spec["seed"] == 7


def test_every_method_had_the_same_budget_and_the_records_say_so(whole: Whole) -> None:
    assert len(whole.searched) == 2 * 5
    tunings = [record.tuning for record in whole.records if record.tuning]
    assert len(tunings) == len(whole.records) == 4
    steps = 4 * 1 + 2 * 1 + 1 * 2 + 4  # a bracket of four settings, and one of one
    assert {(t.trials, t.examples, t.seed, t.split) for t in tunings} == {(5, steps * 8, 7, "selection")}
    assert {t.rungs for t in tunings} == {(1, 2)}
    for method in ("full", "lora"):
        own = [record for record in whole.searched if record.spec["method"] == method]
        spent = sum(record.training.examples for record in own if record.training)
        tuning = next(r.tuning for r in whole.records if r.spec["method"] == method)
        assert tuning is not None
        assert spent == tuning.examples
        assert tuning.seconds == pytest.approx(sum(record.wall_seconds for record in own))
        assert tuning.protocol == {"steps": 4, "evaluate_every": 9}
        assert sorted(step.steps or 0 for step in tuning.history) == [1, 1, 2, 4, 4]
        for step, record in zip(tuning.history, tried(whole, method), strict=True):
            assert record.scores is not None
            assert record.training is not None
            assert step.score == record.scores.selection["matthews_correlation"]
            assert (step.status, step.steps) == (record.status, record.training.steps)


def tried(whole: Whole, method: str) -> list[Record]:
    """The records of a method's search, in its order."""
    by_id = {record.trial_id: record for record in whole.searched}
    (planned,) = [one for one in whole.study.searches if one.default.method == method]
    tuning = whole.study.tunings[next(s.trial_id for s in whole.study.specs if s.method == method)]
    return [by_id[planned.trials_at(step.values)[0].trial_id] for step in tuning.history]


def test_what_was_stopped_says_so_and_is_a_record_like_any_other(whole: Whole) -> None:
    for one in validate(whole.folder):
        assert not one.faults, one.file
    for method in ("full", "lora"):
        of_bracket = [record for record in tried(whole, method)[:4] if record.status == "pruned"]
        assert sorted(record.message or "" for record in of_bracket) == [
            "stopped after step 1 of 4: number 3 of 4 settings.",
            "stopped after step 1 of 4: number 4 of 4 settings.",
            "stopped after step 2 of 4: number 2 of 2 settings.",
        ]
        (through,) = [record for record in tried(whole, method)[:4] if record.status == "completed"]
        assert through.training is not None
        assert through.training.resumed_at == (1, 2)
        assert [point.step for point in through.curve] == [1, 2, 4]
        at_once = run_trial(TrialSpec(**through.spec | {"data": whole.study.searches[0].default.data}))
        assert (at_once.curve, at_once.scores) == (through.curve, through.scores)
    assert list((whole.folder / SNAPSHOTS).iterdir()) == []


def test_the_best_setting_is_trained_with_fresh_seeds(whole: Whole) -> None:
    assert [(r.spec["seed"], r.spec["method"]) for r in whole.records] == [
        (0, "full"),
        (0, "lora"),
        (1, "full"),
        (1, "lora"),
    ]
    for record, spec in zip(whole.records, whole.study.specs, strict=True):
        assert record.status == "completed", record.message
        assert record.trial_id == TrialSpec(**record.spec).trial_id == spec.trial_id
        tuning = record.tuning
        assert tuning is not None
        used = {"learning_rate": spec.protocol.learning_rate, **spec.options}
        assert tuning.chosen == {name: used[name] for name in tuning.space}
        ended = [step for step in tuning.history if step.status == "completed"]
        chosen = next(step for step in ended if step.values == tuning.chosen)
        assert chosen.score == max(step.score for step in ended if step.score is not None)
        assert record.scores is not None
        assert record.scores.report.keys() == {"matthews_correlation"}
    before = {path: path.stat().st_mtime_ns for path in whole.folder.rglob("*.json")}
    assert len(before) == 4 + 10
    assert read_records(whole.folder) == sorted(
        whole.records, key=lambda r: (r.spec["method"], r.spec["seed"])
    )
    assert execute.run_study(whole.study, whole.folder, []) == whole.records
    assert before == {path: path.stat().st_mtime_ns for path in whole.folder.rglob("*.json")}


def test_the_default_comes_first_and_every_setting_lies_in_the_space(whole: Whole) -> None:
    for planned, record in zip(whole.study.searches, whole.records, strict=False):
        tuning = record.tuning
        assert tuning is not None
        assert tuning.history[0].values == planned.default_values
        assert len({str(step.values) for step in tuning.history}) == 5
        for step in tuning.history:
            assert all(step.values[name] in dimension for name, dimension in planned.space.items())


def history(found: Study) -> list[tuple[SearchStep, ...]]:
    """What the searches tried, in order, without the times."""
    return [found.tunings[planned.trial_id].history for planned in found.specs]


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(
    whole: Whole, content: dict[str, Any], tmp_path: Path
) -> None:
    parsed = study.parse_study(content)
    for record in whole.searched[::2]:  # any part of the records, as if the rest had been lost
        write_record(record, tmp_path / search.FOLDER)
    made: list[TrialSpec] = []

    def run(spec: TrialSpec, **rest: Any) -> Record:
        made.append(spec)
        return run_trial(spec, **rest)

    found = search.run_searches(parsed, tmp_path, [], executor=Local(run))
    lost = {record.trial_id for record in whole.searched[1::2]}
    assert {spec.trial_id for spec in made} == lost
    assert history(found) == history(whole.study)
    assert found.specs == whole.study.specs
    made.clear()
    assert search.run_searches(parsed, tmp_path, [], executor=Local(run)).specs == whole.study.specs
    assert made == []


def test_killed_in_the_middle_of_a_search_and_started_again(content: dict[str, Any], tmp_path: Path) -> None:
    """SIGKILL: at most the running trial is lost, and the search ends as one that nobody killed."""
    slower = {"trials": 5, "seed": 7, "protocol": {"steps": 50, "evaluate_every": 50}}
    path, out = tmp_path / "study.yaml", tmp_path / "out"
    path.write_text(yaml.safe_dump(content | {"methods": ["lora"], "tuning": slower}))
    command = [sys.executable, "-m", "runners.cli", "run", str(path), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 50
    while len(list(out.rglob(f"*{SEARCH_SUFFIX}"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = {record.trial_id: record for record in read_searches(out)}
    assert 2 <= len(before) < 5
    assert not list(out.glob("*.json"))

    parsed = study.read_study(str(path))
    with shelf.sole_owner(out):
        resumed = search.run_searches(parsed, out, [])
    after = {record.trial_id: record for record in read_searches(out)}
    assert len(after) == 5
    for key, record in before.items():  # what had a record is as it was, or went on from there
        assert record.training is not None
        assert after[key].training is not None
        went_on = after[key].training.steps > record.training.steps
        assert not went_on or record.training.steps in after[key].training.resumed_at
        assert after[key].curve[: len(record.curve)] == record.curve
        assert (after[key].wall_seconds > record.wall_seconds) == went_on
    assert history(resumed) == history(search.run_searches(parsed, tmp_path / "other", []))


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(
    whole: Whole, content: dict[str, Any], tmp_path: Path
) -> None:
    larger = study.parse_study(content | {"methods": ["lora"]})
    for trials in (3, 4):
        smaller = content | {"methods": ["lora"], "tuning": content["tuning"] | {"trials": trials}}
        found = search.run_searches(study.parse_study(smaller), tmp_path, [])
    short, long = history(found)[0], history(whole.study)[1]
    assert short == long[:4]  # though another had been promoted when there were three of them
    made: list[TrialSpec] = []

    def run(spec: TrialSpec, **rest: Any) -> Record:
        made.append(spec)
        return run_trial(spec, **rest)

    found = search.run_searches(larger, tmp_path, [], executor=Local(run))
    assert history(found)[0] == long
    assert len(made) == 1


def test_what_diverged_or_failed_counts_and_is_never_chosen(content: dict[str, Any], tmp_path: Path) -> None:
    calls: list[TrialSpec] = []

    def unlucky(spec: TrialSpec, **rest: Any) -> Record:
        calls.append(spec)
        record = run_trial(spec, **rest)
        status = {0: "failed", 1: "diverged", 2: "out_of_memory"}.get((len(calls) - 1) % 5)
        changes = {"status": status, "message": "no luck", "scores": None, "curve": ()} if status else {}
        return record.model_copy(update=changes)

    untouched = content["tuning"] | {"halving": False}
    parsed = study.parse_study(content | {"methods": ["lora"], "tuning": untouched})
    found = search.run_searches(parsed, tmp_path, [], executor=Local(unlucky))
    tuning = found.tunings[found.specs[0].trial_id]
    assert [step.status for step in tuning.history[:3]] == ["failed", "diverged", "out_of_memory"]
    assert (tuning.trials, len(calls)) == (5, 5)
    assert tuning.chosen in [step.values for step in tuning.history[3:]]

    again = search.run_searches(parsed, tmp_path, [], executor=Local(unlucky))
    assert (again.specs, len(calls)) == (
        found.specs,
        5,
    )  # a failure is a result: it is not tried again unasked
    search.run_searches(parsed, tmp_path, [], retry=True)
    kept = {record.trial_id: record.status for record in read_searches(tmp_path)}
    assert kept[calls[0].trial_id] == kept[calls[2].trial_id] == "completed"
    assert kept[calls[1].trial_id] == "diverged"


def test_where_every_trial_fails_the_default_is_trained(content: dict[str, Any], tmp_path: Path) -> None:
    def fails(spec: TrialSpec, **rest: Any) -> Record:
        record = run_trial(spec, **rest)
        return record.model_copy(
            update={"status": "failed", "message": "no luck", "scores": None, "curve": ()}
        )

    parsed = study.parse_study(content | {"methods": ["lora"], "tuning": {"trials": 2, "seed": 7}})
    found = search.run_searches(parsed, tmp_path, [], executor=Local(fails))
    assert [spec.trial_id for spec in found.specs] == [s.trial_id for s in parsed.searches[0].reported]


def test_fixed_and_tuned_records_of_one_trial_live_side_by_side(
    whole: Whole, content: dict[str, Any], tmp_path: Path
) -> None:
    tuned = dataclasses.replace(whole.study, specs=whole.study.specs[:1])
    fixed = dataclasses.replace(tuned, searches=(), tunings={})
    (kept,) = execute.run_study(fixed, tmp_path, [])
    (found,) = execute.run_study(tuned, tmp_path, [])
    assert kept.trial_id == found.trial_id
    assert kept.tuning is None
    assert found.tuning == tuned.tunings[found.trial_id]
    assert kept.scores == found.scores
    assert len(read_records(tmp_path)) == 2
    assert execute.missing(fixed, tmp_path) == execute.missing(tuned, tmp_path) == []

    longer = {key: t.model_copy(update={"seconds": 1.5}) for key, t in tuned.tunings.items()}
    (renewed,) = execute.run_study(dataclasses.replace(tuned, tunings=longer), tmp_path, [])
    assert renewed == found.model_copy(update={"tuning": longer[found.trial_id]})
    assert renewed in read_records(tmp_path)


@pytest.mark.parametrize(
    "protocol",
    [{"steps": 5}, {"epochs": 1.5, "train_examples": 30}, {"epochs": 2.0, "train_examples": 5}],
)
def test_examples_are_those_of_a_trial(protocol: dict[str, Any], content: dict[str, Any]) -> None:
    spec = TrialSpec(
        model=content["models"][0],
        task="cola",
        data=content["data"],
        method="head",
        search=True,
        protocol={"batch_size": 8, "evaluate_every": 50, **protocol},
    )
    record = run_trial(spec)
    assert record.training is not None, record.message
    assert search.steps_of(spec) * search.examples_a_step(spec) == record.training.examples


def test_a_trial_of_a_search_trains_like_any_other(whole: Whole) -> None:
    spec = whole.study.specs[0]
    searching = TrialSpec(**dict(spec) | {"search": True})
    assert searching.trial_id != spec.trial_id
    record = run_trial(searching)
    assert record.curve == whole.records[0].curve
    assert record.scores is not None
    assert whole.records[0].scores is not None
    assert record.scores.selection == whole.records[0].scores.selection

"""A record is kept when its score is known; its costs come later, once for each setting, or again."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import methods
import tasks
from reports import read_record, read_records
from reports.records.schema import Record
from reports.records.validate import validate
from runners import device
from runners.plan import study
from runners.trials import adapting, costing, kept, loading, scoring, trial
from runners.work import execute, shelf
from runners.work.execute import How


class Killed(BaseException):
    """Stands for a signal: no part of a trial may catch it."""


@pytest.fixture
def content(tiny_model: str, glue_folder: str, brief: dict[str, object]) -> dict[str, Any]:
    return {
        "name": "small",
        "models": [tiny_model],
        "tasks": ["cola"],
        "methods": ["lora"],
        "data": glue_folder,
        "protocol": {"steps": 2, "evaluate_every": 2, "batch_size": 4},
        "costs": brief,
    }


def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def trains(*given: Any) -> None:
        raise AssertionError("a trial was trained again")

    monkeypatch.setattr(trial.training, "train", trains)


def whole(record: Record) -> bool:
    return None not in (record.memory, record.latency, record.compute, record.serving) and not record.gaps


def test_the_record_is_written_before_the_costs_are_measured(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the costs: the score is kept, and the next run measures the costs without training."""
    made = study.parse_study(content)
    with monkeypatch.context() as patch:

        def kill(*given: Any, **named: Any) -> None:
            raise Killed

        patch.setattr(costing.costs, "measure", kill)
        with pytest.raises(Killed):
            execute.run_study(made, tmp_path, [])
    (path,) = tmp_path.glob("*.json")
    scored = read_record(path)
    assert scored.status == "completed"
    assert scored.scores is not None
    assert scored.memory is not None
    assert scored.gaps.keys() == {"latency", "compute", "serving"}
    assert validate(path)[0].faults == []

    no_training(monkeypatch)
    (record,) = execute.run_study(made, tmp_path, [])
    assert whole(record)
    assert record.scores == scored.scores
    assert record == read_record(path)
    assert record.latency is not None
    assert record.latency.merge_logit_difference is None  # the trained weights are gone


def test_a_cost_that_fails_is_a_gap_that_retry_fills_without_training(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = study.parse_study(content)
    with monkeypatch.context() as patch:

        def full(**named: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(costing.costs, "tempfile", SimpleNamespace(TemporaryDirectory=full))
        (record,) = execute.run_study(made, tmp_path, [], how=How(keep_models=True))
    assert record.status == "completed", record.message
    assert record.scores is not None
    assert record.gaps.keys() == {"latency", "serving"}
    assert all("No space left on device" in why for why in record.gaps.values())
    no_training(monkeypatch)
    assert execute.run_study(made, tmp_path, []) == [record]  # what failed is not tried again unasked
    (filled,) = execute.run_study(made, tmp_path, [], retry=True)
    assert whole(filled)
    assert filled.scores == record.scores
    assert filled.latency is not None
    assert filled.latency.merge_logit_difference is not None  # measured on the method that was kept
    assert read_records(tmp_path) == [filled]


def test_costs_are_measured_once_for_each_setting(content: dict[str, Any], tmp_path: Path) -> None:
    both = [{"lora": {"rank": 2}}, {"lora": {"rank": 4}}]
    made = study.parse_study(content | {"methods": both, "seeds": [0, 1]})
    records = execute.run_study(made, tmp_path, [])
    assert [whole(record) for record in records] == [True, True, False, False]
    assert [record.costs_from for record in records] == [None, None, *(r.trial_id for r in records[:2])]
    assert all(not record.gaps for record in records)
    assert execute.run_study(made, tmp_path, []) == records
    # Where the record that has the costs is gone, its trial is run again, and the others are of it.
    (gone,) = tmp_path.glob(f"*{records[0].trial_id[:12]}*")
    gone.unlink()
    again = execute.run_study(made, tmp_path, [])
    assert [record.costs_from for record in again] == [record.costs_from for record in records]
    # Without it in the study, they are measured with the seed that is.
    other = execute.run_study(study.parse_study(content | {"methods": both[:1], "seeds": [1]}), tmp_path, [])
    assert [(whole(record), record.costs_from) for record in other] == [(True, None)]
    # The costs are asked for where a study before had none; the trials are the same.
    alone = study.parse_study(content | {"costs": "none"})
    (scored,) = execute.run_study(alone, tmp_path / "later", [])
    assert scored.memory is None
    (record,) = execute.run_study(study.parse_study(content), tmp_path / "later", [])
    assert whole(record)
    assert record.scores == scored.scores


def test_a_kept_method_gives_the_answers_of_its_record(content: dict[str, Any], tmp_path: Path) -> None:
    made = study.parse_study(content | {"costs": "none"})
    (record,) = execute.run_study(made, tmp_path, [], how=How(keep_models=True))
    (spec,) = made.specs
    folder = kept.find(tmp_path, spec)
    assert folder is not None
    assert record.checkpoint_sha256 == kept.content_hash(folder)
    task = tasks.get("cola")
    adapted = adapting.adapt(spec, task)
    adapted.take(methods.Checkpoint.read(folder))
    splits = loading.splits(spec, adapted)
    reported = loading.reported(spec, adapted)
    again = scoring.report(spec, task, device.accelerator(), adapted.model, splits.train, reported)
    assert again.answers == record.answers
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert read_records(tmp_path) == [record]
    said: list[str] = []
    execute.run_study(made, tmp_path, [], how=How(keep_models=True, say=said.append))
    assert said == []
    shutil.rmtree(folder)
    execute.run_study(made, tmp_path, [], how=How(keep_models=True, say=said.append))
    assert len(said) == 1
    assert "1 of 1 trials have a record already and no trained method" in said[0]


def test_a_method_that_cannot_be_kept_costs_no_record(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.os, "replace", full)
    monkeypatch.setattr(shelf, "write_record", lambda record, folder: written.append(record))
    written: list[Record] = []
    said: list[str] = []
    made = study.parse_study(content | {"costs": "none"})
    (record,) = execute.run_study(made, tmp_path, [], how=How(keep_models=True, say=said.append))
    assert record.status == "completed"
    assert record.checkpoint_sha256 is None
    assert len(said) == 1
    assert "could not be kept" in said[0]
    assert written[0].scores == record.scores

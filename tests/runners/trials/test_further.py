"""Further report splits of a trial: scored once by the same training, which they do not move."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import tasks
from reports.records.answers import unpacked
from reports.records.checks import record_faults
from reports.records.consistency import arithmetic_faults
from reports.records.schema import Record
from runners.cli.live import _score
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.plan.study import parse_study
from runners.share.validation import against_the_code
from runners.trials.trial import run_trial
from runners.work import checking
from tests.methods.conftest import build
from tests.runners.folders import word_tokenizer

KINDS = ("card", "cash")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("data")
    for name, numbers in {"train": range(60), "test": range(60, 72), "bank": range(72, 97)}.items():
        rows = [(f"a question of number {i} on {KINDS[i % 2]}", KINDS[i % 2]) for i in numbers]
        pandas.DataFrame(rows, columns=["text", "label"]).to_csv(made / f"{name}.csv", index=False)
    return made


def spec(model: str, folder: Path, report: Any, **protocol: Any) -> TrialSpec:
    task = {"name": "intents", "train": str(folder / "train.csv"), "report": report}
    quick = {"steps": 6, "evaluate_every": 3, "batch_size": 8, **protocol}
    content = {"name": "s", "models": [model], "tasks": [task], "methods": ["lora"], "costs": "none"}
    return parse_study({**content, "protocol": quick}).specs[0]


def both(folder: Path) -> dict[str, str]:
    return {name: str(folder / f"{name}.csv") for name in ("test", "bank")}


def whole(record: Record) -> Record:
    assert record.status == "completed", record.message
    read = Record.model_validate_json(record.model_dump_json())
    assert read == record
    assert [*record_faults(read), *arithmetic_faults(read)] == []
    return read


def test_they_are_scored_by_one_training_that_they_do_not_move(tiny_model: str, folder: Path) -> None:
    asked = spec(tiny_model, folder, both(folder), max_length=8)
    record = whole(run_trial(asked))
    alone = whole(run_trial(spec(tiny_model, folder, str(folder / "test.csv"), max_length=8)))
    assert (record.scores, record.curve, record.answers) == (alone.scores, alone.curve, alone.answers)
    assert alone.further_reports == {}
    assert record.task is not None
    assert alone.task is not None
    assert record.task.data_sha256 == alone.task.data_sha256
    assert against_the_code(record).faults == []
    (found,) = record.further_reports.values()
    assert (found.examples, found.left_out, found.truncated) == (25, 0, 25)  # all are longer than 8 tokens
    assert asked.own is not None
    assert asked.own.further == {"bank": found.data_sha256}
    assert found.answers is not None
    answers, labels = unpacked(found.answers)
    assert found.scores["accuracy"] == pytest.approx(np.mean(answers == labels))
    assert found.majority["accuracy"] in (12 / 25, 13 / 25)
    assert _score(record) == f"{_score(alone)}, bank {found.scores['accuracy']:.3f}"


def test_as_many_rows_of_each_are_scored_as_are_asked_for(tiny_model: str, folder: Path) -> None:
    record = whole(run_trial(spec(tiny_model, folder, both(folder), scored_examples=10)))
    assert record.task is not None
    assert record.task.sizes.report == record.further_reports["bank"].examples == 10
    searched = spec(tiny_model, folder, both(folder), scored_examples=10).model_copy(update={"search": True})
    assert run_trial(searched).further_reports == {}


def test_a_record_of_other_rows_is_not_gone_on_from(tiny_model: str, folder: Path) -> None:
    asked = spec(tiny_model, folder, both(folder))
    record = run_trial(asked)
    checking.check_data({asked.trial_id: record}, [asked])
    (found,) = record.further_reports.values()
    other = found.model_copy(update={"data_sha256": "0" * 64})
    spoiled = record.model_copy(update={"further_reports": {"bank": other}})
    with pytest.raises(SpecError, match=r"was measured on other data \(sha256 000000000000\)"):
        checking.check_data({asked.trial_id: spoiled}, [asked])
    faults = against_the_code(spoiled).faults
    assert any(fault.startswith("$.further_reports.bank.data_sha256 is '0000") for fault in faults)
    missing = record.model_copy(update={"further_reports": {"loans": found}})
    assert sorted(against_the_code(missing).faults) == [
        "$.further_reports.bank is missing, and $.spec.own declares it",
        "$.further_reports.loans is no report split of intents",
    ]


@pytest.fixture
def writer(tmp_path: Path) -> str:
    """A model that writes, with a word for every token."""
    folder = tmp_path / "writer"
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    build("llama", "causal", **ids).save_pretrained(folder)
    tokens = {"pad_token": "t0", "bos_token": "t1", "eos_token": "t2", "unk_token": "t3"}
    word_tokenizer(**tokens).save_pretrained(folder)
    return str(folder)


def test_label_words_answer_to_them_too(writer: str, tmp_path: Path) -> None:
    for name, numbers in {"train": range(50, 70), "test": range(70, 80), "bank": range(80, 87)}.items():
        rows = [(f"t{i} t{i % 7 + 20}", f"t{40 + i % 2}") for i in numbers]
        pandas.DataFrame(rows, columns=["text", "label"]).to_csv(tmp_path / f"{name}.csv", index=False)
    asked = spec(writer, tmp_path, both(tmp_path), text_to_text=True, steps=2, evaluate_every=2)
    asked = asked.model_copy(update={"method": "full", "options": {}})
    found = whole(run_trial(asked)).further_reports["bank"]
    assert (found.examples, found.left_out) == (7, 0)
    assert found.answers is not None


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A task of the kind of E2E with a further report split, and its folder."""
    for split, numbers in {
        "train": range(44, 80, 2),
        "test": range(45, 57, 2),
        "later": range(57, 69, 2),
    }.items():
        rows = [(f"t{i} t{i - 3}", f"t{i - 3} t{i}") for i in numbers]
        frame = pandas.DataFrame(rows, columns=["meaning_representation", "human_reference"])
        frame.to_parquet(tmp_path / f"{split}-0.parquet")
    e2e = tasks.get("e2e")
    source = dataclasses.replace(e2e.source, further_splits=(tasks.FurtherSplit("later", "later", 6),))
    monkeypatch.setitem(tasks._TASKS, "e2e_twice", dataclasses.replace(e2e, name="e2e_twice", source=source))
    return str(tmp_path)


def test_texts_are_written_for_them_too(writer: str, written: str) -> None:
    protocol = {"steps": 4, "batch_size": 8, "evaluate_every": 4, "generation": {"longest": 4}}
    given = {"model": writer, "data": written, "method": "full", "protocol": protocol}
    record = whole(run_trial(TrialSpec(task="e2e_twice", **given)))
    alone = whole(run_trial(TrialSpec(task="e2e", **given)))
    assert record.scores == alone.scores
    (found,) = record.further_reports.values()
    assert (found.examples, found.left_out, found.answers) == (6, 0, None)
    assert found.scores.keys() == found.majority.keys() == {"bleu", "nist", "rouge_l", "cider"}

"""Data of one's own from the study file to the page, and what is said of it before a study is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports import read_records
from runners.plan.study import parse_study
from runners.share.validation import against_the_code
from tasks.own.declaration import Own

from ..command import paretune

KINDS = ("card", "cash", "other")


@pytest.fixture
def mine(tiny_model: str, quick: dict[str, Any], tmp_path: Path) -> Path:
    """A study of F1 of one of three labels, and of a regression with negative numbers."""
    rows = [f"a question of number {i} on {KINDS[i % 3]},{KINDS[i % 3]},{i % 7 - 3.5}" for i in range(90)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,kind,size", *rows]))
    metrics = ["f1", "macro_f1", "matthews_correlation", "accuracy"]
    intents = {"name": "intents", "file": "rows.csv", "label": "kind", "metric": metrics, "positive": "other"}
    sizes = {"name": "sizes", "file": "rows.csv", "label": "size"}
    content = {"models": [tiny_model], "tasks": [intents, sizes], "methods": ["head"]}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content | {"protocol": quick, "costs": "none"}))
    return path


def test_what_would_be_used_is_shown_with_the_lines_of_a_study(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = yaml.safe_load(mine.read_text())["models"][0]
    asked = ("--label", "kind", "--metric", "f1", "--positive", "other", "--max-length", "9")
    assert paretune("check-data", "rows.csv", *asked, "--model", model, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["sizes"] == {"train": 63, "selection": 9, "report": 18}
    assert found["label_counts"] == {"train": [21, 21, 21], "selection": [3, 3, 3], "report": [6, 6, 6]}
    assert (found["labels"], found["metrics"]) == (["card", "other", "cash"], ["f1"])
    assert found["majority"] == {"f1": 0.0}
    assert found["lengths"]["train"]["longest"] == 9  # seven words and two signs
    assert found["lengths"]["train"]["cut"] == {"9": 0, "64": 0, "128": 0, "256": 0, "512": 0}
    pasted = yaml.safe_load(found["study"])["tasks"]
    made = parse_study({"name": "s", "tasks": pasted, "methods": ["head"]})
    assert made.specs[0].own == Own.model_validate({name: found[name] for name in Own.model_fields})
    assert list(made.notes) == found["notes"]

    assert paretune("check-data", str(mine)) == 0
    shown = capsys.readouterr().out
    assert "intents: 90 rows of rows.csv; 63 to train, 9 to select, 18 to report, split by seed 0." in shown
    assert "Always answering the mean of the training labels scores pearson –, spearman –." in shown
    assert "tasks:\n  - {name: sizes, file:" in shown
    for words, sentence in {
        ("rows.csv",): "rows.csv has no column 'label'; there are: text, kind, size",
        ("row.csv",): "there is no file 'row.csv'",
        ("rows.csv", "--label", "kind", "--metric", "recall"): "has no metric 'recall'",
    }.items():
        assert paretune("check-data", *words) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert sentence in told.err
        assert told.err.count("\n") == 1


def test_a_study_is_told_what_texts_its_tasks_share(
    mine: Path, glue_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paretune("check-data", str(mine), "--json") == 0  # both tasks are of the same rows
    first, second = json.loads(capsys.readouterr().out)
    assert sum(first["shared"]["sizes"].values()) == sum(first["sizes"].values()) == 90
    assert second["shared"].keys() == {"intents"}
    assert paretune("check-data", str(mine)) == 0
    told = capsys.readouterr()
    assert "63 of 63" in told.out
    assert "not separate evidence" in told.err

    study = tmp_path / "glue.yaml"
    study.write_text("tasks: [cola, stsb]\nmethods: [head]")
    assert paretune("check-data", str(study), "--data", glue_folder, "--json") == 0
    cola, stsb = (row["shared"] for row in json.loads(capsys.readouterr().out))
    both = [found["train"] + found["selection"] for found in (cola["stsb"], stsb["cola"])]
    assert both == [200, 100]  # sentences, and pairs that have two of them
    assert (cola["stsb"]["report"], stsb["cola"]["report"]) == (0, 0)
    study.write_text(f"tasks: [cola, stsb]\nmethods: [head]\ndata: {glue_folder}")
    assert paretune("check-data", str(study), "--json") == 0  # the study's own folder
    assert [row["shared"] for row in json.loads(capsys.readouterr().out)] == [cola, stsb]
    assert paretune("check-data", str(study), "--data", str(tmp_path)) == 2
    assert "task 'cola'" in capsys.readouterr().err

    content = yaml.safe_load(mine.read_text())
    mine.write_text(yaml.safe_dump(content | {"tasks": [*content["tasks"], "cola"]}))
    assert paretune("check-data", str(mine), "--data", str(tmp_path)) == 0  # what is there is told
    told = capsys.readouterr()
    assert "cola was not compared: task 'cola'" in told.err
    assert "63 of 63" in told.out


def test_what_a_study_says_or_another_task_is_called_is_not_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text("tasks: [{name: mine, file: rows.csv}]")
    rows = [f"text {i},{'[/x]' if i % 2 else ':cat: [red]'}" for i in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    for words, sentence in {
        ("s.yaml", "--label", "kind"): "received the study 's.yaml' and --label, expected one of the two",
        ("s.yaml", "rows.csv"): "received the study 's.yaml' and rows.csv, expected one of the two",
        ("rows.csv", "--data", "glue"): "received --data 'glue' with files, expected it with a study",
        ("rotten-tomatoes",): "rotten-tomatoes has no task of your own data",
        ("rows.csv", "--name", "mrpc"): "mrpc is the name of another task (Paretune's)",
    }.items():
        assert paretune("check-data", *words) == 2
        assert sentence in capsys.readouterr().err
    assert paretune("run", "rows.csv") == 2
    assert "of data are told by `paretune check-data rows.csv`" in capsys.readouterr().err
    # What is a user's own is no markup.
    assert paretune("check-data", "rows.csv") == 0
    shown = capsys.readouterr().out
    assert "\n[/x] " in shown
    assert "\n:cat: [red] " in shown


def test_a_study_of_ones_own_data_runs_is_valid_and_has_a_page(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, site = tmp_path / "out", tmp_path / "site"
    assert paretune("run", str(mine), "--out", str(out)) == 0
    shown = capsys.readouterr()
    said = "intents: 3 labels, sorted, 'other' second, which f1 is of: card, other and cash; ranked by f1"
    assert shown.err.count(said) == 1
    assert shown.err.count("sizes: a regression, since its labels are numbers; ranked by pearson") == 1
    intents, sizes = sorted(read_records(out), key=lambda record: str(record.spec["task"]))
    told = "own files: rows.csv, split by seed 0"
    for record in (intents, sizes):
        assert record.status == "completed", record.message
        assert record.task is not None
        assert (record.task.origin, record.task.source) == ("own data", told)
        assert str(tmp_path) not in json.dumps(record.spec["own"])
    assert intents.scores is not None
    assert list(intents.scores.report) == ["f1", "macro_f1", "matthews_correlation", "accuracy"]
    assert intents.answers is not None
    assert intents.answers.labels == 3
    assert intents.spec["own"]["labels"] == ["card", "other", "cash"]
    assert sizes.scores is not None
    assert list(sizes.scores.report) == ["pearson", "spearman"]

    assert paretune("validate", str(out)) == 0, capsys.readouterr()
    assert paretune("run", str(mine), "--out", str(out)) == 0
    assert "2 of 2 trials have a record already" in capsys.readouterr().err
    assert paretune("report", str(out), "--out", str(site)) == 0
    assert "intents" in (site / "index.html").read_text()
    assert told in (site / "tasks" / "intents.html").read_text()
    pages = [path.read_text() for path in (site / "records").rglob("*.html")]
    assert pages
    assert all("own data" in page and "TRAINING-FILE" in page for page in pages)

    assert sizes.task is not None
    changes: dict[str, dict[str, Any]] = {
        "$.task.origin is None, expected 'own data'": {"origin": None},
        "$.task.data_sha256 is '000": {"data_sha256": "0" * 64},
        "$.task.metrics are not those of sizes": {"metrics": sizes.task.metrics[:1]},
    }
    for fault, change in changes.items():
        other = sizes.model_copy(update={"task": sizes.task.model_copy(update=change)})
        assert any(fault in one for one in against_the_code(other).faults)
    own = {**sizes.spec["own"], "metrics": ["bleu"]}
    other = sizes.model_copy(update={"spec": {**sizes.spec, "own": own}})
    assert "$.spec.own is no task of one's own data" in against_the_code(other).faults[0]

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from reports import yaml_text
from reports.records.serving_files import read_servings
from runners.cli.served_tables import sentences
from runners.measure.serving import arrivals, storage
from runners.measure.serving.cost import ServeCost, Watch
from runners.plan import serving_study as plan
from runners.plan.serving_study import parse_serving_study
from runners.work import serving_study

from ..command import paretune


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "TIMES", 2)
    monkeypatch.setattr(storage, "LEAST", 2)


def content(model: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "serving",
        "name": "many",
        "model": model,
        "methods": [{"lora": {"rank": 2}}, "bitfit"],
        "tasks": [1, 3],
        "batch": [2],
        "length": [6],
        "width": 0.5,
        "seconds": 0.2,
    } | changes


def test_a_record_for_each_method_and_then_only_what_is_missing(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = parse_serving_study(content(tiny_model))
    records = serving_study.run(study, tmp_path, watch=Watch())
    assert [record.label for record in records] == ["lora rank=2", "bitfit"]
    assert all(record.study == "many" for record in records)
    assert len(list(tmp_path.glob("*.serving.json"))) == 2
    monkeypatch.setattr(ServeCost, "measure", lambda *_, **__: pytest.fail("measured again"))
    assert serving_study.run(study, tmp_path, watch=Watch()) == records
    assert sorted(read_servings(tmp_path), key=lambda r: r.label) == sorted(records, key=lambda r: r.label)


@pytest.mark.parametrize(
    "changes", [{"tasks": [1, 4]}, {"mix": "zipf"}, {"seed": 1}, {"batch": [3]}, {"arrivals": {"seconds": 0}}]
)
def test_what_was_asked_otherwise_is_another_record(tiny_model: str, changes: dict[str, Any]) -> None:
    study = parse_serving_study(content(tiny_model, methods=["bitfit"]))
    (record,) = serving_study.run(study, None, watch=Watch())
    assert serving_study.is_of(study, study.choices[0], record)
    other = parse_serving_study(content(tiny_model, methods=["bitfit"], **changes))
    assert not serving_study.is_of(other, other.choices[0], record)


def test_all_methods_are_simulated_at_the_rate_of_the_first(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter([5.0, 7.0])
    monkeypatch.setattr(arrivals, "_half_of_base", lambda record, length: next(rates))
    asked = {"tasks": [], "requests": 100, "seconds": 0}
    study = parse_serving_study(content(tiny_model, methods=["bitfit", "prefix"], arrivals=asked))
    for _ in range(2):  # the second time from files
        records = serving_study.run(study, tmp_path, watch=Watch())
        simulated = [one for record in records if record.arrivals for one in record.arrivals.simulated]
        assert {one.rate_per_second for one in simulated} == {5.0}


def test_run_and_plan_take_such_a_study(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "many.yaml"
    file.write_text(yaml_text.dump(content(tiny_model)))
    assert paretune("plan", str(file)) == 0
    assert "2 batch sizes x 2 methods, nothing is trained" in capsys.readouterr().out
    assert paretune("run", str(file), "--out", str(tmp_path / "out")) == 0
    shown = capsys.readouterr().out
    assert "lora rank=2 on" in shown
    assert "merged in turn" in shown
    assert paretune("run", str(file), "--out", str(tmp_path / "out"), "--workers", "2") == 2
    assert "a study of serving trains nothing" in " ".join(capsys.readouterr().err.split())


def test_the_command_prints_json_or_tables_and_keeps_records(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = functools.partial(plan.AskedArrivals, requests=500, seconds=1.0)  # than 10 s for each way
    monkeypatch.setattr(plan, "AskedArrivals", shorter)
    grid = ["--tasks", "1,3", "--batch", "1,2", "--length", "6", "--seconds", "0.2", "--width", "0.5"]
    typed = ["serve-cost", tiny_model, "--method", "lora:rank=2", *grid]
    assert paretune(*typed, "--no-arrivals", "--json", "--out", str(tmp_path)) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["method"] == "lora"
    assert [found] == [record.model_dump(mode="json") for record in read_servings(tmp_path)]
    assert paretune(*typed, "--out", str(tmp_path / "again")) == 0
    shown = capsys.readouterr().out
    assert "Simulated: requests of 6 tokens arrive at random" in shown
    assert "Rehearsed mixed, 3 tasks" in shown
    (kept,) = read_servings(tmp_path / "again")
    for said in sentences(kept):  # which they are, a busy machine decides
        assert said in shown


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--tasks", "1,x"], "received --tasks '1,x', expected whole numbers of at least 1"),
        (["--batch", "0"], "received --batch '0', expected whole numbers of at least 1"),
        (["--mix", "ziph"], "received the mix 'ziph'"),
        (["--dtype", "float8"], "received the dtype 'float8'"),
        (["--method", "full"], "full"),
        (["--method", "lroa"], "lora"),
        (["--length", "500"], "received the length 500, and lora leaves 128 tokens"),
    ],
)
def test_faults_are_one_sentence_and_exit_code_2(
    typed: list[str], said: str, tiny_model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    method = [] if "--method" in typed else ["--method", "lora"]
    assert paretune("serve-cost", tiny_model, *method, *typed) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "Traceback" not in told

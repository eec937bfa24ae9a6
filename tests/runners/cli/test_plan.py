from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from rich.console import Console

from runners import environment
from runners.cli import plan

from ..command import paretune


@pytest.fixture
def small(tiny_model: str, glue_folder: str, quick: Any, tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    content = {"models": [tiny_model], "tasks": ["cola"], "methods": ["full", "lora"], "data": glue_folder}
    path.write_text(yaml.safe_dump({**content, "seeds": [0, 1], "protocol": quick}))
    return path


def test_a_plan_as_json_adds_up_and_leaves_nothing(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert paretune("plan", str(small), "--out", str(out), "--workers", "3", "--quick", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trials"], found["missing"], found["examples"]) == (4, 4, 4 * 6 * 8)
    assert [row["method"] for row in found["rows"]] == ["full", "lora"]
    assert [each["workers"] for each in found["workers"]] == [1, 2, 3, 4, 8]
    assert sum(found["seconds"].values()) == pytest.approx(found["workers"][0]["seconds_here"])
    cores = environment.cores() or 1
    for each in found["workers"]:  # a run takes no more workers than cores
        assert (each["seconds_here"] is None) == (each["workers"] > cores)
    assert found["disk"]["records_most"] == 4 * 64_000
    assert not out.exists()


def test_parts_add_up(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--out", str(tmp_path / "out"), "--quick", "--json"]
    rows = []
    for part in ("1/2", "2/2"):
        assert paretune("plan", str(small), "--part", part, *where) == 0
        rows += json.loads(capsys.readouterr().out)["rows"]
    assert sorted((row["method"], row["missing"]) for row in rows) == [("full", 2), ("lora", 2)]
    assert paretune("plan", str(small), "--part", "3/2", *where) == 2
    assert "3/2" in capsys.readouterr().err


def test_a_plan_is_of_what_a_run_would_do(
    small: Path, tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the options that choose trials, a plan is the dry run."""
    chosen = ["--only", "method=lora", "--limit", "8", "--out", str(tmp_path / "out"), "--json"]
    found = []
    for command in (["plan", str(small), "--quick"], ["run", str(small), "--dry-run"]):
        assert paretune(*command, *chosen, "--model", tiny_model) == 0
        found.append(json.loads(capsys.readouterr().out))
    for one in found:
        assert [(row["model"], row["method"], row["missing"]) for row in one["rows"]] == [
            (tiny_model, "lora", 2)
        ]
        assert one["examples"] == found[0]["examples"]
    assert paretune("plan", "latency-small-batch", "--limit", "8") == 2
    assert "leave out --limit" in capsys.readouterr().err


def test_a_dry_run_shows_the_plan_on_a_narrow_terminal(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "out", Console(width=80))
    out = tmp_path / "out"
    assert paretune("run", str(small), "--out", str(out), "--dry-run") == 0
    shown = capsys.readouterr().out
    table = [line for line in shown.splitlines() if line.startswith(("task", "cola", "workers", "1 "))]
    assert [line.split()[:3] for line in table[1:3]] == [["cola", "full", "2"], ["cola", "lora", "2"]]
    assert max(map(len, table)) <= 80
    assert "Here, one trial after another: " in shown
    assert "Disk: records about 80.0 kB, 256 kB at most" in shown
    assert "steps of lora and full on cola were timed" in shown
    assert not out.exists()


def test_other_kinds_of_studies(
    tiny_model: str, glue_folder: str, quick: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paretune("plan", "latency-small-batch", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seconds"]["latency"] > 0
    path = tmp_path / "intrinsic.yaml"
    content = {"kind": "intrinsic", "name": "intrinsic-x", "model": tiny_model, "tasks": ["cola"]}
    content |= {"method": "did", "reference": "full", "dimensions": [2, 4], "data": glue_folder}
    path.write_text(yaml.safe_dump({**content, "protocol": quick, "costs": "none"}))
    assert paretune("plan", str(path), "--out", str(tmp_path / "out"), "--quick", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["at_most"], found["missing"]) == (True, 3)


def test_a_plan_of_searches_fits_a_terminal_and_the_sampler_is_silent(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "out", Console(width=80))
    optuna.logging.set_verbosity(optuna.logging.INFO)  # as a new process has it
    methods = ["pfeiffer", "top_layers"]
    changed = {"methods": methods, "tuning": {"trials": 2}, "tasks": ["cola"]}
    small.write_text(yaml.safe_dump(yaml.safe_load(small.read_text()) | changed))
    assert paretune("plan", str(small), "--out", str(tmp_path / "out"), "--quick") == 0
    shown = capsys.readouterr().out
    assert all(f" {method} " in shown for method in methods)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tasks": ["colaa"]}, "cola"),
        ({"data": "/nowhere"}, "/nowhere"),
        ({"models": ["./nowhere"]}, "there is no model"),
    ],
)
def test_faults_of_a_study_are_those_of_a_run(
    change: dict[str, Any], expected: str, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.write_text(yaml.safe_dump(yaml.safe_load(small.read_text()) | change))
    for command in (["plan", str(small)], ["run", str(small), "--dry-run"]):
        assert paretune(*command) == 2
        assert expected in capsys.readouterr().err

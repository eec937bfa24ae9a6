from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from runners.plan import study
from runners.work import execute, tracking
from runners.work.tracking import Tracker


@pytest.fixture
def small(tiny_model: str, glue_folder: str, quick: dict[str, Any]) -> study.Study:
    return study.parse_study(
        {
            "name": "tracked",
            "models": [tiny_model],
            "tasks": ["cola"],
            "methods": ["head"],
            "data": glue_folder,
            "protocol": quick,
            "costs": {"latency_rounds": 10, "latency_length": 8},
        }
    )


def test_offline_unless_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert tracking.mode() == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert tracking.mode() == "disabled"


def test_an_id_holds_study_data_and_trial(small: study.Study, glue_folder: str, tmp_path: Path) -> None:
    (spec,) = small.specs
    copy = shutil.copytree(glue_folder, tmp_path / "copy")
    other = shutil.copytree(glue_folder, tmp_path / "other")
    fewer = pd.read_parquet(file := other / "cola" / "train-00000-of-00001.parquet").iloc[:-1]
    fewer.to_parquet(file)
    moved, changed = (spec.model_copy(update={"data": str(folder)}) for folder in (copy, other))
    assert moved.trial_id == changed.trial_id == spec.trial_id
    ids = [
        tracking.run_id(small, spec),
        tracking.run_id(small, changed),
        tracking.run_id(replace(small, name="another"), spec),
        tracking.run_id(small, spec.model_copy(update={"seed": 5})),
    ]
    assert len(set(ids)) == len(ids)
    assert tracking.run_id(small, moved) == ids[0]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_writes_an_offline_run_per_trial(
    small: study.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    said: list[str] = []
    records = execute.run_study(small, tmp_path / "records", [Tracker(small, tmp_path, said.append)])
    assert said == []
    assert [r.status for r in records] == ["completed"]
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    data, ends = b"", time.monotonic() + 30
    while records[0].trial_id.encode() not in data and time.monotonic() < ends:
        time.sleep(0.1)  # W&B's own process may still be writing when the run is closed
        data = b"".join(path.read_bytes() for path in run.rglob("*.wandb"))
    assert records[0].trial_id.encode() in data  # the final record
    assert b"selection/matthews_correlation" in data
    assert b"train/loss" in data


def test_a_failure_of_wandb_never_ends_a_trial(
    small: study.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**settings: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(tracking.wandb, "init", broken)
    said: list[str] = []
    records = execute.run_study(small, tmp_path / "records", [Tracker(small, tmp_path, said.append)])
    assert [r.status for r in records] == ["completed"]
    assert len(said) == 1
    assert "disk full" in said[0]

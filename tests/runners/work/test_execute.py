from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from reports import read_record, read_records
from reports.records.schema import Record
from runners.executors.local import Local
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.trials import batches
from runners.trials.trial import run_trial
from runners.work import execute, shelf


def folder_state(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and modification time of every record, to see what was rewritten."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in folder.glob("*.json")}


@pytest.fixture
def content(tiny_model: str, glue_folder: str, quick: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "small",
        "models": [tiny_model],
        "tasks": ["cola"],
        "methods": ["head", "lora"],
        "seeds": [0, 1],
        "data": glue_folder,
        "protocol": quick,
        "costs": "none",
    }


class Seen:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def started(self, spec: TrialSpec) -> None:
        self.events.append(("started", spec.trial_id))

    def progress(self, spec: TrialSpec, progress: Any) -> None:
        self.events.append(("progress", spec.trial_id))

    def finished(self, spec: TrialSpec, record: Record) -> None:
        self.events.append(("finished", record.trial_id))


def test_runs_all_then_nothing_then_what_is_missing(content: dict[str, Any], tmp_path: Path) -> None:
    made, seen = study.parse_study(content), Seen()
    records = execute.run_study(made, tmp_path, [seen])
    assert [r.trial_id for r in records] == [s.trial_id for s in made.specs]
    assert [e for e in seen.events if e[0] == "finished"] == [("finished", s.trial_id) for s in made.specs]
    before = folder_state(tmp_path)
    assert len(before) == 4

    again = Seen()
    assert execute.run_study(made, tmp_path, [again]) == records
    assert again.events == []
    assert folder_state(tmp_path) == before

    lost = next(tmp_path.glob("*--lora--seed1--*.json"))
    lost.unlink()
    execute.run_study(made, tmp_path, [])
    after = folder_state(tmp_path)
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == [lost.name]


def test_a_failing_trial_does_not_end_the_study_and_can_be_retried(
    content: dict[str, Any], tmp_path: Path
) -> None:
    made = study.parse_study(content)
    calls: list[str] = []

    def fails_for_head(spec: TrialSpec, **rest: Any) -> Record:
        calls.append(spec.method)
        record = run_trial(spec, **rest)
        if spec.method == "head":
            return record.model_copy(update={"status": "failed", "message": "broken", "scores": None})
        return record

    records = execute.run_study(made, tmp_path, [], executor=Local(fails_for_head))
    assert [r.status for r in records] == ["failed", "completed", "failed", "completed"]
    execute.run_study(made, tmp_path, [], executor=Local(fails_for_head))
    assert len(calls) == 4  # a failure is a record: it is not run again unasked
    fixed = execute.run_study(made, tmp_path, [], retry=True)
    assert {r.status for r in fixed} == {"completed"}
    assert len(read_records(tmp_path)) == 4


def test_records_of_other_data_are_not_taken_for_the_study_s(
    content: dict[str, Any], glue_folder: str, tmp_path: Path
) -> None:
    """The folder may move; other rows in it are another task."""
    made, out = study.parse_study(content | {"methods": ["head"], "seeds": [0]}), tmp_path / "out"
    (kept,) = execute.run_study(made, out, [])
    moved = Path(shutil.copytree(glue_folder, tmp_path / "moved"))
    elsewhere = study.parse_study(content | {"methods": ["head"], "seeds": [0], "data": str(moved)})
    assert execute.run_study(elsewhere, out, []) == [kept]
    (file,) = (moved / "cola").glob("train*.parquet")
    rows = pd.read_parquet(file)
    rows.iloc[1:].to_parquet(file)
    batches.load.cache_clear()
    with pytest.raises(SpecError, match=r"was measured on other data \(sha256 .* choose another --out"):
        execute.run_study(elsewhere, out, [])
    assert read_records(out) == [kept]


def test_one_run_at_a_time_in_a_folder(tmp_path: Path) -> None:
    with (
        shelf.sole_owner(tmp_path),
        pytest.raises(SpecError, match="another run"),
        shelf.sole_owner(tmp_path),
    ):
        pass
    with shelf.sole_owner(tmp_path):
        pass


def test_killed_and_started_again(content: dict[str, Any], tmp_path: Path) -> None:
    """SIGKILL in the middle of the second trial: the first is kept, no half record, nothing done twice."""
    path, out = tmp_path / "study.yaml", tmp_path / "out"
    long = {"steps": 100_000, "evaluate_every": 50_000}
    path.write_text(
        yaml.safe_dump(content | {"methods": ["head", {"method": "lora", "protocol": long}], "seeds": [0]})
    )
    command = [sys.executable, "-m", "runners.cli", "run", str(path), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 50

    def done() -> bool:
        return any(not read_record(path).gaps for path in out.glob("*--head--*.json"))

    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)  # into the second trial
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = folder_state(out)
    assert len(before) == 1

    path.write_text(yaml.safe_dump(content | {"methods": ["head", "lora"], "seeds": [0]}))
    made = study.read_study(str(path))
    assert [s.method for s in execute.missing(made, out)] == ["lora"]
    with shelf.sole_owner(out):
        records = execute.run_study(made, out, [])
    assert [r.status for r in records] == ["completed", "completed"]
    after = folder_state(out)
    assert len(after) == 2
    assert before.items() <= after.items()

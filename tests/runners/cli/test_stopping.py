"""A command that is asked to end says one sentence, keeps what is done and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports import read_record
from runners.cli import app, stopping
from runners.cli.stopping import Stopped, stoppable


@pytest.mark.parametrize("which", stopping.SIGNALS)
def test_a_signal_ends_what_is_going_on_and_no_handler_stays(which: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in stopping.SIGNALS]
    cleaned: list[bool] = []

    def trial() -> None:
        try:
            os.kill(os.getpid(), which)
            time.sleep(5)
        except Exception:  # as a trial takes its own errors
            pytest.fail("the signal was taken for an error of a trial")
        finally:
            cleaned.append(True)

    with pytest.raises(Stopped) as stopped, stoppable():
        trial()
    assert cleaned == [True]
    assert stopped.value.exit_code == 128 + which
    assert [signal.getsignal(each) for each in stopping.SIGNALS] == before


def test_a_signal_that_is_dropped_comes_again(capfd: pytest.CaptureFixture[str]) -> None:
    """Python prints and drops what is raised in a callback of a weak reference, and in a `__del__`."""

    class Thing:
        pass

    things = [Thing()]
    reference = weakref.ref(things[0], lambda gone: os.kill(os.getpid(), signal.SIGTERM))
    waited = 0

    def work() -> None:
        nonlocal waited
        things.clear()  # the callback is told of it, and what it raises is dropped
        while waited < 1000:
            time.sleep(0.01)
            waited += 1

    with pytest.raises(Stopped), stoppable():
        work()
    assert reference() is None
    assert waited < 1000
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("command", "kept"),
    [("run", True), ("intrinsic", True), ("demo", True), ("claims", True)]
    + [(name, False) for name in ("plan", "memory", "latency", "serve-cost", "report", "choose", "")],
)
def test_only_commands_that_keep_what_is_done_say_so(
    command: str, kept: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def working(prog_name: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)

    monkeypatch.setattr(app, "app", working)
    monkeypatch.setattr(sys, "argv", ["paretune", *([command] if command else [])])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 128 + signal.SIGTERM
    told = capsys.readouterr().err
    assert told.startswith("Stopped by SIGTERM")
    assert ("the same command goes on" in told) == kept


def test_what_else_is_dropped_is_told_as_ever(capfd: pytest.CaptureFixture[str]) -> None:
    class Thing:
        def __del__(self) -> None:
            raise KeyError("of something else")

    with stoppable():
        Thing()
    assert "of something else" in capfd.readouterr().err


def test_stopped_in_the_costs_the_record_is_kept_and_no_folder_is_left(
    tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path
) -> None:
    path, out, temporary = tmp_path / "study.yaml", tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    study = {"name": "small", "models": [tiny_model], "tasks": ["cola"], "methods": ["lora"]}
    study |= {"data": glue_folder, "protocol": quick, "costs": {"latency_rounds": 1_000_000}}
    path.write_text(yaml.safe_dump(study))
    process = subprocess.Popen(
        [sys.executable, "-m", "runners.cli", "run", str(path), "--out", str(out)],
        env=os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 50
    while (
        not (list(out.glob("*.json")) and list(temporary.glob("paretune-*"))) and time.monotonic() < deadline
    ):
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=50)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in told
    assert told.strip().splitlines()[-1].startswith("Stopped by SIGTERM: what is done is kept")
    assert list(temporary.glob("paretune-*")) == []
    (record,) = (read_record(file) for file in out.glob("*.json"))
    assert record.scores is not None
    assert "latency" in record.gaps

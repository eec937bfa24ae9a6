from __future__ import annotations

import io
import time
from typing import Any

import pytest
from rich.console import Console

from reports.records.schema import Record
from runners.cli.live import VISIBLE_ROWS, LiveTable, Running, duration, time_left
from runners.plan import study
from runners.trials.loop import Progress
from runners.trials.trial import run_trial


@pytest.fixture(scope="module")
def made(tiny_model: str, glue_folder: str) -> tuple[study.Study, Record]:
    quick: dict[str, Any] = {"steps": 2, "evaluate_every": 2, "batch_size": 4}
    content = {
        "name": "s",
        "title": "A title",
        "models": [tiny_model],
        "tasks": ["cola"],
        "data": glue_folder,
    }
    parsed = study.parse_study(content | {"methods": ["head", "lora", "full"], "protocol": quick})
    return parsed, run_trial(parsed.specs[0])


def drawn(live: LiveTable, console: Console) -> str:
    with console.capture() as capture:
        console.print(live._draw())
    return capture.get()


def test_shows_done_running_and_waiting(made: tuple[study.Study, Record]) -> None:
    parsed, record = made
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    live = LiveTable(parsed, {}, console)
    live.started(parsed.specs[0])
    live.finished(parsed.specs[0], record)
    live.started(parsed.specs[1])
    live.progress(parsed.specs[1], Progress("training", 5, 10, train_loss=0.5))
    text = drawn(live, console)
    assert "A title" in text
    assert "completed" in text
    assert "matthews_correlation" in text
    assert "loss 0.500" in text
    assert "waiting" in text
    assert "1 of 3 trials" in text
    assert "left" in text


def test_rows_of_one_method_do_not_look_alike() -> None:
    parsed = study.read_study("claim-lora-alpha")
    console = Console(width=160, file=io.StringIO(), force_terminal=False)
    lines = [line.split("waiting")[0] for line in drawn(LiveTable(parsed, {}, console), console).splitlines()]
    rows = [line for line in lines if line.startswith("rotten_tomatoes")]
    assert len(set(rows)) == len(rows) == VISIBLE_ROWS
    two = study.parse_study(
        {"name": "s", "models": ["embedded", "other"], "tasks": ["cola"], "methods": ["head"]}
    )
    shown = drawn(LiveTable(two, {}, console), console)
    assert "embedded" in shown
    assert "other" in shown


def test_plain_lines_without_a_terminal(made: tuple[study.Study, Record]) -> None:
    parsed, record = made
    stream = io.StringIO()
    with LiveTable(parsed, {record.trial_id: record}, Console(file=stream, width=200)) as live:
        failed = record.model_copy(update={"status": "failed", "message": "no luck [1]"})
        live.started(parsed.specs[1])
        live.finished(parsed.specs[1], failed)
    assert "1 of 3 trials have a record already" in stream.getvalue()
    assert "[2/3] cola / lora / seed 0: failed: no luck [1]" in stream.getvalue()


def test_time_left_comes_from_this_runs_trials(made: tuple[study.Study, Record]) -> None:
    parsed, record = made
    live = LiveTable(parsed, {}, Console(file=io.StringIO()))
    assert live.seconds_left() is None
    live.finished(parsed.specs[0], record.model_copy(update={"wall_seconds": 30.0}))
    assert live.seconds_left() == pytest.approx(60.0)


def test_several_trials_run_at_once_and_one_s_costs_are_measured(made: tuple[study.Study, Record]) -> None:
    parsed, record = made
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    live = LiveTable(parsed, {}, console, lanes=2)
    live.started(parsed.specs[0])
    live.started(parsed.specs[1])
    live.progress(parsed.specs[1], Progress("training", 5, 10, train_loss=0.5))
    live.progress(parsed.specs[0], Progress("training", 2, 10, train_loss=0.25))
    text = drawn(live, console)
    assert text.count("loss 0.500") == text.count("loss 0.250") == text.count("waiting") == 1
    live.started(parsed.specs[0])  # again, since its worker was ended
    assert "loss 0.250" not in drawn(live, console)
    for spec in parsed.specs:
        live.finished(spec, record.model_copy(update={"trial_id": spec.trial_id}))
    assert live.running == {}
    live.progress(parsed.specs[1], Progress("costs"))
    text = drawn(live, console)
    assert text.count("completed") == 2
    assert text.count("costs") == 2  # of the trial, and below the table
    with live:
        pass
    assert drawn(live, console).count("completed") == 3


def test_time_left_is_shared_among_those_that_run_at_once() -> None:
    def running(seconds: float, done: int) -> Running:
        return Running(Progress("training", done, 10), time.monotonic() - seconds)

    assert time_left([30.0], [], 4, 1) == pytest.approx(120)
    assert time_left([30.0], [], 4, 2) == pytest.approx(60)
    assert time_left([30.0], [], 1, 8) == pytest.approx(30)  # a trial is not split
    assert time_left([30.0], [running(10, 3), running(20, 7)], 4, 2) == pytest.approx(45, abs=1)
    assert time_left([], [running(10, 5), running(20, 5)], 2, 2) == pytest.approx(15, abs=1)
    assert time_left([], [running(10, 0)], 2, 2) is None
    assert time_left([1.0], [running(50, 1)], 1, 2) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (61, "1:01"), (3723, "1:02:03")])
def testduration(seconds: float, text: str) -> None:
    assert duration(seconds) == text

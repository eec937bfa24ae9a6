from __future__ import annotations

import io

import pytest
from rich.console import Console

from reports.records.schema import SearchStep
from runners.cli.live_search import LiveSearch
from runners.plan import study
from runners.trials.loop import Progress

CONTENT = {
    "name": "s",
    "title": "A title",
    "tasks": ["cola"],
    "methods": ["head", "lora", "full"],
    "tuning": {"trials": 2},
}


def step(rate: float, score: float | None) -> SearchStep:
    status = "diverged" if score is None else "completed"
    return SearchStep(values={"learning_rate": rate}, score=score, status=status)


def stopped(rate: float, score: float) -> SearchStep:
    return SearchStep(values={"learning_rate": rate}, score=score, status="pruned", steps=20)


@pytest.fixture
def made() -> study.Study:
    return study.parse_study(CONTENT)


def test_shows_done_running_and_waiting(made: study.Study) -> None:
    console = Console(width=140, file=io.StringIO())
    live = LiveSearch(made, console)
    live.told(made.searches[0], [step(0.01, 0.25), step(0.02, None)], 1.0)
    live.told(made.searches[1], [stopped(0.001, 0.4)], 0.4)
    live.started(made.searches[1].default)
    live.progress(made.searches[1].default, Progress("training", 5, 10, train_loss=0.5))
    with console.capture() as capture:
        console.print(live._draw())
    text = capture.get()
    assert "A title · tuned: 2 trials each, by halving" in text
    assert "matthews_correlation 0.250 at learning rate 0.01; 1 without a score" in text
    assert "1 stopped early" in text
    assert "0.400" not in text  # what was stopped is not the best of those that go on
    assert "completed" in text
    assert "1 of 2" in text
    assert "waiting" in text
    assert "3 of 6 settings of searches · 47% of their examples" in text


def test_a_setting_at_an_end_of_its_space_is_told_once_the_search_is_done() -> None:
    grid = {"head": {"learning_rate": [0.1, 0.01]}}
    made = study.parse_study({**CONTENT, "methods": ["head"], "tuning": {"trials": 2, "grid": grid}})
    console = Console(width=140, file=io.StringIO())
    live, (search,) = LiveSearch(made, console), made.searches
    beyond = "at learning rate 0.1; the highest learning rate that was searched"
    for steps, told in (([step(0.1, 0.4)], False), ([step(0.1, 0.4), step(0.01, 0.2)], True)):
        live.told(search, steps, len(steps) / 2)
        with console.capture() as capture:
            console.print(live._draw())
        assert (beyond in capture.get()) is told


def test_several_searches_go_on_at_once(made: study.Study) -> None:
    console = Console(width=140, file=io.StringIO())
    live = LiveSearch(made, console, lanes=2)
    for search in made.searches:
        live.told(search, [], 0.0)
    for index, done in ((0, 5), (2, 2)):
        live.started(made.searches[index].default)
        live.progress(made.searches[index].default, Progress("training", done, 10))
    with console.capture() as capture:
        console.print(live._draw())
    rows = [line for line in capture.get().splitlines() if line.startswith("cola")]
    assert ["waiting" in row for row in rows] == [False, True, False]
    assert ["━" in row for row in rows] == [True, False, True]
    live.seconds = [10.0]
    live.told(made.searches[0], [], 0.5)
    assert live.seconds_left() == pytest.approx(25)  # a sixth took ten seconds, five are left for two lanes


def test_searches_of_one_method_do_not_look_alike() -> None:
    several = CONTENT | {
        "methods": [{"lora": {"rank": 2}}, {"lora": {"rank": 4}}],
        "models": ["embedded", "b"],
    }
    console = Console(width=140, file=io.StringIO())
    with console.capture() as capture:
        console.print(LiveSearch(study.parse_study(several), console)._draw())
    rows = [line.split("  waiting")[0].split() for line in capture.get().splitlines() if "cola" in line]
    assert [row[:4] for row in rows] == [
        ["embedded", "cola", "lora", "(rank=2)"],
        ["embedded", "cola", "lora", "(rank=4)"],
        ["b", "cola", "lora", "(rank=2)"],
        ["b", "cola", "lora", "(rank=4)"],
    ]


def test_plain_lines_without_a_terminal(made: study.Study) -> None:
    stream = io.StringIO()
    with LiveSearch(made, Console(file=stream, width=200)) as live:
        live.told(made.searches[0], [step(0.01, None)], 0.6)
        live.told(made.searches[0], [step(0.01, None), step(0.02, 0.5)], 1.0)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "A title: tuned: 2 trials each, by halving.",
        "[2/6] cola / head: matthews_correlation 0.500 at learning rate 0.02; 1 without a score (estimating)",
    ]

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from runners import device
from runners.plan.spec import Protocol
from runners.trials import clock, loop
from runners.trials.clock import Clock, between, on_and_off, waited_share
from runners.trials.snapshots import Snapshots

CPU = torch.device("cpu")


class Hands:
    """A clock whose time passes when it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(device, "mark", lambda where: self.now)


class Slow(nn.Module):
    """A model whose k-th step takes k seconds."""

    def __init__(self, hands: Hands) -> None:
        super().__init__()
        self.w, self.hands, self.steps = nn.Parameter(torch.zeros(1)), hands, 0

    def forward(
        self, attention_mask: torch.Tensor, at: torch.Tensor, labels: torch.Tensor
    ) -> SimpleNamespace:
        self.hands.now += int(at)
        return SimpleNamespace(loss=(self.w - 1).pow(2).sum())


def fit(
    hands: Hands, steps: int, snapshots: Snapshots | None = None, last: int | None = None
) -> loop.Trained:
    """Train; loading takes 100 seconds a batch, an evaluation 1000. ``last``: is killed after that step."""

    def batches(done: int) -> Iterator[dict[str, torch.Tensor]]:
        for at in range(done + 1, (last or steps) + 1):
            hands.now += 100
            yield {
                "attention_mask": torch.ones(2, 3, dtype=torch.long),
                "at": torch.tensor(at),
                "labels": torch.ones(2),
            }
        if last:
            raise KeyboardInterrupt

    def evaluate() -> dict[str, float | None]:
        hands.now += 1000
        return {"m": 0.5}

    model = Slow(hands)
    return loop.fit(
        device.accelerator(),
        model,
        dict(model.named_parameters()),
        batches,
        steps,
        Protocol(steps=steps, learning_rate=0.1),
        evaluate_at=[4, 8, 10],
        evaluate=evaluate,
        main_metric=lambda score: score["m"] or -math.inf,
        watch=lambda progress: None,
        snapshots=snapshots,
    )


def test_steps_are_timed_and_neither_loading_nor_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fit(Hands(monkeypatch), 10).to_record()
    assert found.seconds == sum(range(1, 11))
    assert found.step_ms_p50 == pytest.approx(5500)
    assert found.step_ms_p95 == pytest.approx(9550)
    assert found.examples_per_second == pytest.approx(20 / 55)


def test_a_resumed_training_has_timed_every_step_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hands = Hands(monkeypatch)
    snapshots = Snapshots(tmp_path / "s.pt", 3, {"trial": "a"}, lambda line: None)
    with pytest.raises(KeyboardInterrupt):
        fit(hands, 10, snapshots, last=8)  # the snapshot is of step 6
    found = fit(hands, 10, snapshots)
    assert found.resumed_at == (6,)
    assert found.clock.seconds == list(range(1, 11))
    assert found.to_record().seconds == 55


def test_every_number_of_a_real_step_is_there() -> None:
    timed = Clock(CPU)
    with timed:
        torch.ones(200, 200) @ torch.ones(200, 200)
    timed.read()
    assert len(timed.seconds) == 1
    numbers = timed.numbers()
    assert numbers["step_ms_p50"] == numbers["step_ms_p95"] == pytest.approx(1e3 * timed.seconds[0])
    assert all(value is None or (math.isfinite(value) and value >= 0) for value in numbers.values())


def test_what_is_kept_is_what_comes_back() -> None:
    timed = Clock(CPU)
    with timed:
        pass
    timed.read()
    stored = io.BytesIO()
    torch.save(timed.state(), stored)
    stored.seek(0)
    again = Clock(CPU)
    again.restore(torch.load(stored, weights_only=True))
    assert again.numbers() == timed.numbers()


def threads(folder: Path, *counts: tuple[int, int]) -> None:
    for number, (on, off) in enumerate(counts):
        (folder / str(number)).mkdir(parents=True, exist_ok=True)
        (folder / str(number) / "schedstat").write_text(f"{on} {off} 7\n")


def test_the_share_that_threads_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "THREADS", tmp_path)
    threads(tmp_path, (5_000_000_000, 0), (1_000_000_000, 1_000_000_000))
    timed = Clock(CPU)
    with timed:
        pass
    threads(tmp_path, (7_000_000_000, 1_000_000_000), (2_000_000_000, 1_000_000_000))
    timed.read()
    assert timed.numbers()["waited_share"] == pytest.approx(0.25)  # one second beside three
    threads(tmp_path, (7_000_000_000, 4_000_000_000))
    timed.read()
    assert timed.numbers()["waited_share"] == pytest.approx(4 / 7)


@pytest.mark.parametrize("content", ["", "1", "a b c"])
def test_a_system_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    assert on_and_off(tmp_path / "none") is None
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "schedstat").write_text(content)
    assert on_and_off(tmp_path) is None
    monkeypatch.setattr(clock, "THREADS", tmp_path)
    timed = Clock(CPU)
    with timed:
        pass
    timed.read()
    assert timed.numbers()["waited_share"] is None


def test_the_share_of_waiting_between_two_readings() -> None:
    assert waited_share(*between((1.0, 0.5), (4.0, 1.5))) == 0.25
    assert waited_share(*between((1.0, 0.5), (1.0, 0.5))) is None
    assert waited_share(*between(None, (1.0, 0.5))) is None
    assert waited_share(*between((1.0, 0.5), None)) is None
    assert waited_share(*between((5.0, 0.5), (4.0, 1.5))) == 1.0  # a thread has ended

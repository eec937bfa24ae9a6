"""Bytes against the tensors that are there, and times on a clock that tells what each call costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

import methods
import tasks
from methods import MethodError
from methods.core.twins import as_stored
from runners import models
from runners.measure import deployment
from runners.measure.deployment import Deployment, SwitchTime

FLOAT = 4  # bytes
INSTANT = SwitchTime(ms_p50=1, ms_low=1, ms_high=1, rounds=5)


@pytest.fixture
def load(tiny_model: str) -> Callable[[], PreTrainedModel]:
    return lambda: models.classifier(tiny_model, tasks.get("cola"))


def measured(name: str, load: Callable[[], PreTrainedModel], folder: Path) -> Deployment:
    adapted = methods.apply(load(), name)
    return deployment.measure(as_stored(adapted), adapted.save(folder), load, "cpu", seconds=0.0)


@pytest.mark.parametrize("name", methods.names())
def test_one_task_is_a_model(name: str, load: Callable[[], PreTrainedModel], tmp_path: Path) -> None:
    found = measured(name, load, tmp_path)
    model = methods.load(load(), tmp_path).model
    tensors = [*model.parameters(), *model.buffers()]
    assert found.memory_bytes(1) == sum(t.numel() * t.element_size() for t in tensors)
    assert found.task_memory_bytes == methods.Checkpoint.read(tmp_path).bytes
    assert found.task_disk_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert found.task_disk_bytes > found.task_memory_bytes
    mergeable = methods.get(name).mergeable
    merged = (found.kept_memory_bytes, found.merged_switch, found.merged_switch_from_disk)
    assert all((part is not None) == mergeable for part in merged)
    assert (found.merged_memory_bytes(1) is not None) == mergeable


def test_full_models_share_nothing_but_buffers(load: Callable[[], PreTrainedModel], tmp_path: Path) -> None:
    found = measured("full", load, tmp_path)
    model = load()
    assert found.task_memory_bytes == sum(p.numel() for p in model.parameters()) * FLOAT
    assert found.shared_memory_bytes == sum(b.numel() * b.element_size() for b in model.buffers())


def test_merging_keeps_one_copy_of_the_targeted_matrices(
    load: Callable[[], PreTrainedModel], tmp_path: Path
) -> None:
    found = measured("lora", load, tmp_path)
    assert found.kept_memory_bytes == 2 * 2 * 32 * 32 * FLOAT  # query and value of two blocks of width 32


def test_many_tasks_cost_their_own_tensors_each() -> None:
    found = Deployment(
        task_disk_bytes=11,
        task_memory_bytes=10,
        shared_memory_bytes=1000,
        kept_memory_bytes=200,
        switch=INSTANT,
        switch_from_disk=INSTANT,
        merged_switch=INSTANT,
        merged_switch_from_disk=INSTANT,
        load_model=INSTANT,
    )
    assert [found.memory_bytes(n) for n in (1, 10, 100)] == [1010, 1100, 2000]
    assert [found.merged_memory_bytes(n) for n in (1, 10, 100)] == [1210, 1300, 2200]
    assert found.disk_bytes(10) == 110


def test_a_folder_that_is_no_task_is_refused(load: Callable[[], PreTrainedModel], tmp_path: Path) -> None:
    with pytest.raises(MethodError, match="is not a saved method"):
        deployment.measure(methods.apply(load(), "lora"), tmp_path, load, "cpu")


class Clock:
    """Stands in for the two clocks; calls move it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.calls: list[str] = []
        monkeypatch.setattr(deployment.time, "perf_counter", lambda: self.seconds)
        monkeypatch.setattr(deployment.time, "perf_counter_ns", lambda: round(self.seconds * 1e9))

    def call(self, name: str, costs: Callable[[], float]) -> Callable[[], None]:
        def run() -> None:
            self.calls.append(name)
            self.seconds += costs()

        return run


def timed(calls: dict[str, Callable[[], None]], seconds: float, **options: int) -> dict[str, SwitchTime]:
    return deployment._time(calls, "cpu", np.random.default_rng(0), seconds, **options)


def test_times_are_medians_without_the_first_round(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    slow_first = iter([5.0] + [0.002] * 30)
    calls = {
        "slow first": clock.call("slow first", lambda: next(slow_first)),
        "steady": clock.call("steady", lambda: 0.001),
    }
    found = timed(calls, seconds=100)
    assert found["slow first"].ms_p50 == pytest.approx(2)
    assert found["slow first"].ms_high == pytest.approx(2)
    assert found["steady"] == SwitchTime(*[pytest.approx(1)] * 3, rounds=30)
    assert clock.calls.count("steady") == 31
    assert len({tuple(clock.calls[i : i + 2]) for i in range(0, 62, 2)}) == 2  # both orders


def test_five_rounds_however_long_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    found = timed({"load": clock.call("load", lambda: 60.0)}, seconds=1, warmup=0)
    assert found["load"].rounds == len(clock.calls) == 5


def test_the_device_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    queued: list[float] = []

    def synchronize(device: torch.device | str) -> None:
        clock.seconds += sum(queued)
        queued.clear()

    monkeypatch.setattr(deployment, "synchronize", synchronize)
    found = timed({"switch": lambda: queued.append(0.004)}, seconds=0)
    assert found["switch"].ms_p50 == pytest.approx(4)

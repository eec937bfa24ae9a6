"""Joules of a counter that is laid out as RAPL's is; here, as on most virtual machines, there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from runners.measure import energy
from runners.measure.energy import Tally, meter

CPU = torch.device("cpu")


class Counter:
    """Files as the kernel has them, and what moves them."""

    def __init__(self, folder: Path) -> None:
        package = folder / "intel-rapl:0"
        package.mkdir(parents=True)
        (package / "name").write_text("package-0\n")
        (package / "max_energy_range_uj").write_text("262143328850\n")
        self.file = package / "energy_uj"
        self.file.write_text("1000000\n")

    def add(self, joules: float) -> None:
        self.file.write_text(f"{int(self.file.read_text()) + round(1e6 * joules)}\n")


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    rapl = pytest.importorskip("zeus.device.cpu.rapl")
    cpus = pytest.importorskip("zeus.device.cpu")
    rapl.rapl_is_available.cache_clear()
    monkeypatch.setattr(rapl, "RAPL_DIR", str(tmp_path / "rapl"))
    monkeypatch.setattr(cpus, "_cpus", None)
    monkeypatch.setattr(energy, "IDLE_SECONDS", 0.05)
    yield Counter(tmp_path / "rapl")
    rapl.rapl_is_available.cache_clear()


@pytest.mark.skipif(Path("/sys/class/powercap/intel-rapl").exists(), reason="this machine has a counter")
def test_without_a_counter_nothing_is_told() -> None:
    assert meter(CPU) is None


def test_what_the_counter_moves_by_is_told_in_joules(counter: Counter) -> None:
    found = meter(CPU)
    assert found is not None
    assert found.source == "rapl"
    assert found.joules(lambda: counter.add(2.5)) == pytest.approx(2.5)
    assert found.joules(lambda: None) == 0


def test_a_counter_that_does_not_move_with_the_work_is_not_believed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = meter(CPU)
    assert found is not None
    assert found.moves(lambda: counter.add(1))
    assert not found.moves(lambda: None), "it stands still"
    # One that only counts the seconds: a busy one is as an idle one.
    monkeypatch.setattr(energy.time, "sleep", counter.add)
    monkeypatch.setattr(energy.time, "perf_counter", iter([0.0, 1.0]).__next__)
    assert not found.moves(lambda: counter.add(1))


def test_stretches_add_up_and_what_lies_between_them_does_not(counter: Counter) -> None:
    tally = Tally.of(CPU)
    tally.end()  # none has begun
    for joules in (2, 3):
        tally.begin()
        tally.begin()  # it has begun
        counter.add(joules)
        tally.end()
        counter.add(100)
    assert tally.joules == pytest.approx(5)
    assert tally.told == ("rapl", pytest.approx(5))
    tally.idle_watts = 2 * tally.joules / tally.seconds
    assert tally.told is None, "it took no more than idleness"
    assert Tally(tally.meter, 0.0).told is None, "nothing was done"

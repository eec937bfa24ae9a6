"""The arithmetic of a plan: who waits for whom, what neighbours cost, what adds up."""

from __future__ import annotations

import random
from typing import Any

import pytest

from runners.plan.forecast import STAGES, Forecast, Load, Machine, Row, makespan, sharing, summed


def chains(seed: int) -> list[list[list[float]]]:
    """Searches of several stages, of several trials each."""
    draw = random.Random(seed)
    return [
        [[draw.uniform(1, 9) for _ in range(draw.randint(1, 4))] for _ in range(draw.randint(1, 4))]
        for _ in range(draw.randint(1, 5))
    ]


@pytest.mark.parametrize("seed", range(12))
def test_more_workers_never_end_later_and_none_is_idle_for_nothing(seed: int) -> None:
    made = chains(seed)
    whole = sum(seconds for chain in made for stage in chain for seconds in stage)
    longest = max(sum(max(stage) for stage in chain) for chain in made)
    spans = [makespan(made, workers) for workers in range(1, 30)]
    assert spans[0] == pytest.approx(whole)
    assert spans == sorted(spans, reverse=True)
    assert spans[-1] == pytest.approx(longest)  # each waits for its own trials alone
    for workers, span in enumerate(spans, start=1):
        assert span >= max(whole / workers, longest) - 1e-9
        assert span <= whole / workers + longest + 1e-9  # Graham's bound


def test_a_stage_waits_for_the_one_before() -> None:
    assert makespan([[[1.0, 1.0], [1.0]]], 2) == 2.0
    assert makespan([[[1.0], [1.0], [1.0]]], 3) == 3.0
    assert makespan([[], [[]]], 3) == makespan([], 1) == 0.0


def test_what_neighbours_cost() -> None:
    two = sharing(2, cores=2)
    assert 2 / two(2) == pytest.approx(1.3)  # the work of one with both cores
    assert two(1) == two(2)  # its threads are its own, the other core is idle
    for cores in (1, 2, 3, 8, 64):
        assert sharing(1, cores)(1) == 1.0
        for workers in range(1, 70):
            slower = sharing(workers, cores)
            assert slower(workers) >= slower(1) >= 1.0
            gain = workers / slower(workers)
            assert 1.0 - 1e-9 <= gain <= 1 + 0.3 * (cores - 1) + 1e-9  # no more than one thread each
    assert sharing(8, cores=2)(8) == pytest.approx(8 / 1.3)
    for cores, threads in ((2, 1), (8, 2), (8, 8)):  # with OMP_NUM_THREADS a trial leaves cores to others
        for workers in range(1, cores // threads + 1):
            assert sharing(workers, cores, threads=threads)(workers) == pytest.approx(1.0)
    assert sharing(8, 8, threads=2)(8) == pytest.approx(1 / 0.65)  # two threads are as fast as that
    assert sharing(4, 16, devices=2)(4) == 2.0
    assert sharing(4, 16, devices=2)(1) == 1.0


def row(**values: Any) -> Row:
    given: dict[str, Any] = {
        **{"model": "m", "task": "t", "method": "full", "settings": 0, "trials": 3, "missing": 2},
        **{"reported": 2, "examples": 10, "seconds": summed([{"training": 4.0, "costs": 1.0}])},
        **{"peak_bytes": 100, "checkpoint_bytes": 7, "trained_bytes": 5},
    }
    return Row(**(given | values))


def test_the_parts_add_up_to_the_whole() -> None:
    rows = [row(), row(method="lora", missing=1, peak_bytes=30, seconds=summed([{"training": 3.0}]))]
    load = Load(trials=[2.0, 2.0, 3.0], costs=[1.0], start=0.5)
    found = Forecast(rows, load, Machine(2, 2, 0, 1000, 10), record_bytes=64)
    assert found.stages().keys() == set(STAGES)
    assert sum(found.stages().values()) == pytest.approx(found.here(1)) == found.elsewhere(1)
    assert found.here(1) == pytest.approx(load.start + sum(each.total for each in rows))
    assert found.elsewhere(2) == 0.5 + 5.0 + 1.0
    assert found.here(2) == pytest.approx(2 / 1.3 * (0.5 + 5.0) + 1.0)
    assert [found.peak_bytes(number) for number in (1, 2, 3, 9)] == [110, 220, 260, 260]
    assert found.disk() == {"records": 60_000, "records_most": 192, "models": 28, "snapshot": 20}


def test_a_crowd_is_as_large_as_it_is() -> None:
    # Three workers on one core, of which two are done early: the last one has it for itself.
    assert Load(trials=[1.0, 1.0, 4.0]).seconds(3, sharing(3, cores=1)) == pytest.approx(6.0)

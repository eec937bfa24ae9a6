"""Requests that arrive one by one: simulated for any number of tasks, and rehearsed for a small one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import torch

from reports import text
from reports.records.serving_schema import (
    WAYS,
    Arrivals,
    ArrivalStudy,
    Rehearsed,
    ServingRecord,
    Way,
)
from runners import device as devices
from runners.measure.serving import rehearsal, simulation
from runners.measure.serving.queue import arrivals
from runners.measure.serving.ways import Inputs, Models
from runners.plan.serving_study import AskedArrivals

REHEARSED_TASKS: Final = 16
REHEARSED_SHARE: Final = 0.5
"""Of the largest rate: the server is busy, and the machine's noise does not decide whether it keeps up."""
LEAST_REHEARSED: Final = 50
"""Requests, below which a 95th percentile says little."""
POOL: Final = 64
"""Inputs that rehearsed requests take in turn."""


def study(
    record: ServingRecord,
    models: Models,
    inputs: Callable[[int, int], Inputs],
    asked: AskedArrivals,
    device: torch.device,
    doing: Callable[[str], None] = lambda what: None,
) -> ArrivalStudy:
    """Simulate every way and number of tasks from what was measured, and rehearse one number.

    Args:
        record: with what was measured.
        models: what serves, with as many tasks as were measured.
        inputs: makes tokens of so many rows and so many of each.
        asked: what is simulated.
        device: of the models.
        doing: is told what happens.
    """
    limit = devices.available_bytes(device) if asked.memory_bytes is None else asked.memory_bytes
    length, largest = _sizes(record)
    doing(f"{record.label}: simulated arrivals")
    simulated = tuple(simulate(record, asked, limit))
    return ArrivalStudy(
        sequence_length=length,
        zipf_exponent=asked.exponent,
        largest_batch=largest,
        limit_ms=asked.limit_ms,
        memory_limit_bytes=limit,
        requests=asked.requests,
        seed=record.seed,
        simulated=simulated,
        rehearsed=tuple(_rehearse(record, simulated, models, inputs, asked, limit, device, doing)),
    )


def simulate(record: ServingRecord, asked: AskedArrivals, limit: int) -> Iterator[Arrivals]:
    """Every way and number of tasks, from the times of a record alone.

    Args:
        record: with what was measured.
        asked: what is simulated.
        limit: bytes that tasks may fill.
    """
    length, _ = _sizes(record)
    rate = asked.rate or _half_of_base(record, length)
    for way in WAYS:
        for tasks in sorted({one.tasks for one in record.stored} | set(asked.further)):
            if (one := server(record, asked, limit, way, tasks, asked.requests)) is None:
                continue
            yield Arrivals(
                way=way,
                tasks=tasks,
                in_memory=one.in_memory,
                rate_per_second=rate,
                waited=one.waited(rate) if rate < one.most() else None,
                largest_rate_per_second=one.largest_rate(asked.limit_ms),
            )


def server(
    record: ServingRecord, asked: AskedArrivals, limit: int, way: Way, tasks: int, requests: int
) -> simulation.Server | None:
    """A machine as it was measured, with so many tasks; None where the method has not that way."""
    length, largest = _sizes(record)
    times = simulation.times_of(record, length, way, tasks)
    if times is None:
        return None
    unit, who = arrivals(requests, tasks, asked.exponent, record.seed)
    room = max(1, min(tasks, limit // max(1, record.task_tensor_bytes)))
    return simulation.Server(unit, who, way, times, largest, room)


def _rehearse(
    record: ServingRecord,
    simulated: Sequence[Arrivals],
    models: Models,
    inputs: Callable[[int, int], Inputs],
    asked: AskedArrivals,
    limit: int,
    device: torch.device,
    doing: Callable[[str], None],
) -> Iterator[Rehearsed]:
    """Serve what was simulated for a small number of tasks, in every way."""
    length, largest = _sizes(record)
    counts = [one.tasks for one in record.stored]
    most = max(count for count in counts if count <= max(REHEARSED_TASKS, counts[0]))
    for one in simulated:
        if one.tasks != most or not one.largest_rate_per_second or not asked.seconds:
            continue
        doing(f"{record.label}: rehearsed arrivals, {one.way}, {text.plural(most, 'task')}")
        pace = REHEARSED_SHARE * one.largest_rate_per_second
        requests = max(LEAST_REHEARSED, math.ceil(pace * asked.seconds))
        played = server(record, asked, limit, one.way, most, requests)
        assert played is not None
        at = played.unit / pace
        true = rehearsal.served(models, inputs(POOL, length), at, played.tasks, one.way, largest, device)
        assumed = math.fsum(
            played.times.batch(rows, distinct) + switched * played.times.switch
            for rows, distinct, switched in true.batches
        )
        ratio = math.fsum(true.seconds) / assumed
        as_fast = replace(played, times=played.times.scaled(ratio))
        yield Rehearsed(
            way=one.way,
            tasks=most,
            rate_per_second=pace,
            requests=requests,
            simulated=played.waited(pace),
            measured=simulation.waited(at, true.done),
            service_ratio=ratio,
            simulated_as_fast=as_fast.waited(pace),
        )


def _sizes(record: ServingRecord) -> tuple[int, int]:
    """The length that is simulated, the shortest, and the largest batch of it."""
    length = min(one.sequence_length for one in record.batches)
    return length, max(one.batch_size for one in record.batches if one.sequence_length == length)


def _half_of_base(record: ServingRecord, length: int) -> float:
    """About half the rate at which the base serves the smallest batch, rounded down to 1, 2 or 5 x 10^k."""
    cells = [one for one in record.batches if one.sequence_length == length]
    smallest = min(cells, key=lambda one: one.batch_size)
    return _round_below(500 * smallest.batch_size / smallest.base_ms_p50)


def _round_below(value: float, steps: Sequence[int] = (5, 2, 1)) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(step for step in steps if step * power <= value * (1 + 1e-12)) * power)

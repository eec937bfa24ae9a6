"""Requests that arrive one by one: simulated for any number of tasks, and rehearsed for a small one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, get_args

import torch

from reports import text
from reports.records.serving_schema import (
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

WAYS: Final[tuple[Way, ...]] = get_args(Way)
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
    length = min(one.sequence_length for one in record.batches)
    largest = max(one.batch_size for one in record.batches if one.sequence_length == length)
    limit = devices.available_bytes(device) if asked.memory_bytes is None else asked.memory_bytes
    rate = asked.rate or _half_of_base(record, length)
    counts = sorted({one.tasks for one in record.stored} | set(asked.further))

    def server(way: Way, tasks: int, requests: int) -> simulation.Server | None:
        times = simulation.times_of(record, length, way, tasks)
        if times is None:
            return None
        unit, who = arrivals(requests, tasks, asked.exponent, record.seed)
        room = max(1, min(tasks, limit // max(1, record.task_tensor_bytes)))
        return simulation.Server(unit, who, way, times, largest, room)

    def simulated() -> Iterator[Arrivals]:
        for way in WAYS:
            for tasks in counts:
                doing(f"{record.label}: simulated arrivals, {way}, {text.plural(tasks, 'task')}")
                if (one := server(way, tasks, asked.requests)) is None:
                    continue
                yield Arrivals(
                    way=way,
                    tasks=tasks,
                    in_memory=one.in_memory,
                    rate_per_second=rate,
                    waited=one.waited(rate) if rate < one.most() else None,
                    largest_rate_per_second=one.largest_rate(asked.limit_ms),
                )

    found = tuple(simulated())

    def rehearsed() -> Iterator[Rehearsed]:
        most = max(one.tasks for one in record.stored if one.tasks <= max(REHEARSED_TASKS, counts[0]))
        for one in found:
            if one.tasks != most or not one.largest_rate_per_second or not asked.seconds:
                continue
            doing(f"{record.label}: rehearsed arrivals, {one.way}, {text.plural(most, 'task')}")
            pace = REHEARSED_SHARE * one.largest_rate_per_second
            requests = max(LEAST_REHEARSED, math.ceil(pace * asked.seconds))
            played = server(one.way, most, requests)
            assert played is not None
            at = played.unit / pace
            pool = inputs(POOL, length)
            true = rehearsal.served(models, pool, at, played.tasks, one.way, largest, device)
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

    return ArrivalStudy(
        sequence_length=length,
        zipf_exponent=asked.exponent,
        largest_batch=largest,
        limit_ms=asked.limit_ms,
        memory_limit_bytes=limit,
        requests=asked.requests,
        seed=record.seed,
        simulated=found,
        rehearsed=tuple(rehearsed()),
    )


def _half_of_base(record: ServingRecord, length: int) -> float:
    """About half the rate at which the base serves the smallest batch, rounded down to 1, 2 or 5 x 10^k."""
    cells = [one for one in record.batches if one.sequence_length == length]
    smallest = min(cells, key=lambda one: one.batch_size)
    return _round_below(500 * smallest.batch_size / smallest.base_ms_p50)


def _round_below(value: float, steps: Sequence[int] = (5, 2, 1)) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(step for step in steps if step * power <= value * (1 + 1e-12)) * power)

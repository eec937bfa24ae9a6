"""How long requests would wait, from the measured times of batches and switches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.records.serving_schema import ServedBatch, ServingRecord, Waited, Way
from runners.measure.serving.queue import Queue

WARM_SHARE = 0.1
"""Of the requests: they find the server emptier than it will be, and are not counted."""
HALVINGS = 14
"""Of the range in which the largest rate is looked for: it is then known to a thousandth."""
SLOWEST = 1e-3
"""Of the rate at which a server that always has work serves: the least that is tried."""


@dataclass(frozen=True)
class Times:
    """Seconds that one way of serving takes.

    Args:
        sizes: numbers of rows that were measured, rising.
        several: of a batch of so many rows of several tasks; of one task for ways that never mix.
        alone: of one whose rows are all of one task.
        switch: to another task, on top of a batch.
        read: of a task that is not in memory.
    """

    sizes: Sequence[int]
    several: Sequence[float]
    alone: Sequence[float]
    switch: float
    read: float

    def scaled(self, factor: float) -> Times:
        """The same on a machine that takes so many times as long."""
        several, alone = ([factor * value for value in own] for own in (self.several, self.alone))
        return Times(self.sizes, several, alone, factor * self.switch, factor * self.read)

    def batch(self, rows: int, distinct: int) -> float:
        """Of a batch, without a switch, between the sizes that were measured by a straight line."""
        return float(np.interp(rows, self.sizes, self.several if distinct > 1 else self.alone))


def times_of(record: ServingRecord, length: int, way: Way, tasks: int) -> Times | None:
    """The times of a way at one length; None where it has none.

    Batches are those of the largest number of tasks that was measured up to ``tasks``: on a batch of few rows
    it is not how many there are that tells, but how many of them the rows are of.
    """
    measured = sorted({one.tasks for one in record.batches})
    most = max([one for one in measured if one <= tasks], default=measured[0])
    cells = [one for one in record.batches if one.sequence_length == length and one.tasks == most]
    cells.sort(key=lambda one: one.batch_size)
    read = record.stored[-1].add_from_disk.ms_p50 / 1000
    if way == "merged in turn":
        if record.merged_switch is None or any(one.merged is None for one in cells):
            return None
        merged = [one.merged.latency_ms_p50 / 1000 for one in cells if one.merged]
        return Times(
            [one.batch_size for one in cells], merged, merged, record.merged_switch.ms_p50 / 1000, read
        )
    alone = [one.one_task.latency_ms_p50 / 1000 for one in cells]
    several = alone if way == "in turn" else [_mixed(one) for one in cells]
    # What it takes to change to a task unmerged is in the time of its batch.
    return Times([one.batch_size for one in cells], several, alone, 0.0, read)


def _mixed(cell: ServedBatch) -> float:
    return cell.mixed.latency_ms_p50 / 1000


def answered(
    at: NDArray[np.float64], tasks: NDArray[np.int64], way: Way, times: Times, largest: int, in_memory: int
) -> NDArray[np.float64]:
    """Seconds at which requests are answered, shape (requests,), by one server that idles only without work.

    Args:
        at: seconds of arrival, rising, shape (requests,).
        tasks: the task of each, shape (requests,).
        way: how batches are made up.
        times: that they take.
        largest: requests of a batch at the most.
        in_memory: tasks that are held, at first those asked for most; the one that was not asked for longest
            makes room.
    """
    who = tasks.tolist()
    queue = Queue(at.tolist(), who, way, largest)
    held = OrderedDict[int, None].fromkeys(reversed(range(in_memory)))
    done = np.empty(len(at))
    clock, loaded = 0.0, -1
    while True:
        batch = queue.take(clock)
        if not batch:
            following = queue.next_at()
            if following is None:
                return done
            clock = max(clock, following)
            continue
        asked = dict.fromkeys(who[one] for one in batch)
        clock += times.batch(len(batch), len(asked)) + times.read * _missing(held, asked, in_memory)
        if way != "mixed" and who[batch[0]] != loaded:
            clock += times.switch
            loaded = who[batch[0]]
        done[batch] = clock


def _missing(held: OrderedDict[int, None], asked: dict[int, None], in_memory: int) -> int:
    """How many of the tasks have to be read; they are held afterwards, as far as there is room."""
    missing = 0
    for task in asked:
        if task in held:
            held.move_to_end(task)
        else:
            held[task] = None
            missing += 1
    while len(held) > in_memory:
        held.popitem(last=False)
    return missing


def waited(at: NDArray[np.float64], done: NDArray[np.float64], warm: float = WARM_SHARE) -> Waited:
    """Quantiles of the times from arrival to answer, without the first requests."""
    first = int(warm * len(at))
    p50, p95, p99 = (float(value) for value in 1000 * np.percentile((done - at)[first:], [50, 95, 99]))
    return Waited(ms_p50=p50, ms_p95=p95, ms_p99=p99)


@dataclass(frozen=True)
class Server:
    """One machine that serves so many tasks in one way, and the requests that it is tried with.

    Args:
        unit: arrivals at one a second, shape (requests,).
        tasks: of the requests, shape (requests,).
        way: how batches are made up.
        times: that they take.
        largest: requests of a batch at the most.
        in_memory: tasks that are held.
    """

    unit: NDArray[np.float64]
    tasks: NDArray[np.int64]
    way: Way
    times: Times
    largest: int
    in_memory: int

    def waited(self, rate: float) -> Waited:
        """How long requests wait at a rate a second."""
        at = self.unit / rate
        return waited(at, answered(at, self.tasks, self.way, self.times, self.largest, self.in_memory))

    def most(self) -> float:
        """The rate at which it serves when all requests are there at once: none above can be kept up."""
        at = np.zeros_like(self.unit)
        done = answered(at, self.tasks, self.way, self.times, self.largest, self.in_memory)
        return float(len(done) / done.max())

    def largest_rate(self, limit_ms: float) -> float:
        """The largest rate at which 99 of 100 requests are answered within a limit; 0 where there is none."""
        high = self.most()
        low = SLOWEST * high
        if self.waited(low).ms_p99 > limit_ms:
            return 0.0
        for _ in range(HALVINGS):
            middle = float(np.sqrt(low * high))
            low, high = (middle, high) if self.waited(middle).ms_p99 <= limit_ms else (low, middle)
        return low

"""A server's queue: which of the waiting requests make up the next batch.

The simulation and the rehearsal take batches from the same queue, so that they differ in nothing but whether
a batch is computed or its time is looked up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reports.records.serving_schema import Way
from runners.measure.serving.draws import zipf


class Queue:
    """Requests that arrive at known times, each for one task.

    Args:
        at: seconds of arrival, rising, shape (requests,).
        tasks: the task of each, shape (requests,).
        way: ``mixed`` takes the oldest requests, whatever their tasks; the others those of the oldest one's
            task.
        largest: requests of a batch at the most.
    """

    def __init__(self, at: Sequence[float], tasks: Sequence[int], way: Way, largest: int) -> None:
        self._at, self._tasks, self._mixes, self._largest = at, tasks, way == "mixed", largest
        self._come = 0
        self._oldest = 0
        self._served = bytearray(len(at))
        self._waiting: dict[int, deque[int]] = {}

    def next_at(self) -> float | None:
        """When the next request arrives that has not come yet; None where all have."""
        return self._at[self._come] if self._come < len(self._at) else None

    def take(self, now: float) -> list[int]:
        """The next batch of the requests that have come by now; empty where none waits."""
        while self._come < len(self._at) and self._at[self._come] <= now:
            if not self._mixes:
                self._waiting.setdefault(self._tasks[self._come], deque()).append(self._come)
            self._come += 1
        if self._mixes:
            first = self._oldest
            self._oldest = min(self._come, first + self._largest)
            return list(range(first, self._oldest))
        while self._oldest < self._come and self._served[self._oldest]:
            self._oldest += 1
        if self._oldest == self._come:
            return []
        line = self._waiting[self._tasks[self._oldest]]
        taken = [line.popleft() for _ in range(min(len(line), self._largest))]
        for one in taken:
            self._served[one] = 1
        return taken


def arrivals(
    requests: int, tasks: int, exponent: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Arrivals at one a second, whose times divided by a rate are those at that rate, and their tasks.

    Returns:
        Rising times of a Poisson process and tasks drawn by Zipf's law, both of shape (requests,).
    """
    rng = np.random.default_rng([seed, tasks])
    return rng.exponential(size=requests).cumsum(), rng.choice(tasks, size=requests, p=zipf(tasks, exponent))

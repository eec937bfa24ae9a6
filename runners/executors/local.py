"""Trials run here, in this process, one after another; on several processes in all of them together."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

from reports.records.schema import Record
from runners.trials.jobs import Job, Listener, do
from runners.trials.trial import run_trial


class Local:
    """Does jobs in this process.

    Args:
        run: turns a spec into a record.
    """

    alone: Final = True

    def __init__(self, run: Callable[..., Record] = run_trial) -> None:
        self._run = run
        self._waiting: list[tuple[int, int, Job, Listener]] = []
        self._number = count()

    def submit(self, job: Job, listener: Listener) -> None:
        """Take a job, which is done when it is asked for."""
        heapq.heappush(self._waiting, (job.order, next(self._number), job, listener))

    def next(self) -> tuple[Job, Record]:
        """Do the next job."""
        *_, job, listener = heapq.heappop(self._waiting)
        return job, do(job, listener, self._run)

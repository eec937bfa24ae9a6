"""What training takes: the time of every step, and whether the machine had time for it.

A step is timed from the moment its batch is there until its update is done: loading and padding are outside.
On a CPU these are two readings of the clock. Elsewhere steps are queued, and the marks are events in the
queue, read when the device is waited for anyway: what the host does meanwhile is outside as well.

That a neighbour takes cores shows in the seconds that threads waited for one. Linux counts them for every
thread (``schedstat``: nanoseconds on a core, nanoseconds runnable without one); the load average of the
system is a coarser sign, and the only one elsewhere.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from runners import device

THREADS = Path("/proc/self/task")


@dataclass
class Clock:
    """Runs inside ``with clock:``, one step each time; all that it has seen is in its numbers.

    Args:
        device: where the steps are computed.
    """

    device: torch.device
    seconds: list[float] = field(default_factory=list)
    """Of each step; the last ones once :meth:`read` was called."""
    host: float = 0.0
    """Wall seconds inside the steps, as the host sees them."""
    processor: float = 0.0
    """Processor seconds of all threads in them."""
    ran: float = 0.0
    """Seconds that threads of this process were on a core, evaluations and loading included."""
    waited: float = 0.0
    """Seconds that they were ready and had none, over the same time."""
    loads: list[float] = field(default_factory=list)
    """The system's load average, at every reading."""
    _marks: list[tuple[Any, Any]] = field(default_factory=list)
    _begun: Any = None
    _counted: tuple[float, float] = (0.0, 0.0)
    _threads: tuple[float, float] | None = field(default_factory=lambda: on_and_off(THREADS))

    def __enter__(self) -> Self:
        self._counted = time.perf_counter(), time.process_time()
        self._begun = device.mark(self.device)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._marks.append((self._begun, device.mark(self.device)))
        wall, processor = self._counted
        self.host += time.perf_counter() - wall
        self.processor += time.process_time() - processor

    def read(self) -> None:
        """Take in the steps since the last reading; to be called when the device has done its work."""
        self.seconds += [device.seconds_between(begun, done) for begun, done in self._marks]
        self._marks.clear()
        if hasattr(os, "getloadavg"):  # not on Windows
            self.loads.append(os.getloadavg()[0])
        now = on_and_off(THREADS)
        ran, waited = between(self._threads, now)
        self.ran, self.waited = self.ran + ran, self.waited + waited
        self._threads = now

    def numbers(self) -> dict[str, float | None]:
        """The fields of ``Training`` that tell of time."""
        if not self.seconds:
            return {}
        median, slow = np.percentile(self.seconds, [50, 95]) * 1e3
        return {
            "step_ms_p50": float(median),
            "step_ms_p95": float(slow),
            "cpu_share": self.processor / (self.host * torch.get_num_threads()) if self.host else None,
            "waited_share": waited_share(self.ran, self.waited),
            "load_average": float(np.mean(self.loads)) if self.loads else None,
        }

    def state(self) -> dict[str, Any]:
        """What a snapshot of the training keeps."""
        return {
            "seconds": list(self.seconds),
            "host": self.host,
            "processor": self.processor,
            "ran": self.ran,
            "waited": self.waited,
            "loads": list(self.loads),
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        for name, value in saved.items():
            setattr(self, name, value)


def between(before: tuple[float, float] | None, after: tuple[float, float] | None) -> tuple[float, float]:
    """Seconds on a core and without one between two readings of :func:`on_and_off`; 0 where one is None."""
    if before is None or after is None:
        return 0.0, 0.0
    # A thread that has ended takes its seconds along: the sum may fall, time does not.
    return max(0.0, after[0] - before[0]), max(0.0, after[1] - before[1])


def waited_share(ran: float, waited: float) -> float | None:
    """The share of their time that threads waited for a core; None where no time is known."""
    return waited / (ran + waited) if ran + waited else None


def on_and_off(threads: Path = THREADS) -> tuple[float, float] | None:
    """Seconds on a core and seconds without one, over all threads; None where the system does not tell.

    Args:
        threads: a folder with one for each thread, and a file ``schedstat`` in it.
    """
    on = off = found = 0
    for file in threads.glob("*/schedstat"):
        try:
            ran, waited = map(int, file.read_text(encoding="ascii").split()[:2])
        except (OSError, ValueError):  # the thread has ended, or the kernel does not count
            continue
        on, off, found = on + ran, off + waited, found + 1
    return (on / 1e9, off / 1e9) if found else None

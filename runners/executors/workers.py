"""Trials side by side on this machine: each worker is a process of its own with its share of the cores.

The parent trains nothing. It hands out jobs, passes on what is told of them, and alone writes records. A
worker is started when there is a job for it, and lives as long as the pool: libraries are imported once, and
data, tokens and models that were read stay in memory. Costs are measured while nothing else runs, by the
first worker, with the threads that trainings have.
"""

from __future__ import annotations

import heapq
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Final, Self

from reports.records.schema import Record
from runners import device, environment
from runners.executors.worker import GRACE_SECONDS
from runners.trials.jobs import Job, Listener, undone

TRIES: Final = 2
"""How often a job is begun whose worker is ended from outside."""

_START = """\
import json, sys
descriptor, threads, folder, path = json.loads(sys.argv[1])
sys.path[:] = path
import paretune  # which finds our packages, whatever else has their names
from runners.executors.worker import main
main(descriptor, threads, folder)
"""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
"""Read by libraries when they are loaded: too late to set them then."""


class WorkerError(RuntimeError):
    """The code of a worker raised what is no failure of a trial; the message has its traceback."""


@dataclass(frozen=True)
class _Task:
    """A job that waits or is being done."""

    order: int
    number: int
    job: Job
    listener: Listener
    tries: int = 0

    def __lt__(self, other: _Task) -> bool:
        return (self.order, self.number) < (other.order, other.number)

    @property
    def alone(self) -> bool:
        """Whether nothing may run beside it: costs, and what ended a worker, perhaps for want of memory."""
        return self.job.record is not None or self.tries > 0


class Workers:
    """Does jobs in processes of this machine; a context, at whose end none of them is left.

    Args:
        number: of workers.
        threads: of each; None for its share of the cores, or fewer if ``OMP_NUM_THREADS`` says so.
    """

    alone: Final = False

    def __init__(self, number: int, *, threads: int | None = None) -> None:
        self.number = number
        self.threads = threads or share_of_cores(number)
        self._waiting: list[_Task] = []
        self._numbers = count()
        self._workers: list[_Worker | None] = [None] * number

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, whatever they are at."""
        there = [worker for worker in self._workers if worker is not None]
        self._workers = [None] * self.number
        for worker in there:
            worker.connection.close()  # which asks it to end
        for worker in there:
            worker.end()

    def submit(self, job: Job, listener: Listener) -> None:
        """Take a job, which is handed out while a result is waited for."""
        heapq.heappush(self._waiting, _Task(job.order, next(self._numbers), job, listener))

    def next(self) -> tuple[Job, Record]:
        """Wait for any job to be done; what is told of the others meanwhile goes to their listeners.

        Raises:
            WorkerError: there is a fault in the code that does jobs.
        """
        while True:
            self._hand_out()
            running = {worker.connection: worker for worker in self._workers if worker and worker.task}
            if not running:
                raise LookupError("there is no job to wait for.")
            for ready in wait(list(running)):
                found = self._hear(running[ready])  # type: ignore[index]
                if found is not None:
                    return found

    def _hand_out(self) -> None:
        """Give idle workers what may begin now."""
        while self._waiting:
            going = [worker.task for worker in self._workers if worker and worker.task]
            alone = self._waiting[0].alone
            if len(going) == self.number or (going and alone) or any(task.alone for task in going):
                return
            free = [i for i, worker in enumerate(self._workers) if worker is None or not worker.task]
            # The first that is there: what one has read need not be read again by another.
            index = min(free, key=lambda i: (self._workers[i] is None, i))
            worker = self._workers[index] or _Worker(index, self.threads)
            self._workers[index] = worker
            how = {"costs": False, "side_by_side": 1 if alone else self.number}
            if worker.give(self._waiting[0], how):
                heapq.heappop(self._waiting)
            else:  # it was ended while it had nothing to do
                self._workers[index] = None
                worker.end()

    def _hear(self, worker: _Worker) -> tuple[Job, Record] | None:
        """Take in one thing that a worker tells; the job and its record if it is done."""
        task = worker.task
        assert task is not None
        try:
            what, value = worker.connection.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return self._lost(worker, task)
        if what == "done":
            worker.task = worker.scored = None
            return task.job, value
        if what == "raised":
            raise WorkerError(value)
        if what == "scored":
            worker.scored = value
        tell = getattr(task.listener, what)
        tell() if what == "started" else tell(value)
        return None

    def _lost(self, worker: _Worker, task: _Task) -> tuple[Job, Record] | None:
        """What becomes of a job whose worker is gone: it is tried once more, with the machine for itself."""
        self._workers[self._workers.index(worker)] = None
        how = worker.end()
        if task.tries + 1 < TRIES:
            task.listener.say(f"{task.job.spec.label}: {how}; it is tried once more, with nothing beside it.")
            heapq.heappush(self._waiting, replace(task, tries=task.tries + 1))
            return None
        return task.job, undone(task.job, f"{how}, for the second time.", worker.scored)


class _Worker:
    """A worker as its parent sees it.

    Args:
        index: its number, from 0.
        threads: that it computes with.
    """

    def __init__(self, index: int, threads: int) -> None:
        self.task: _Task | None = None
        self.scored: Record | None = None
        """Of the job that it does."""
        self._folder = tempfile.mkdtemp(prefix="paretune-worker-")
        here, there = socket.socketpair()
        started = json.dumps([there.fileno(), threads, self._folder, sys.path])
        # A child begins with this mask: no interrupt from the keyboard ends it before it can ignore it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with open(self._errors, "w") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START, started],
                    env=_environment(index, threads, self._folder),
                    pass_fds=[there.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            there.close()
        self.connection: Connection = Connection(here.detach())

    @property
    def _errors(self) -> str:
        """What the interpreter itself says, as when it cannot begin."""
        return os.path.join(self._folder, "stderr")

    def give(self, task: _Task, how: Mapping[str, Any]) -> bool:
        """Hand it a job; return whether it is there to take it."""
        try:
            self.connection.send((task.job, how))
        except OSError:
            return False
        self.task = task
        return True

    def end(self) -> str:
        """End it, if need be by force, and remove what it leaves; how it was ended, in words."""
        self.connection.close()  # its parent is gone, to the worker: it puts things in order
        for _ in range(round(GRACE_SECONDS)):
            try:
                self._process.wait(1)
                break
            except subprocess.TimeoutExpired:
                self._process.terminate()  # again: what a signal raises may be dropped
        else:
            self._process.kill()
        code = self._process.wait()
        said = _last_line(self._errors)
        shutil.rmtree(self._folder, ignore_errors=True)
        return f"its process {_ended(code)}{f' ({said})' if said else ''}"


def share_of_cores(workers: int) -> int:
    """Threads of each of so many workers: of ``OMP_NUM_THREADS``, if it is set, no more than it says."""
    share = max(1, (environment.cores() or 1) // workers)
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return min(share, int(told)) if told.isdigit() and int(told) > 0 else share


def _environment(index: int, threads: int, folder: str) -> dict[str, str]:
    own = {**dict.fromkeys(_THREADS, str(threads)), "TMPDIR": folder, "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, **device.alone_on(index), **own}


def _ended(code: int) -> str:
    """How a process ended, by its exit code."""
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"ended with exit code {code}"
    return f"was ended by {name}{', as where memory runs out' if number == signal.SIGKILL else ''}"


def _last_line(path: str) -> str:
    try:
        with open(path, errors="replace") as stream:
            lines = stream.read().strip().splitlines()
    except OSError:
        return ""
    return " ".join(lines[-1].split())[:200] if lines else ""

"""A worker: a process of its own that does jobs for another one, its parent, and tells it what happens.

It reads jobs from a connection and keeps in memory what jobs share: libraries, data, tokens. It ends when
that connection does, which is to say when the parent is gone or wants it to, or with SIGTERM. An interrupt
from the keyboard, which reaches the parent as well, is none of its business. What libraries print is not
passed on.
"""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import signal
import threading
from multiprocessing.connection import Connection
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from reports.records.schema import Record
    from runners.trials.loop import Progress

GRACE_SECONDS: Final = 10.0
"""For a worker that is asked to end to put things in order; then it ends as it is."""


def main(descriptor: int, threads: int, folder: str) -> None:
    """Do jobs until the parent is gone or asks to end.

    Args:
        descriptor: of this process's end of the connection.
        threads: for the operations of torch.
        folder: its own one for what is temporary, removed when it ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # the parent held it back until now
    parent = _Parent(Connection(descriptor), folder)
    try:
        parent.listen()

        import torch

        from runners import device
        from runners.trials.jobs import do

        device.settle()
        torch.set_num_threads(threads)
        signal.signal(signal.SIGTERM, _end)
        parent.ready.set()
        while True:
            job, how = pickle.loads(parent.jobs.get())
            try:
                record = do(job, parent, **how)
            except Exception as error:  # not one of a trial, which is in its record
                parent.raised(error)
            else:
                parent.tell("done", record)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Parent:
    """The parent as a listener of jobs."""

    def __init__(self, connection: Connection, folder: str) -> None:
        self._connection, self._folder = connection, folder
        self._lock = threading.Lock()
        self.jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        """As they come: what they hold of our code is imported where it is used."""
        self.ready = threading.Event()
        """Set when there may be something to put in order before the end; until then it is at once."""

    def listen(self) -> None:
        """Take in jobs, beside what goes on, and notice when the parent is gone."""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self.jobs.put(self._connection.recv_bytes())
        except (EOFError, OSError):
            if self.ready.is_set():
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Event().wait(GRACE_SECONDS)  # a product that takes longer is not waited for
            shutil.rmtree(self._folder, ignore_errors=True)
            os._exit(128 + signal.SIGTERM)

    def tell(self, what: str, value: object = None) -> None:
        """Say one thing, if there is anybody to hear it."""
        try:
            with self._lock:
                self._connection.send((what, value))
        except OSError:  # the parent is gone, and whoever listens for it ends this process
            threading.Event().wait(2 * GRACE_SECONDS)

    def raised(self, error: Exception) -> None:
        """Say what went wrong in this code, as far as it can be sent."""
        import traceback

        self.tell("raised", "".join(traceback.format_exception(error)))

    def started(self) -> None:
        """A job begins."""
        self.tell("started")

    def progress(self, progress: Progress) -> None:
        """It goes on."""
        self.tell("progress", progress)

    def scored(self, record: Record) -> None:
        """Its score is known."""
        self.tell("scored", record)

    def say(self, line: str) -> None:
        """One line for the user."""
        self.tell("say", line)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)

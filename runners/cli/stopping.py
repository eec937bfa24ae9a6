"""SIGINT and SIGTERM: the command ends at once, tidily, with one sentence.

The signal raises :class:`Stopped`, which no ``except Exception`` takes for a trial's own failure and typer
does not turn into an exit code, and everything on its way out is put in order: temporary folders, the lock,
the live table. A second signal ends the process without that. Where Python drops what is raised, in a
``__del__`` that a collection calls, say, the signal comes again a moment later.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.records.schema import Record
    from runners.plan.spec import TrialSpec
    from runners.trials.loop import Progress

SIGNALS = (signal.SIGINT, signal.SIGTERM)

AGAIN_SECONDS = 0.05
"""After a signal that was dropped."""

_received: list[signal.Signals] = []


class Stopped(BaseException):
    """The process was asked to end."""

    def __init__(self, by: signal.Signals) -> None:
        super().__init__(by.name)
        self.by = by

    @property
    def exit_code(self) -> int:
        """What shells use: 128 and the signal's number."""
        return 128 + self.by


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn the signals into :class:`Stopped` inside; afterwards they are as they were."""
    before = {each: signal.signal(each, _stop) for each in SIGNALS}
    hook, sys.unraisablehook = sys.unraisablehook, _dropped
    _received.clear()
    try:
        yield
        check()
    finally:
        sys.unraisablehook = hook
        for each, handler in before.items():
            signal.signal(each, handler)


def check() -> None:
    """Raise what a callback swallowed, of Python's own or of a library.

    Raises:
        Stopped: a signal came before.
    """
    if _received:
        raise Stopped(_received[0])


class StopCheck:
    """An observer of trials that calls :func:`check` whenever it is told something."""

    def started(self, spec: TrialSpec) -> None:
        """Before a trial."""
        check()

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """In a trial."""
        check()

    def finished(self, spec: TrialSpec, record: Record) -> None:
        """After a trial, whose record is written."""
        check()


def _dropped(told: sys.UnraisableHookArgs) -> None:
    """Let a signal whose exception Python drops come again, out of there; show what else is dropped."""
    if not isinstance(told.exc_value, Stopped):
        sys.__unraisablehook__(told)
        return
    by = told.exc_value.by
    signal.signal(by, _stop)
    again = threading.Timer(AGAIN_SECONDS, _thread.interrupt_main, [by])
    again.daemon = True
    again.start()


def _stop(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    _received.append(signal.Signals(number))
    raise Stopped(_received[0])

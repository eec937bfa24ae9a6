"""SIGINT and SIGTERM: the command ends at once, tidily, with one sentence.

The signal raises :class:`Stopped`, which no ``except Exception`` takes for a trial's own failure and typer
does not turn into an exit code, and everything on its way out is put in order: temporary folders, the lock,
the live table. A second signal ends the process without that.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.records.schema import Record
    from runners.plan.spec import TrialSpec
    from runners.work.loop import Progress

SIGNALS = (signal.SIGINT, signal.SIGTERM)

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
    _received.clear()
    try:
        yield
        check()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def check() -> None:
    """Raise what a callback of Python's own swallowed: there an exception is printed and goes nowhere.

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


def _stop(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    _received.append(signal.Signals(number))
    raise Stopped(_received[0])

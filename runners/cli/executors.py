"""Where the trials of a command are run: here, or side by side on this machine."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runners.cli.options import processes

if TYPE_CHECKING:
    from runners.trials.jobs import Executor


@dataclass(frozen=True)
class Where:
    """Where trials are run, as it was asked for."""

    workers: int | None = None
    """Processes that run trials side by side; None for this one alone."""

    @property
    def lanes(self) -> int:
        """How many trials may go on at once."""
        return self.workers or 1

    def check(self) -> None:
        """Find out whether it can be had.

        Raises:
            SpecError: it cannot; one sentence.
        """
        if self.workers is None:
            return
        from runners import environment
        from runners.plan.errors import SpecError

        if processes() > 1:
            raise SpecError(
                f"received --workers {self.workers} in one of {processes()} processes of a launcher, which "
                "do every trial together: expected one of the two."
            )
        most = environment.cores() or 1
        if not 1 <= self.workers <= most:
            nearest = min(max(self.workers, 1), most)
            raise SpecError(
                f"received --workers {self.workers}, expected 1 to {most}, a core for each, such as "
                f"{nearest}."
            )
        if not hasattr(signal, "pthread_sigmask"):
            raise SpecError(
                f"received --workers {self.workers}, which this system cannot have: leave it out."
            )

    @contextmanager
    def executor(self) -> Iterator[Executor | None]:
        """Who runs trials, until the end of the context; None for this process."""
        if self.workers is None:
            yield None
            return
        from runners.executors.workers import Workers

        with Workers(self.workers) as workers:
            yield workers

"""Where the trials of a command are run: here, side by side on this machine, or on a cluster."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from runners.cli.options import processes

if TYPE_CHECKING:
    from runners.trials.jobs import Executor


LOCAL: Final = "local"
RAY: Final = "ray"


@dataclass
class Where:
    """Where trials are run, as it was asked for."""

    workers: int | None = None
    """Processes that run trials side by side; None for this one alone."""

    name: str = LOCAL
    address: str | None = None
    """Of a cluster; None for one that is started on this machine."""
    cpus: float | None = None
    """Of a trial on a cluster; None for one."""
    gpus: float | None = None
    """Of a trial on a cluster; None for one, if there is any."""
    _lanes: int = field(default=0, init=False)

    @property
    def lanes(self) -> int:
        """How many trials may go on at once; what a cluster has room for is known inside of its executor."""
        return self._lanes or self.workers or 1

    def check(self) -> None:
        """Find out whether it can be had.

        Raises:
            SpecError: it cannot; one sentence.
        """
        self._check_cluster()
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

    def _check_cluster(self) -> None:
        from methods.errors import nearest
        from runners.plan.errors import SpecError

        if self.name == RAY:
            _check_ray(self.workers)
            return
        if self.name != LOCAL:
            raise SpecError(f"received --executor {self.name}, {nearest(self.name, (LOCAL, RAY))}.")
        options = {"--address": self.address, "--cpus-per-trial": self.cpus, "--gpus-per-trial": self.gpus}
        for option, value in options.items():
            if value is not None:
                raise SpecError(
                    f"received {option} {value} without a cluster: add --executor ray, or leave it out."
                )

    @contextmanager
    def executor(self) -> Iterator[Executor | None]:
        """Who runs trials, until the end of the context; None for this process."""
        if self.name == RAY:
            from runners.executors.on_ray import Ray

            with Ray(self.address, 1.0 if self.cpus is None else self.cpus, self.gpus) as ray:
                self._lanes = ray.lanes
                yield ray
            return
        if self.workers is None:
            yield None
            return
        from runners.executors.workers import Workers

        with Workers(self.workers) as workers:
            yield workers


def _check_ray(workers: int | None) -> None:
    from importlib import metadata

    from runners.plan.errors import SpecError

    if workers is not None:
        raise SpecError(
            f"received --workers {workers} and --executor ray, expected one of the two: a cluster runs as "
            "many trials as it has room for."
        )
    if processes() > 1:
        raise SpecError(
            f"received --executor ray in one of {processes()} processes of a launcher, which do every trial "
            "together: expected one of the two."
        )
    try:
        metadata.version("ray")
    except metadata.PackageNotFoundError:
        raise SpecError(
            "--executor ray needs the package ray, which is not installed: "
            "pip install -c constraints.txt 'paretune[ray]'."
        ) from None

"""What is to be measured of many tasks on one base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from reports.records.serving_schema import Mix


@dataclass(frozen=True)
class Asked:
    """The grid, and how precisely it is measured.

    Args:
        tasks: numbers of tasks, rising.
        batches: numbers of rows, rising.
        lengths: of rows in tokens, rising.
        mix: how rows draw their tasks.
        width: largest width of an interval of a ratio, as a share of it.
        seconds: time limit of each batch size, length and number of tasks.
        seed: of everything that is drawn.
    """

    tasks: Sequence[int]
    batches: Sequence[int]
    lengths: Sequence[int]
    mix: Mix = "uniform"
    width: float = 0.02
    seconds: float = 30.0
    seed: int = 0

    @property
    def most_seconds(self) -> float:
        """How long the batches of one method take at the most."""
        return self.seconds * len(self.tasks) * len(self.batches) * len(self.lengths)


@dataclass(frozen=True)
class AskedArrivals:
    """What is simulated of requests that arrive one by one.

    Args:
        rate: requests a second; None for about half of what the base serves one by one.
        limit_ms: within which 99 of 100 have to be answered.
        further: numbers of tasks beside those that are measured.
        exponent: of Zipf's law.
        memory_bytes: that tasks may fill; None for what is free.
        requests: of one simulation.
        seconds: of one rehearsal; 0 for none.
    """

    rate: float | None = None
    limit_ms: float = 1000.0
    further: tuple[int, ...] = (1000, 10_000)
    exponent: float = 1.0
    memory_bytes: int | None = None
    requests: int = 20_000
    seconds: float = 10.0


@dataclass(frozen=True)
class Watch:
    """Is told what happens; nothing, unless it is given something to call."""

    doing: Callable[[str], None] = field(default=lambda what: None)
    left_out: Callable[[str], None] = field(default=lambda what: None)

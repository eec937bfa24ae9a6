"""What a study will take, before anything runs: trials, examples, hours on any workers, memory, disk.

Here is the arithmetic alone. What a step takes on this machine is measured elsewhere
(:mod:`runners.measure.forecast`), and what there is to do is read from the study and its folder
(:mod:`runners.work.forecast`).

Work is done in three phases, each when the one before has ended: searches side by side, whose trials each
wait for those before; trials, in any order; costs, alone and one after another. With one process costs follow
each training, which takes as long.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

STAGES: Final = ("loading", "training", "evaluation", "scoring", "costs")
"""What the time of a trial is spent on; memory is measured among the costs."""

SERIAL_SHARE: Final = 0.3
"""Of a step's time with one thread, what more threads do not shorten: two processes of one thread were
measured to do 1.3 times the work of one with two, which is Amdahl's law with this share."""

TYPICAL_RECORD_BYTES: Final = 20_000

Chain = Sequence[Sequence[float]]
"""Seconds of trials that wait for each other: stage by stage, those of one stage side by side."""

Slower = Callable[[int], float]
"""How many times as long a trial takes while so many run beside each other, itself among them."""


@dataclass(frozen=True)
class Row:
    """The trials of one method on one model and task, those of its search included."""

    model: str
    task: str
    method: str
    """What the row is called: the method, and what tells it from others of its name."""
    settings: int
    """Tried by a search; 0 without one."""
    trials: int
    missing: int
    """Trials without a record."""
    reported: int
    """Those of them that belong to no search."""
    examples: int
    """Trained on by the missing trials, repeats counted."""
    seconds: Mapping[str, float]
    """Of the missing trials and costs, by stage: see :data:`STAGES`."""
    peak_bytes: int | None
    """Of a training, with the copy of the best weights; None where it cannot be predicted."""
    checkpoint_bytes: int
    """Of one trained method with its head."""
    trained_bytes: int
    """Of the parameters that train."""

    @property
    def total(self) -> float:
        """Seconds."""
        return sum(self.seconds.values())


@dataclass(frozen=True)
class Load:
    """Seconds of everything that is missing, by what waits for what, on a machine for itself."""

    searches: Sequence[Chain] = ()
    trials: Sequence[float] = ()
    """Without their costs."""
    costs: Sequence[float] = ()
    start: float = 0.0
    """Until the first trial, in every process: data are read and turned into tokens."""

    @property
    def alone(self) -> float:
        """One process, one trial after another."""
        inside = sum(seconds for chain in self.searches for stage in chain for seconds in stage)
        return self.start + inside + sum(self.trials) + sum(self.costs)

    def seconds(self, workers: int, slower: Slower | None = None) -> float:
        """On so many workers.

        Args:
            workers: how many trials are done at once.
            slower: what neighbours cost; None where each worker has a machine. Costs have no neighbours.
        """
        span = makespan if slower is None else partial(_makespan, slower=slower)
        start = self.start * (slower(workers) if slower else 1.0)
        trials = [[[seconds]] for seconds in self.trials]
        return start + span(self.searches, workers) + span(trials, workers) + sum(self.costs)


def makespan(chains: Sequence[Chain], workers: int) -> float:
    """When the last of some chains ends if every free worker takes the first trial that waits for nothing.

    More workers never end later: where one more would lead to a worse order, it stays idle.
    """
    most = min(workers, sum(max(map(len, chain), default=0) for chain in chains))
    return min((_makespan(chains, number) for number in range(1, most + 1)), default=0.0)


def _makespan(chains: Sequence[Chain], workers: int, slower: Slower = lambda running: 1.0) -> float:
    """All that run at once go on at one pace, so that ``work``, what each has done by itself, orders it."""
    stages = [[list(stage) for stage in reversed(chain) if stage] for chain in chains]
    ready: list[tuple[int, int, float]] = []
    running: list[tuple[float, int]] = []
    left = [0] * len(chains)

    def release(index: int) -> None:
        stage = stages[index].pop() if stages[index] else []
        left[index] = len(stage)
        for place, seconds in enumerate(stage):
            heapq.heappush(ready, (index, place, seconds))

    for index in range(len(chains)):
        release(index)
    now = work = 0.0
    while ready or running:
        while ready and len(running) < workers:
            index, _, seconds = heapq.heappop(ready)
            heapq.heappush(running, (work + seconds, index))
        pace = slower(len(running))
        ends, index = heapq.heappop(running)
        now, work = now + pace * (ends - work), ends
        left[index] -= 1
        if not left[index]:
            release(index)
    return now


def sharing(workers: int, cores: int, devices: int = 0, threads: int | None = None) -> Slower:
    """What neighbours cost on one machine, where each of so many workers has its share of the cores.

    On accelerators it is taken that those who share one gain nothing by it.

    Args:
        workers: that are started.
        cores: of the machine.
        devices: accelerators; 0 for a machine that trains on its cores.
        threads: of a trial that runs alone, and the most that a worker takes; None for one on each core.
    """
    if devices:
        return lambda running: max(1.0, running / devices)
    threads = min(threads or cores, cores)
    own = min(max(1, cores // workers), threads)
    alone = speedup(threads) / speedup(own)
    return lambda running: alone * max(1.0, running * own / cores)


def speedup(threads: int) -> float:
    """How much faster a process with so many threads is than with one; see :data:`SERIAL_SHARE`."""
    return 1 / (SERIAL_SHARE + (1 - SERIAL_SHARE) / threads)


@dataclass(frozen=True)
class Machine:
    """What the forecast knows of the machine that it was made on."""

    cores: int
    threads: int
    """Of a trial that runs alone: fewer than cores where ``OMP_NUM_THREADS`` says so."""
    devices: int
    """Accelerators; 0 where trials train on the cores."""
    free_bytes: int
    """Memory for training that is free now."""
    process_bytes: int
    """Of a process before it has a model: libraries and data. 0 where a device has memory of its own."""


@dataclass(frozen=True)
class Forecast:
    """What a study will take."""

    rows: Sequence[Row]
    load: Load
    machine: Machine
    record_bytes: int
    """Room that a record is taken to need at most."""
    at_most: bool = False
    """Whether fewer trials may turn out to be needed."""
    assumed: Sequence[str] = field(default=())
    """Sentences on what the numbers rest on."""

    @property
    def missing(self) -> int:
        """Trials to be run."""
        return sum(row.missing for row in self.rows)

    def stages(self) -> dict[str, float]:
        """Seconds of everything by stage; the start counts as loading."""
        found = {stage: sum(row.seconds[stage] for row in self.rows) for stage in STAGES}
        return found | {"loading": found["loading"] + self.load.start}

    def here(self, workers: int) -> float:
        """Seconds with so many workers side by side on this machine."""
        if workers == 1:
            return self.load.alone
        here = self.machine
        return self.load.seconds(workers, sharing(workers, here.cores, here.devices, here.threads))

    def elsewhere(self, workers: int) -> float:
        """Seconds on as many machines like this one, one trial each at a time."""
        return self.load.alone if workers == 1 else self.load.seconds(workers)

    def peak_bytes(self, workers: int) -> int | None:
        """Memory if the largest trials are trained at once; None where nothing is known of them."""
        peaks = [row.peak_bytes for row in self.rows for _ in range(row.missing) if row.peak_bytes]
        largest = sorted(peaks, reverse=True)[:workers]
        return sum(largest) + len(largest) * self.machine.process_bytes if largest else None

    def disk(self) -> dict[str, int]:
        """Bytes that the missing trials will write.

        ``records`` as they mostly are, ``records_most`` as a run makes sure of; ``models`` with
        ``--keep-models``; ``snapshot`` of the largest training, of each worker, with ``--checkpoint-every``.
        """
        return {
            "records": self.missing * TYPICAL_RECORD_BYTES,
            "records_most": self.missing * self.record_bytes,
            "models": sum(row.reported * row.checkpoint_bytes for row in self.rows),
            "snapshot": max((SNAPSHOT_COPIES * r.trained_bytes for r in self.rows if r.missing), default=0),
        }


SNAPSHOT_COPIES: Final = 4
"""Of all that trains: the weights, the best of them, and AdamW's two moments."""


def summed(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Seconds by stage, added up; a stage that no part has is 0."""
    total = dict.fromkeys(STAGES, 0.0)
    for part in parts:
        for stage, seconds in part.items():
            total[stage] += seconds
    return total

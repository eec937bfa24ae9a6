"""What it takes to serve many tasks: bytes on disk, bytes in memory, and the time of a switch between tasks.

One base serves them all: what no task changes is in memory once, and every task adds the tensors of its
own, its method's and its head's. For N tasks

    unmerged    shared + N task                  merged    shared + kept + N task

``kept`` is one copy of the base's own matrices that merging overwrote, which the next switch starts from.
Full fine-tuning fits the same formula: nothing is shared and a task is a model. The tensors of the task
that is being served lie inside the model; while a switch fills them from those of another, both are there.

Measured on a model that holds the saved task, as a server's would. A switch copies the tensors of
one task over those of another, from memory or from its files, and merges if the model was merged; beside it
stands what it replaces, the time to load a whole model. Files have been read before, so they come from the
system's cache: a cold disk adds its own time, in proportion to the bytes.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from methods import Adapted
from runners.device import synchronize
from runners.measure.timing import NS_PER_MS, median_interval

ROUNDS = 30
"""Measurements of each kind, if the time suffices."""
LEAST_ROUNDS = 5
LEAST_LOADS = 3
"""Whole models are large, and their files are read anew each time."""


@dataclass(frozen=True)
class SwitchTime:
    """Median time, and its 95 % interval (bootstrap)."""

    ms_p50: float
    ms_low: float
    ms_high: float
    rounds: int


@dataclass(frozen=True)
class Deployment:
    """What one task costs beside others on one base."""

    task_disk_bytes: int
    """Files of one saved task: method and head."""
    task_memory_bytes: int
    """Tensors of one task."""
    shared_memory_bytes: int
    """Parameters and buffers that all tasks share."""
    kept_memory_bytes: int | None
    """The base's own matrices beside the merged ones; None for a method that does not merge."""
    switch: SwitchTime
    """To a task in memory, unmerged."""
    switch_from_disk: SwitchTime
    """To a task in files, unmerged."""
    merged_switch: SwitchTime | None
    """To a task in memory, merged before and after; None for a method that does not merge."""
    merged_switch_from_disk: SwitchTime | None
    load_model: SwitchTime
    """Of a whole model from its files, instead of a switch."""

    def memory_bytes(self, tasks: int) -> int:
        """Of ``tasks`` tasks served unmerged."""
        return self.shared_memory_bytes + tasks * self.task_memory_bytes

    def merged_memory_bytes(self, tasks: int) -> int | None:
        """Of ``tasks`` tasks of which the one being served is merged; None where nothing merges."""
        return None if self.kept_memory_bytes is None else self.memory_bytes(tasks) + self.kept_memory_bytes

    def disk_bytes(self, tasks: int) -> int:
        """Of the files of ``tasks`` tasks; the base's own come on top where a task needs it."""
        return tasks * self.task_disk_bytes


def measure(
    adapted: Adapted,
    saved: Path,
    load_model: Callable[[], PreTrainedModel],
    device: torch.device | str,
    *,
    seed: int = 0,
    seconds: float = 0.5,
) -> Deployment:
    """Measure what serving a task beside others takes. No more than one other model is alive meanwhile.

    Args:
        adapted: the model with the task in it, as a checkpoint keeps it; unmerged, and so again afterwards.
        saved: folder of the saved task.
        load_model: reads the base from its files onto ``device``.
        device: where the model is served.
        seed: of the orders and the bootstrap.
        seconds: about how long to measure; every kind is measured at least five times, however long it takes.

    Raises:
        MethodError: the folder is not a saved task of such a model.
    """
    rng = np.random.default_rng(seed)
    model = adapted.model
    own = {id(parameter) for parameter in adapted.of_the_task().values()}
    shared = [t for t in (*model.parameters(), *model.buffers()) if id(t) not in own]

    def load() -> None:
        for tensor in load_model().parameters():  # as loaded they lie in a mapped file, not yet read
            tensor.data = tensor.data.clone()

    whole = _time({"load": load}, device, rng, seconds / 3, warmup=0, least=LEAST_LOADS)["load"]
    task = adapted.checkpoint()
    switches: dict[str, Callable[[], object]] = {
        "memory": lambda: adapted.switch(task),
        "disk": lambda: adapted.switch(saved),
    }
    times = _time(switches, device, rng, seconds / 3)
    merged: dict[str, SwitchTime] = {}
    kept = None
    if adapted.method.mergeable:
        adapted.merge()
        kept = adapted.kept_bytes
        merged = _time(switches, device, rng, seconds / 3)
        adapted.unmerge()
    return Deployment(
        task_disk_bytes=sum(file.stat().st_size for file in saved.iterdir()),
        task_memory_bytes=task.bytes,
        shared_memory_bytes=sum(t.numel() * t.element_size() for t in shared),
        kept_memory_bytes=kept,
        switch=times["memory"],
        switch_from_disk=times["disk"],
        merged_switch=merged.get("memory"),
        merged_switch_from_disk=merged.get("disk"),
        load_model=whole,
    )


def _time(
    calls: Mapping[str, Callable[[], object]],
    device: torch.device | str,
    rng: np.random.Generator,
    seconds: float,
    warmup: int = 1,
    least: int = LEAST_ROUNDS,
) -> dict[str, SwitchTime]:
    """Time the calls in rounds, each in an order shuffled anew, after ``warmup`` that are thrown away.

    There are ``least`` rounds, and more while the time lasts.
    """
    names = list(calls)
    taken: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    ends = time.perf_counter() + seconds
    for index in range(-warmup, ROUNDS):
        if index >= least and time.perf_counter() > ends:
            break
        for which in rng.permutation(len(names)):
            synchronize(device)
            started = time.perf_counter_ns()
            calls[names[which]]()
            synchronize(device)
            elapsed = time.perf_counter_ns() - started
            if index >= 0:
                taken[names[which]].append(elapsed / NS_PER_MS)
    return {name: _summary(np.array(values), rng) for name, values in taken.items()}


def _summary(milliseconds: np.ndarray, rng: np.random.Generator) -> SwitchTime:
    low, high = median_interval(milliseconds, rng)
    return SwitchTime(
        ms_p50=float(np.median(milliseconds)), ms_low=low, ms_high=high, rounds=len(milliseconds)
    )

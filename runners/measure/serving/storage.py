"""What tasks take beside batches: memory, and the times to take one in, to change to it, to drop it."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from methods import Adapted, Bank, Checkpoint
from reports.records.serving_schema import Stored, Took
from runners.device import synchronize
from runners.measure.timing import NS_PER_MS, median_interval

TIMES = 20
"""Of each kind, if the time suffices."""
LEAST = 5
SECONDS = 3.0
"""After which no further one of a kind is timed."""


def allocated(device: torch.device) -> int:
    """Bytes of all tensors that are alive in the process, or that an accelerator has given out."""
    gc.collect()
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    with warnings.catch_warnings():  # asking some objects of libraries what they are warns
        warnings.simplefilter("ignore")
        tensors = [one for one in gc.get_objects() if isinstance(one, torch.Tensor) and one.device == device]
    return sum({(s := one.untyped_storage()).data_ptr(): s.nbytes() for one in tensors}.values())


def stored(
    bank: Bank, further: Checkpoint, saved: Path, *, allocated_bytes: int, device: torch.device, seed: int
) -> Stored:
    """Measure a bank as it is now.

    Args:
        bank: with its tasks; it has them again afterwards.
        further: a task that it has not.
        saved: the same in files.
        allocated_bytes: by how much memory grew with its tasks.
        device: where it is.
        seed: of the bootstraps.
    """
    rng = np.random.default_rng(seed)
    added: list[float] = []
    removed: list[float] = []
    read: list[float] = []
    for kept, task in ((added, further), (read, saved)):
        for turn in range(-1, TIMES):
            took_in = _clocked(lambda task=task: bank.add("further", task), device)  # type: ignore[misc]
            took_out = _clocked(lambda: bank.remove("further"), device)
            if turn >= 0:
                kept.append(took_in)
                removed.append(took_out)
            if turn + 1 >= LEAST and sum(kept) > 1000 * SECONDS:
                break
    names = bank.names

    def switch(turn: int) -> None:
        with bank.tasks(names[turn % len(names)]):
            pass

    return Stored(
        tasks=len(bank),
        memory_bytes=sum(bank.bytes(name) for name in names),
        allocated_bytes=allocated_bytes,
        add=_took(added, rng),
        add_from_disk=_took(read, rng),
        switch=timed(switch, device, rng),
        evict=_took(removed, rng),
    )


def merged_switches(
    adapted: Adapted, tasks: list[Checkpoint], saved: list[Path], device: torch.device, seed: int
) -> tuple[Took, Took]:
    """Time switches of a merged model between tasks in memory, and between tasks in files."""
    rng = np.random.default_rng(seed)
    from_memory = timed(lambda turn: adapted.switch(tasks[turn % len(tasks)]), device, rng)
    return from_memory, timed(lambda turn: adapted.switch(saved[turn % len(saved)]), device, rng)


def timed(call: Callable[[int], object], device: torch.device, rng: np.random.Generator) -> Took:
    """Time a call again and again; it is told how often it was called."""
    taken: list[float] = []
    for turn in range(TIMES + 1):
        passed = _clocked(lambda turn=turn: call(turn), device)  # type: ignore[misc]
        if turn:  # the first one warms up
            taken.append(passed)
        if len(taken) >= LEAST and sum(taken) > 1000 * SECONDS:
            break
    return _took(taken, rng)


def _clocked(call: Callable[[], object], device: torch.device) -> float:
    """Milliseconds of one call."""
    synchronize(device)
    started = time.perf_counter_ns()
    call()
    synchronize(device)
    return (time.perf_counter_ns() - started) / NS_PER_MS


def _took(milliseconds: list[float], rng: np.random.Generator) -> Took:
    values = np.array(milliseconds)
    low, high = median_interval(values, rng)
    return Took(ms_p50=float(np.median(values)), ms_low=low, ms_high=high, times=len(values))

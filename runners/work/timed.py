"""A few real steps and passes of some methods, timed here: what the rates of a forecast are made of.

Threads that share cores with other jobs wait for each other, and take many times as long as alone. One thread
has nobody to wait for, and its processor time is that of its work alone: on a busy CPU that is what is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from reports import text
from reports.stats.busy import crowded
from runners import device
from runners.measure import forecast as speed
from runners.measure.forecast import Asks, Clock
from runners.plan.forecast import speedup
from runners.trials import adapting, batches, loading
from runners.trials.clock import between, on_and_off, waited_share
from runners.work import written
from runners.work.planned import Planned
from runners.work.reading import Shape
from runners.work.written import Taken

STEPS = 3
"""Of a method that are timed, beside one to warm up."""
PASSES, SCORINGS = 9, 2
"""Passes of one input and of a scoring batch."""


@dataclass(frozen=True)
class Timing:
    """What was timed of some methods of one model."""

    taken: Sequence[Taken]
    load: float
    """Seconds until a model was there."""
    assumed: Sequence[str] = ()
    """Sentences on what the times rest on."""


def timed(
    rows: Sequence[Planned], length: Callable[[Planned], int], told: Callable[[str], None], clock: Clock
) -> Timing:
    """Time a few steps and passes of each row; on a busy CPU of one thread, by the time that it computed.

    Args:
        rows: the methods, of one model.
        length: tokens of the input of a latency.
        told: is told what is being done.
        clock: tells the seconds.
    """
    threads = torch.get_num_threads()
    before = on_and_off()
    first = _all(rows, length, told, clock)
    waited = waited_share(*between(before, on_and_off()))
    busy = crowded(waited, threads)
    if not busy or device.local().type != "cpu":
        return replace(first, assumed=busy)
    torch.set_num_threads(1)
    try:
        again = _all(rows, length, told, time.thread_time)
    finally:
        torch.set_num_threads(threads)
    gain = speedup(threads)
    more = f" {threads} threads are taken to be {gain:.3g} times as fast." if threads > 1 else ""
    assumed = (
        f"The machine was busy: threads waited {text.percent(waited)} of the time for a core. So one was "
        f"timed by the time that it computed.{more}"
    )
    return Timing([taken.faster(gain) for taken in again.taken], first.load, [assumed])


def _all(
    rows: Sequence[Planned], length: Callable[[Planned], int], told: Callable[[str], None], clock: Clock
) -> Timing:
    taken, loads = [], []
    for row in rows:
        told(f"{row.like.task} / {row.like.method}: a few steps ...")
        one, load = _one(row, length(row), clock)
        taken.append(one)
        loads.append(load)
    return Timing(taken, min(loads))


def _one(row: Planned, length: int, clock: Clock) -> tuple[Taken, float]:
    """What was timed of a method, and seconds until the model was there."""
    spec, protocol = row.like, row.like.protocol
    accelerator = device.accelerator()
    began = clock()
    adapted = adapting.adapt(spec, spec.declared)
    adapted.model.to(accelerator.device)
    load = clock() - began
    if spec.writes:
        taken = written.timed(row, accelerator, adapted, STEPS, PASSES, clock)
        device.free(accelerator.device)
        return taken, load
    splits = loading.splits(spec, adapted)
    tokenizer = batches.tokenizer(spec.model)
    loader = batches.training_loader(splits.train, tokenizer, protocol.batch_size, 1 + STEPS, spec.seed)

    def asks(batch: dict[str, torch.Tensor]) -> Asks:
        return row.asks(Shape(1, *batch["input_ids"].shape))

    steps = speed.time_steps(accelerator, adapted, protocol, loader, asks, clock)
    middle = sorted(range(len(splits.selection)), key=splits.selection.lengths.__getitem__)
    first = max(0, (len(middle) - row.of.selection.rows) // 2)
    chosen = [splits.selection[i] for i in middle[first : first + row.of.selection.rows]]
    batch = batches.Collator(tokenizer)(chosen)
    shape = Shape(1, *batch["input_ids"].shape)
    scoring = speed.time_pass(accelerator, adapted, batch, SCORINGS, clock)
    once = speed.time_pass(accelerator, adapted, batches.one_input(splits.selection, length), PASSES, clock)
    device.free(accelerator.device)
    return Taken(steps, scoring / row.asks(shape).forward, once, 0.0, 0.0), load

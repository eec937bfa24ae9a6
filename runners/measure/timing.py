"""Timing calls side by side, as ratios that survive a noisy machine.

All contenders live in one process. In every round each is called once, in an order shuffled anew, with
the device synchronised around the call. Whatever slows the machine for longer than a round (another job,
a clock change, heat) slows every contender of that round, so the ratio of a contender's time to the
reference's time *of the same round* does not see it; what hits a single call makes an outlier, which the
median over rounds ignores. The interval says how far the rounds at hand pin that median down.

One call per visit, not several: measured on two shared cores, the same number of calls spent on more
rounds narrowed the interval more than repetitions within a round did.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reports.records.cost_parts import LatencyRow
from runners.device import synchronize

Contender = Callable[[], object]
"""One inference call; what it returns is thrown away."""

NS_PER_MS = 1_000_000
RESAMPLES = 2_000  # of the bootstrap: its own noise in an end of the interval is then ~3 % of the width
WARMUP_ROUNDS = 10  # first calls pick kernels, pack weights and grow the allocator's pool
WARMUP_SHARE = 0.1  # of a time limit: where one round takes minutes, ten to warm up would be all of it
LEAST_ROUNDS = 20
NARROW_LOOKS = 2  # in a row: who stops at the first narrow interval stops where it is narrow by luck


def sample(
    contenders: Mapping[str, Contender],
    *,
    device: torch.device | str,
    rounds: int,
    rng: np.random.Generator,
    warmup: int = WARMUP_ROUNDS,
    prepare: Mapping[str, Contender] | None = None,
) -> dict[str, NDArray[np.int64]]:
    """Nanoseconds of one call, per contender an array of shape (rounds,); index i is the same round.

    Each round visits the contenders in an order of its own, so none profits from a fixed neighbour (warm
    caches) or from its place in the round. ``warmup`` rounds of the same kind go first and are dropped.
    Garbage is collected before and not during: a collection would land in some contender's time.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    calls = list(contenders.values())
    before = None if prepare is None else [prepare[name] for name in contenders]
    _rounds(calls, warmup, device, rng, prepare=before)
    nanoseconds = _rounds(calls, rounds, device, rng, prepare=before)
    return {name: nanoseconds[:, column] for column, name in enumerate(contenders)}


def _rounds(
    calls: Sequence[Contender],
    rounds: int,
    device: torch.device | str,
    rng: np.random.Generator,
    *,
    until_ns: float = math.inf,
    prepare: Sequence[Contender] | None = None,
) -> NDArray[np.int64]:
    """Time up to ``rounds`` rounds, (rounds, contenders); none begins after the clock shows ``until_ns``."""
    nanoseconds: list[list[int]] = []
    with torch.inference_mode(), _no_garbage_collection():
        while len(nanoseconds) < rounds and time.perf_counter_ns() < until_ns:
            one = [0] * len(calls)
            for which in rng.permutation(len(calls)):
                if prepare is not None:
                    prepare[which]()
                synchronize(device)
                start = time.perf_counter_ns()
                calls[which]()
                synchronize(device)
                one[which] = time.perf_counter_ns() - start
            nanoseconds.append(one)
    return np.array(nanoseconds, dtype=np.int64).reshape(len(nanoseconds), len(calls))


def measure(
    contenders: Mapping[str, Contender],
    *,
    reference: str,
    device: torch.device | str,
    rounds: int,
    seed: int,
    warmup: int = WARMUP_ROUNDS,
    prepare: Mapping[str, Contender] | None = None,
) -> dict[str, LatencyRow]:
    """Time every contender against the one named ``reference``, which must be among them.

    ``seed`` decides the orders and the bootstrap; no global random generator is read or moved. ``prepare`` is
    called before each call of the contender of that name, outside its time.
    """
    if reference not in contenders:
        raise ValueError(f"reference {reference!r} is not among the contenders: {', '.join(contenders)}")
    rng = np.random.default_rng(seed)
    times = sample(contenders, device=device, rounds=rounds, rng=rng, warmup=warmup, prepare=prepare)
    return {name: row(times[name], times[reference], rng) for name in contenders}


@dataclass(frozen=True)
class Measured:
    """What :func:`measure_until` found."""

    rows: dict[str, LatencyRow]
    rounds: int
    widest: float
    """The width of the widest interval, as a share of its ratio."""
    nanoseconds: dict[str, NDArray[np.int64]]
    """Of every call, by contender, shape (rounds,); index i is the same round."""


def measure_until(
    contenders: Mapping[str, Contender],
    *,
    reference: str,
    device: torch.device | str,
    width: float,
    seconds: float,
    seed: int,
    prepare: Mapping[str, Contender] | None = None,
    watch: Callable[[int, float], None] = lambda rounds, widest: None,
    least: int = LEAST_ROUNDS,
    most: float = math.inf,
    warmup: int = WARMUP_ROUNDS,
) -> Measured:
    """Time rounds until the interval of every ratio is narrower than asked, or time or rounds are up.

    Args:
        contenders: by name.
        reference: the one that the others are divided by.
        device: where they run.
        width: largest width of an interval over rounds, as a share of its ratio; it is looked at only after
            ``least`` rounds, and has to be so narrow at two looks in a row, a quarter more rounds apart.
        seconds: time limit, warm-up included. At least two rounds are timed whatever it is.
        seed: decides orders and bootstrap.
        prepare: called before each call of the contender of that name, outside its time.
        watch: is told, now and then, how many rounds there are and how wide the widest interval is.
        least: rounds before the first look.
        most: rounds at which it ends, however wide the intervals are.
        warmup: rounds before those, fewer where they take a tenth of the time limit.
    """
    names, calls = list(contenders), list(contenders.values())
    before = None if prepare is None else [prepare[name] for name in names]
    rng = np.random.default_rng(seed)
    start = time.perf_counter_ns()
    deadline = start + seconds * 1e9
    _rounds(calls, min(1, warmup), device, rng, prepare=before)  # the first call of all may compile or load
    warm_until = start + seconds * 1e9 * WARMUP_SHARE
    _rounds(calls, warmup - 1, device, rng, until_ns=warm_until, prepare=before)
    times = _rounds(calls, int(min(2, most)), device, rng, prepare=before)
    at = names.index(reference)
    narrow = 0
    while True:
        rows = {name: row(times[:, i], times[:, at], rng) for i, name in enumerate(names)}
        widest = max((r.ratio_high - r.ratio_low) / r.ratio for r in rows.values())
        watch(len(times), widest)
        narrow = narrow + 1 if len(times) >= least and widest <= width else 0
        if narrow >= NARROW_LOOKS or len(times) >= most or time.perf_counter_ns() >= deadline:
            return Measured(rows, len(times), widest, {name: times[:, i] for i, name in enumerate(names)})
        # A quarter more each time: the bootstrap between blocks stays a small share of the whole.
        more = int(min(max(least - len(times), len(times) // 4, 1), most - len(times)))
        times = np.concatenate([times, _rounds(calls, more, device, rng, until_ns=deadline, prepare=before)])


def row(nanoseconds: NDArray[np.int64], reference: NDArray[np.int64], rng: np.random.Generator) -> LatencyRow:
    """Median and 95th percentile in ms over all calls, and the median of the paired ratios."""
    ratios = nanoseconds / reference
    low, high = median_interval(ratios, rng)
    p50, p95 = np.percentile(nanoseconds, [50, 95]) / NS_PER_MS
    return LatencyRow(
        latency_ms_p50=float(p50),
        latency_ms_p95=float(p95),
        ratio=float(np.median(ratios)),
        ratio_low=low,
        ratio_high=high,
    )


def median_interval(
    values: NDArray[np.float64], rng: np.random.Generator, *, level: float = 0.95, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap interval of the median of ``values``: shape (n,), drawn independently."""
    drawn = values[rng.integers(0, len(values), size=(resamples, len(values)))]  # (resamples, n)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(np.median(drawn, axis=1), [tail, 100 - tail])
    return float(low), float(high)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect now, then not at all inside; afterwards as it was."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

"""Inference latency as ratios that survive a noisy machine.

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
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reports.schema import Latency, LatencyRow
from runners.device import synchronize

Contender = Callable[[], object]
"""One inference call; what it returns is thrown away."""

NS_PER_MS = 1_000_000
RESAMPLES = 2_000  # of the bootstrap: its own noise in an end of the interval is then ~3 % of the width
WARMUP_ROUNDS = 10  # first calls pick kernels, pack weights and grow the allocator's pool


def sample(
    contenders: Mapping[str, Contender],
    *,
    device: torch.device | str,
    rounds: int,
    rng: np.random.Generator,
    warmup: int = WARMUP_ROUNDS,
) -> dict[str, NDArray[np.int64]]:
    """Nanoseconds of one call, per contender an array of shape (rounds,); index i is the same round.

    Each round visits the contenders in an order of its own, so none profits from a fixed neighbour (warm
    caches) or from its place in the round. ``warmup`` rounds of the same kind go first and are dropped.
    Garbage is collected before and not during: a collection would land in some contender's time.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}")
    calls = list(contenders.values())
    nanoseconds = np.empty((rounds, len(calls)), dtype=np.int64)
    with torch.inference_mode(), _no_garbage_collection():
        for index in range(-warmup, rounds):
            for which in rng.permutation(len(calls)):
                synchronize(device)
                start = time.perf_counter_ns()
                calls[which]()
                synchronize(device)
                elapsed = time.perf_counter_ns() - start
                if index >= 0:
                    nanoseconds[index, which] = elapsed
    return {name: nanoseconds[:, column] for column, name in enumerate(contenders)}


def measure(
    contenders: Mapping[str, Contender],
    *,
    reference: str,
    device: torch.device | str,
    rounds: int,
    seed: int,
    warmup: int = WARMUP_ROUNDS,
) -> dict[str, LatencyRow]:
    """Time every contender against the one named ``reference``, which must be among them.

    ``seed`` decides the orders and the bootstrap; no global random generator is read or moved.
    """
    if reference not in contenders:
        raise ValueError(f"reference {reference!r} is not among the contenders: {', '.join(contenders)}")
    rng = np.random.default_rng(seed)
    times = sample(contenders, device=device, rounds=rounds, rng=rng, warmup=warmup)
    return {name: row(times[name], times[reference], rng) for name in contenders}


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


def trial_latency(
    base: nn.Module,
    control: nn.Module,
    unmerged: nn.Module,
    merged: nn.Module | None,
    inputs: Mapping[str, torch.Tensor],
    *,
    device: torch.device | str,
    rounds: int,
    seed: int,
    warmup: int = WARMUP_ROUNDS,
) -> Latency:
    """The latency part of a record: all models called with the same ``inputs`` (with ``input_ids``).

    ``control`` is a second copy of the untouched base. It answers for the measurement: an interval of its
    ratio that misses 1 says that the other ratios are off by about as much.

    The models must be in eval mode and share no weights. Their weights are first moved to fresh memory
    (values unchanged): weights as loaded lie in the mapped file, unaligned, and on a CPU two equal models
    of which only one lies there differ by 1 to 2 %.
    """
    models = {"base": base, "control": control, "unmerged": unmerged}
    if merged is not None:
        models["merged"] = merged
    for name, model in models.items():
        if any(module.training for module in model.modules()):
            raise ValueError(f"the {name} model is not in eval mode")
        _settle(model)
    rows = measure(
        {name: _call(model, inputs) for name, model in models.items()},
        reference="base",
        device=device,
        rounds=rounds,
        seed=seed,
        warmup=warmup,
    )
    batch_size, sequence_length = inputs["input_ids"].shape
    return Latency(
        batch_size=batch_size,
        sequence_length=sequence_length,
        rounds=rounds,
        base_ms_p50=rows["base"].latency_ms_p50,
        control=rows["control"],
        unmerged=rows["unmerged"],
        merged=rows.get("merged"),
    )


def _call(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Contender:
    return lambda: model(**inputs)


def _settle(model: nn.Module) -> None:
    """Move every parameter and buffer, same objects and values, to memory of torch's own allocator."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()


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

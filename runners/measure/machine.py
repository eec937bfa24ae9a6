"""What this machine reaches, and the floor that it sets: no pass is faster than its FLOPs or its bytes allow.

    floor = max(FLOPs / product rate, bytes / bandwidth)

The roofline model (Williams, Waterman and Patterson 2009, doi 10.1145/1498765.1498785). Both rates are the
best that torch itself reaches here, with the thread count and the settings in use, each over many tries:
the largest of several square products in the model's dtype, and a sum over as many bytes as the model
reads, so that weights which fit into a cache are charged the cache's bandwidth. On a CPU they are at least
what one thread alone reaches, times the threads: threads that wait for each other are slowed by any other
job, one thread finds a quiet moment. No data sheet is asked. A measured time below its floor says that the
machine was busier while its rates were measured.

Bytes are the least that a pass must move. A forward pass reads every weight once; of an embedding table it
reads a row per token, which is left out. A training step reads them as well, and moves each trained tensor
nine times: its gradient is written, and read for the norm and for the update; its value and AdamW's two
moments are read and written. Activations are left out, which fused kernels may keep in registers, and so
are second reads of a weight in the backward pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import nn
from torch.nn import functional as F

from runners.device import device_name, synchronize

SIZES = (256, 512, 1024, 2048, 4096, 8192)
"""Sides of the square products; one that would take too long for several tries is left out."""

TRAINED_PASSES = 9
"""How often a training step moves each trained tensor, see the module's docstring."""


@dataclass(frozen=True)
class Machine:
    """The rates that torch reaches on a device."""

    device: str
    """Product name."""
    dtype: str
    threads: int
    """Of torch on the CPU."""
    flops_per_second: float
    """Of a large matrix product, a multiplication and an addition as two."""
    bytes_per_second: float
    """Of a sum over ``streamed_bytes``."""
    streamed_bytes: int


@dataclass(frozen=True)
class Floor:
    """The least time of a pass."""

    flops: int
    bytes: int
    compute_ms: float
    """If nothing but products took time."""
    traffic_ms: float
    """If nothing but weights, gradients and optimiser state took time."""

    @property
    def floor_ms(self) -> float:
        """The larger of the two."""
        return max(self.compute_ms, self.traffic_ms)

    def ratio(self, measured_ms: float) -> float:
        """How many times the floor a measured time is."""
        return measured_ms / self.floor_ms


def floor(machine: Machine, flops: int, bytes_moved: int) -> Floor:
    """The floor of a pass of so many FLOPs and bytes."""
    return Floor(
        flops=flops,
        bytes=bytes_moved,
        compute_ms=1000 * flops / machine.flops_per_second,
        traffic_ms=1000 * bytes_moved / machine.bytes_per_second,
    )


def forward_bytes(model: nn.Module) -> int:
    """Bytes of the weights that a forward pass reads; what modules share is read once."""
    tables = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    products = {
        id(p) for m in model.modules() if not isinstance(m, nn.Embedding) for p in m.parameters(recurse=False)
    }
    read = {id(p): p for p in model.parameters() if id(p) in products or id(p) not in tables}
    return sum(p.numel() * p.element_size() for p in read.values())


def training_step_bytes(model: nn.Module) -> int:
    """Bytes that a training step moves at least: the weights, and what trains nine times."""
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    return forward_bytes(model) + TRAINED_PASSES * trained


def measure(
    device: torch.device | str,
    *,
    dtype: torch.dtype = torch.float32,
    streamed_bytes: int = 2**28,
    seconds: float = 0.3,
) -> Machine:
    """Measure a device, once in a process for the same arguments and thread count.

    Args:
        device: where.
        dtype: of the products.
        streamed_bytes: size of the sum: :func:`forward_bytes` of a model.
        seconds: spent on each rate, on a CPU with several threads twice.
    """
    return _measure(torch.device(device), dtype, streamed_bytes, seconds, torch.get_num_threads())


@cache
def _measure(
    device: torch.device, dtype: torch.dtype, streamed_bytes: int, seconds: float, threads: int
) -> Machine:
    rate, bandwidth = _rates(device, dtype, streamed_bytes, seconds)
    if device.type == "cpu" and threads > 1:
        torch.set_num_threads(1)
        try:
            alone = _rates(device, dtype, streamed_bytes, seconds)
        finally:
            torch.set_num_threads(threads)
        rate, bandwidth = max(rate, threads * alone[0]), max(bandwidth, threads * alone[1])
    return Machine(
        device=device_name(device),
        dtype=str(dtype).removeprefix("torch."),
        threads=threads,
        flops_per_second=rate,
        bytes_per_second=bandwidth,
        streamed_bytes=streamed_bytes,
    )


@torch.inference_mode()
def _rates(
    device: torch.device, dtype: torch.dtype, streamed_bytes: int, seconds: float
) -> tuple[float, float]:
    """FLOPs and bytes per second, as the threads are."""
    rate = 0.0
    for size in SIZES:
        flops = 2 * size**3
        if rate and flops / rate > seconds / 8:
            break
        a = torch.randn(size, size, device=device, dtype=dtype)
        b = torch.randn(size, size, device=device, dtype=dtype)
        rate = max(rate, flops / _best(partial(F.linear, a, b), device, seconds / len(SIZES)))
    stream = torch.ones(max(1, streamed_bytes // dtype.itemsize), device=device, dtype=dtype)
    return rate, stream.nbytes / _best(stream.sum, device, seconds)


def _best(call: Callable[[], object], device: torch.device, seconds: float, tries: int = 5) -> float:
    """Seconds of the fastest of the calls that fit into ``seconds``, at least ``tries``."""
    best, ends = float("inf"), time.perf_counter() + seconds
    while tries > 0 or time.perf_counter() < ends:
        synchronize(device)
        started = time.perf_counter()
        call()
        synchronize(device)
        best = min(best, time.perf_counter() - started)
        tries -= 1
    return best

"""The one place for device questions: which device, is it done, what is it called, did it run out.

Nothing else in the package asks ``cuda.is_available()`` or seeds a generator, so a trial is the same
code on a CPU, on one GPU and on several (one process per GPU, started by ``accelerate launch``). What several
processes do together is in :mod:`runners.processes`.
"""

from __future__ import annotations

import gc
import os
import platform
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import accelerate
import numpy as np
import psutil
import torch
import torch.utils.deterministic
from accelerate.state import AcceleratorState, GradientState
from torch import nn

from runners import launch

# What the allocators of the devices say when they refuse. Only `torch.OutOfMemoryError` has a type of
# its own; the others are plain `RuntimeError`s.
_OUT_OF_MEMORY_WORDS = (
    "out of memory",  # CUDA and XPU runtimes, MPS
    "not enough memory",  # CPU allocator on Windows
    "defaultcpuallocator",  # CPU allocator on Linux and macOS
    "cublas_status_alloc_failed",  # cuBLAS could not get its workspace
)


FUSING = ("cpu", "cuda", "xpu", "mps")
"""Devices for which torch has fused optimiser steps."""


_SEEN_BY = {"cuda": "CUDA_VISIBLE_DEVICES", "xpu": "ZE_AFFINITY_MASK"}
"""The variables that say which devices of a kind a process sees."""


def accelerator(mixed_precision: str = "no") -> accelerate.Accelerator:
    """A fresh ``Accelerator`` for one trial; may be called any number of times in a process.

    What a trial depends on is given explicitly: accelerate takes its defaults from the environment, and the
    same spec must always mean the same trial. Accelerate keeps precision and gradient-accumulation settings
    in process-wide state, which is forgotten here. The process group, which several processes share for
    their whole life, is kept.

    Raises:
        LaunchError: the environment asks for something else, or for more processes than there are devices.
    """
    launch.check(torch.accelerator.device_count(), mixed_precision)
    GradientState._reset_state()
    AcceleratorState._reset_state(reset_partial_state=False)
    # The batch size of a spec is that of a step over all processes: a step moves the schedule by one.
    loading = accelerate.DataLoaderConfiguration(split_batches=True)
    made = accelerate.Accelerator(
        mixed_precision=mixed_precision,
        cpu=not torch.accelerator.is_available(),  # else processes without one do not find each other
        dataloader_config=loading,
        dynamo_backend="no",
    )
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if made.num_processes != started:
        raise launch.LaunchError(
            f"WORLD_SIZE is {started}, but this process on {made.device.type} finds no other: start one "
            "alone, or all of them with `accelerate launch` or `torchrun`."
        )
    return made


def processes() -> accelerate.PartialState:
    """How many processes there are and which of them this is; may be asked anywhere."""
    if not accelerate.PartialState._shared_state:  # made by itself it would not know of processes on CPUs
        accelerator()
    return accelerate.PartialState()


def local() -> torch.device:
    """The device of this process; may be asked anywhere."""
    if not accelerate.PartialState._shared_state:  # by itself it would not heed ACCELERATE_USE_CPU
        accelerator()
    found: torch.device = accelerate.PartialState().device
    return found


def devices() -> int:
    """Accelerators of this machine that trials train on; 0 where they train on its cores."""
    return 0 if local().type == "cpu" else torch.accelerator.device_count()


def alone_on(which: int) -> dict[str, str]:
    """What a new process has to find in its environment to see one accelerator of this machine and no other.

    Args:
        which: of those that this process sees, counted round: with two, 2 is the first again.

    Returns:
        nothing where there are fewer than two, or where their kind has no such variable.
    """
    count, current = torch.accelerator.device_count(), torch.accelerator.current_accelerator()
    name = _SEEN_BY.get(current.type) if current is not None else None
    if name is None or count < 2:
        return {}
    told = os.environ.get(name, "")  # numbers, or names of devices or of parts of one
    seen = told.split(",") if told else [str(index) for index in range(count)]
    return {name: seen[which % count].strip()}


def has_products_of(dtype: torch.dtype) -> bool:
    """Whether the device of this process has instructions for matrix products of a 16-bit dtype."""
    where = local()
    if where.type == "cuda":
        return dtype != torch.bfloat16 or torch.cuda.get_device_capability(where) >= (8, 0)
    if where.type != "cpu":
        return True
    names = {
        torch.bfloat16: ("avx512_bf16", "amx_bf16", "bf16"),
        torch.float16: ("avx512_fp16", "amx_fp16", "fp16_arith"),
    }
    has = torch.cpu.get_capabilities()
    return any(has.get(name, False) for name in names.get(dtype, ()))


def is_first_process() -> bool:
    """Whether this is the process that writes files and talks to the user; may be asked anywhere."""
    return processes().is_main_process


def prepared(
    accelerator: accelerate.Accelerator, model: nn.Module, optimiser: Any, schedule: Any
) -> tuple[Any, Any, Any]:
    """A model, its optimiser and its schedule as accelerate trains them; gradients stay in their process."""
    # To accelerate an evaluated model is a trained one without DistributedDataParallel, which would wait for
    # ever for a process that failed, and count each process the same, however many rows it has.
    return accelerator.prepare_model(model, evaluation_mode=True), *accelerator.prepare(optimiser, schedule)


def onto(
    device: torch.device, loader: Iterable[dict[str, torch.Tensor]]
) -> Iterator[dict[str, torch.Tensor]]:
    """The batches of a loader, on a device."""
    for batch in loader:
        yield {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


def synchronize(device: torch.device | str) -> None:
    """Wait until ``device`` has done all queued work; nothing to wait for on a CPU."""
    device = torch.device(device)
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def mark(device: torch.device | str) -> Any:
    """A moment in the work of ``device``: the time on a CPU, elsewhere an event behind what is queued."""
    device = torch.device(device)
    if device.type == "cpu":
        return time.perf_counter()
    event = torch.get_device_module(device).Event(enable_timing=True)
    event.record()
    return event


def seconds_between(first: Any, last: Any) -> float:
    """The time between two marks of one device, which has done all that was queued before the second."""
    return last - first if isinstance(first, float) else first.elapsed_time(last) / 1e3


def pins(device: torch.device | str) -> bool:
    """Whether a copy from page-locked memory to ``device`` goes on beside the work of both."""
    return torch.device(device).type in ("cuda", "xpu")


def free(device: torch.device | str) -> None:
    """Drop unreachable objects and give the allocator's unused blocks back to ``device``.

    Called between trials, so that one trial's leftovers are neither another's peak nor its out-of-memory.
    """
    gc.collect()
    if torch.device(device).type != "cpu":
        torch.accelerator.empty_cache()


@cache
def settle() -> None:
    """Leave what is loaded by now, libraries above all, out of later garbage collections; once.

    For a process of our own before its first trial. A collection looks at every object there is: 0.6 s with
    the model code loaded, for each trial and again before each cost, for objects that live as long as it.
    """
    gc.collect()
    gc.freeze()


def release(accelerator: accelerate.Accelerator) -> None:
    """Let go of what a training prepared: accelerate would hold its optimiser, state included, for good.

    ``Accelerator.free_memory`` does it too, and collects garbage twice.
    """
    for kept in (accelerator._optimizers, accelerator._schedulers, accelerator._models):
        kept.clear()


def fuses(parameter: torch.Tensor) -> bool:
    """Whether torch has a fused optimiser step for such a parameter."""
    return parameter.device.type in FUSING and torch.is_floating_point(parameter)


def likes_parts(device: torch.device | str) -> bool:
    """Whether two passes of half the tokens take about as long there as one of all of them."""
    return torch.device(device).type == "cpu"


def available_bytes(device: torch.device | str) -> int:
    """Memory of ``device`` that is free now; where it shares the host's, that of the host."""
    device = torch.device(device)
    module = None if device.type == "cpu" else torch.get_device_module(device)
    if module is None or not hasattr(module, "mem_get_info"):
        return int(psutil.virtual_memory().available)
    free, _ = module.mem_get_info(device)
    return int(free)


def device_name(device: torch.device | str) -> str:
    """Product name of ``device``, e.g. ``NVIDIA A100-SXM4-80GB``; for a CPU, its model name."""
    device = torch.device(device)
    if device.type == "cpu":
        return _cpu_name()
    module = torch.get_device_module(device)
    return str(module.get_device_name(device)) if hasattr(module, "get_device_name") else device.type


@cache
def _cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """CPU model as Linux states it; elsewhere what Python knows. Never the name of the host."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "cpu"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, or an error it was raised from, is a device or the host running out of memory.

    (A Linux host that overcommits may kill the process instead; no code inside it can see that.)
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError):
        message = str(error).lower()
        if any(words in message for words in _OUT_OF_MEMORY_WORDS):
            return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def generator_states() -> dict[str, Any]:
    """The states of all random generators of this process, as tensors and plain values."""
    state: Any = np.random.get_state(legacy=True)
    kind, keys, *rest = state
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    current = torch.accelerator.current_accelerator()
    if current is not None:
        states["device"] = torch.get_device_module(current).get_rng_state()
    return states


def set_generator_states(states: Mapping[str, Any]) -> None:
    """Put back what :func:`generator_states` returned, for the same sequence of draws from there on."""
    random.setstate(states["python"])
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if "device" in states:
        torch.get_device_module(torch.accelerator.current_accelerator()).set_rng_state(states["device"])


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (every device), and choose deterministic kernels where torch has them.

    All processes of a trial get the same seed, so they build the same model; what must differ between
    them has :func:`runners.processes.own_seed`. Where a device has no deterministic
    kernel torch warns and goes on: the score is then only as repeatable as the device.

    ``seed`` is any non-negative integer, e.g. part of a content hash. NumPy takes 32 bits and torch 64;
    each gets the lowest it can hold.
    """
    if seed < 0:
        raise ValueError(f"a seed must not be negative, got {seed}")
    random.seed(seed)
    np.random.seed(seed % 2**32)  # the global generator: libraries we call still draw from it
    torch.manual_seed(seed % 2**64)
    # cuBLAS is deterministic only with a fixed workspace, read when its first handle is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Deterministic mode also writes NaN into every `torch.empty`: a debugging aid that costs time in each
    # kernel and would be in every measurement. Our scores do not depend on uninitialised memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False

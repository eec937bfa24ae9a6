"""Peak memory of training steps, in bytes, and what exactly is counted.

On CUDA the caching allocator is asked: ``max_memory_allocated`` since the start of the measurement. That
is every tensor on the device, with the workspaces of the kernels, rounded up to the allocator's 512-byte
blocks. Nothing is subtracted: whatever else the process keeps on the device is in the number, the CUDA
context and fragmentation are not.

On any other device tensors are followed one by one (`TensorTracker`), because there the only other
measure is the memory of the whole process, in which the interpreter, the libraries and other trials
dwarf the method. Counted: weights, buffers, gradients, optimiser state, activations kept for the
backward pass and every temporary that a torch operator returns, including any such tensor made before
the measurement that the steps touch (the batch, the state of an optimiser that has already stepped). Not
counted: scratch space that a kernel takes and gives back within one operator call, and tensors that the
steps never touch, such as a copy of the base weights kept elsewhere.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reports.schema import Memory


@dataclass(frozen=True)
class PeakMemory:
    """The largest number of bytes alive at once during the measured steps."""

    peak_bytes: int
    parameters_bytes: int
    method: str  # `tensors` or `cuda_allocator`, see the module's docstring

    def to_record(self, batch_size: int, sequence_length: int) -> Memory:
        """The record's part, for steps on ``batch_size`` x ``sequence_length`` positions."""
        return Memory(
            peak_training_bytes=self.peak_bytes,
            parameters_bytes=self.parameters_bytes,
            method=self.method,
            batch_size=batch_size,
            sequence_length=sequence_length,
        )


def parameters_bytes(model: nn.Module) -> int:
    """Bytes of all weights of ``model``, trained or not; storage shared by tied weights counts once."""
    return sum(size for _, size in _storages(model.parameters()))


def measure_peak(
    step: Callable[[], object], model: nn.Module, device: torch.device | str, *, steps: int = 2
) -> PeakMemory:
    """Peak over ``steps`` calls of ``step``, each a whole training step: forward, backward, update.

    Two steps are the least that shows the peak of training: the optimiser allocates its state at the end
    of the first, so only the second holds state and activations at once.

    The steps are real. Weights, optimiser state and random generators are different afterwards: the
    caller measures before the trial's own seeding, or restores.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    device = torch.device(device)
    gc.collect()  # garbage of earlier work must not be freed (CPU) or counted (CUDA) during the steps
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        for _ in range(steps):
            step()
        torch.cuda.synchronize(device)
        return PeakMemory(torch.cuda.max_memory_allocated(device), parameters_bytes(model), "cuda_allocator")
    with TensorTracker(_persistent(model), device) as tracker:
        for _ in range(steps):
            step()
    return PeakMemory(tracker.peak_bytes, parameters_bytes(model), "tensors")


class TensorTracker(TorchDispatchMode):
    """Counts the bytes of all tensor storages alive while active, below autograd and the optimiser.

    Every operator call passes through here, in forward, backward and update alike. A storage enters when
    an operator first returns it, and leaves when its last reference is gone, which a weak reference
    reports at that moment. So views (same storage) and in-place operators add nothing, and an activation
    is counted for as long as anything, autograd included, holds it.

    A storage that an operator takes but none returned was there before: it is added to the current
    figure and to the peak alike. (A tensor made from NumPy memory inside the step looks the same, and
    counts from the start: an upper bound.) Zero-dimensional ones are left out, as the dispatcher wraps
    every Python number into one.

    torch has a relative, ``torch.distributed._tools.MemTracker``: private, blind to tensors made before
    it unless they are announced, and unable (2.13) to follow a second step of a partly frozen model.
    """

    def __init__(self, live: Iterable[torch.Tensor], device: torch.device | str) -> None:
        """Start with the storages of ``live``; follow the tensors on ``device``'s type only."""
        super().__init__()
        self._device_type = torch.device(device).type
        self._sizes: dict[int, tuple[weakref.ref[torch.UntypedStorage], int]] = {}
        self.current_bytes = 0
        self.peak_bytes = 0
        self._see(live, existed=True)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator, then enter its inputs and outputs; inputs are still alive at that point."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        # `lift_fresh` is how a tensor made from Python data announces itself: it is new, not from before.
        fresh = func is torch.ops.aten.lift_fresh.default
        inputs = (t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor) and t.dim() > 0)
        self._see(inputs, existed=not fresh)
        self._see((t for t in tree_leaves(result) if isinstance(t, torch.Tensor)), existed=False)
        return result

    def __exit__(self, *error: Any) -> None:
        """Stop, and forget the storages: what is freed from now on is nobody's business."""
        super().__exit__(*error)
        self._sizes.clear()

    def _see(self, tensors: Iterable[torch.Tensor], existed: bool) -> None:
        for storage, size in _storages(t for t in tensors if t.device.type == self._device_type):
            # torch keeps one Python object per storage for as long as the storage lives, so its id is a key.
            key = id(storage)
            _, known = self._sizes.get(key, (None, 0))
            if size == known:
                continue
            self._sizes[key] = (weakref.ref(storage, partial(self._gone, key)), size)  # new, or resized
            self.current_bytes += size - known
            if existed and not known:
                self.peak_bytes += size
            self.peak_bytes = max(self.peak_bytes, self.current_bytes)

    def _gone(self, key: int, reference: weakref.ref[torch.UntypedStorage]) -> None:
        kept, size = self._sizes.get(key, (None, 0))
        if kept is reference:  # not the callback of an entry since replaced
            del self._sizes[key]
            self.current_bytes -= size


def _persistent(model: nn.Module) -> Iterable[torch.Tensor]:
    """Parameters, their gradients if there are any, and buffers."""
    for parameter in model.parameters():
        yield parameter
        if parameter.grad is not None:
            yield parameter.grad
    yield from model.buffers()


def _storages(tensors: Iterable[torch.Tensor]) -> Iterable[tuple[torch.UntypedStorage, int]]:
    """The distinct storages behind ``tensors`` with their sizes in bytes."""
    seen = {}
    for tensor in tensors:
        storage = tensor.untyped_storage()
        seen[id(storage)] = storage
    return [(storage, storage.nbytes()) for storage in seen.values()]

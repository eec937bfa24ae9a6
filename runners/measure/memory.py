"""Peak memory of training steps and of inference, in bytes: how much, of what kind, and what is counted.

On CUDA the caching allocator gives the peak: ``max_memory_allocated`` since the start of the measurement.
That is every tensor on the device, with the workspaces of the kernels, rounded up to the allocator's
512-byte blocks. Nothing is subtracted: whatever else the process keeps on the device is in the number, the
CUDA context and fragmentation are not.

On any other device tensors are followed one by one (`TensorTracker`), because there the only other
measure is the memory of the whole process, in which the interpreter, the libraries and other trials
dwarf the method. Counted: weights, buffers, gradients, optimiser state, activations kept for the
backward pass and every temporary that a torch operator returns, including any such tensor made before
the measurement that the steps touch (the batch, the state of an optimiser that has already stepped). Not
counted: scratch space that a kernel takes and gives back within one operator call, and tensors that the
steps never touch, such as a copy of the base weights kept elsewhere.

The `Split` into kinds is that of the moment of the peak. It comes from the tracker on every device; on CUDA,
where the allocator's peak is the larger by what is not a tensor, the difference is temporary memory.
"""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reports.records.cost_parts import Memory


@dataclass(frozen=True)
class Split:
    """Bytes alive at one moment, by kind; every storage is of exactly one."""

    parameters_bytes: int
    """Weights, trained or not, and buffers; storage shared by tied weights counts once."""
    gradients_bytes: int
    """What becomes or is the ``grad`` of a parameter."""
    optimizer_bytes: int
    """What an optimiser keeps from step to step."""
    activations_bytes: int
    """What autograd has saved, or will save, for the backward pass, parameters apart."""
    temporary_bytes: int
    """All the rest: results in use by the running forward or backward pass, gradients of activations, the
    working memory of clipping and update, the batch."""

    @property
    def total_bytes(self) -> int:
        """The sum."""
        return sum(vars(self).values())


@dataclass(frozen=True)
class PeakMemory:
    """The largest number of bytes alive at once during the measured steps, and what they were."""

    peak_bytes: int
    split: Split
    method: str  # `tensors` or `cuda_allocator`, see the module's docstring

    def to_record(
        self, inference: PeakMemory, batch_size: int, sequence_length: int, best_weights: int
    ) -> Memory:
        """The record's part, for training steps on ``batch_size`` x ``sequence_length`` positions.

        ``inference`` is the peak of forward passes without gradients on the same batch, ``best_weights`` the
        size of the copy that training keeps beside it.
        """
        return Memory(
            peak_training_bytes=self.peak_bytes,
            **vars(self.split),
            peak_inference_bytes=inference.peak_bytes,
            best_weights_bytes=best_weights,
            method=self.method,
            batch_size=batch_size,
            sequence_length=sequence_length,
        )


def measure_peak(
    step: Callable[[], object], model: nn.Module, device: torch.device | str, *, steps: int = 2
) -> PeakMemory:
    """Peak over ``steps`` calls of ``step``: whole training steps, or forward passes without gradients.

    Two training steps are the least that shows the peak of training: the optimiser allocates its state at
    the end of the first, so only the second holds state and activations at once.

    The steps are real. Weights, optimiser state and random generators are different afterwards: the
    caller measures before the trial's own seeding, or restores.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    device = torch.device(device)
    if device.type == "cuda":
        gc.collect()  # garbage of earlier work must not be in the number
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    with TensorTracker(model, device) as tracker:
        for _ in range(steps):
            step()
    if device.type != "cuda":
        return PeakMemory(tracker.peak_bytes, tracker.peak, "tensors")
    torch.cuda.synchronize(device)
    peak_bytes = torch.cuda.max_memory_allocated(device)
    kept_bytes = tracker.peak.total_bytes - tracker.peak.temporary_bytes
    return PeakMemory(
        peak_bytes,
        replace(tracker.peak, temporary_bytes=max(0, peak_bytes - kept_bytes)),
        "cuda_allocator",
    )


class Kind(IntEnum):
    """The kinds of a `Split`, in its order. A storage that plays several roles is of the first."""

    PARAMETERS = 0
    GRADIENTS = 1
    OPTIMIZER = 2
    ACTIVATIONS = 3
    TEMPORARY = 4


@dataclass
class _Entry:
    """A storage that is alive."""

    reference: weakref.ref[torch.UntypedStorage]
    size: int
    kind: Kind
    entered: int  # number of the tracker's event


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

    Kinds. A storage enters as temporary, and is classed when its role shows: parameters and buffers of
    ``model``, with gradients that exist already, at the start; an activation when autograd saves it
    (``saved_tensors_hooks``, so what a module recomputes under hooks of its own is not seen); a gradient
    when autograd has accumulated it into a parameter; optimiser state at the end of the update that made
    it. The role often shows only after the peak (an output is saved by the operator that takes it next):
    then the split at the peak is corrected too, as the storage was alive at both moments.

    torch has a relative, ``torch.distributed._tools.MemTracker``: private, blind to tensors made before
    it unless they are announced, and unable (2.13) to follow a second step of a partly frozen model.
    """

    def __init__(self, model: nn.Module, device: torch.device | str) -> None:
        """Start with the storages of ``model``; follow the tensors on ``device``'s type only."""
        super().__init__()
        self._device_type = torch.device(device).type
        self._model = model
        self._entries: dict[int, _Entry] = {}
        self._events = 0
        self._peak_event = 0
        self._current = [0] * len(Kind)
        self._peak = [0] * len(Kind)
        self._hooks = contextlib.ExitStack()
        self.current_bytes = 0
        self.peak_bytes = 0
        self._see((*model.parameters(), *model.buffers()), Kind.PARAMETERS, existed=True)
        self._see((p.grad for p in model.parameters() if p.grad is not None), Kind.GRADIENTS, existed=True)

    @property
    def peak(self) -> Split:
        """What was alive at the peak; of several equal ones, at the first."""
        return Split(*self._peak)

    def __enter__(self) -> TensorTracker:
        """Watch autograd and the optimisers as well."""
        with contextlib.ExitStack() as hooks:
            hooks.enter_context(torch.autograd.graph.saved_tensors_hooks(self._saved, lambda tensor: tensor))
            hooks.callback(register_optimizer_step_post_hook(self._updated).remove)
            for parameter in self._model.parameters():
                if parameter.requires_grad:
                    hooks.callback(parameter.register_post_accumulate_grad_hook(self._accumulated).remove)
            super().__enter__()
            self._hooks = hooks.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        """Stop, and forget the storages: what is freed from now on is nobody's business."""
        super().__exit__(*error)
        self._hooks.close()
        self._entries.clear()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator, then enter its inputs and outputs; inputs are still alive at that point."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func is torch.ops.prim.device.default:
            return result  # a fake tensor is asked where it is, possibly one inside of an operator
        # `lift_fresh` is how a tensor made from Python data announces itself: it is new, not from before.
        fresh = func is torch.ops.aten.lift_fresh.default
        self._see((t for t in _tensors((args, kwargs)) if t.dim() > 0), Kind.TEMPORARY, existed=not fresh)
        self._see(_tensors(result), Kind.TEMPORARY, existed=False)
        return result

    def _see(self, tensors: Iterable[torch.Tensor], kind: Kind, existed: bool) -> None:
        """Enter the storages that are new, or have a new size."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            # torch keeps one Python object per storage for as long as the storage lives, so its id is a key.
            key, size = id(storage), storage.nbytes()
            known = self._entries.get(key)
            if (known and known.size == size) or tensor.device.type != self._device_type:
                continue
            self._events += 1
            if known:
                self._count(known.kind, -known.size)
                kind = known.kind
            reference = weakref.ref(storage, partial(self._gone, key))
            self._entries[key] = _Entry(reference, size, kind, self._events)
            self._count(kind, size)
            if existed and not known:
                self.peak_bytes += size
                self._peak[kind] += size
                self._entries[key].entered = 0
            if self.current_bytes > self.peak_bytes:
                self.peak_bytes = self.current_bytes
                self._peak = list(self._current)
                self._peak_event = self._events

    def _class(self, tensor: torch.Tensor, kind: Kind) -> None:
        """Give the storage of a tensor the kind, unless it has an earlier one."""
        entry = self._entries.get(id(tensor.untyped_storage()))
        if entry is None or entry.kind <= kind:
            return
        moved = [self._current] + ([self._peak] if entry.entered <= self._peak_event else [])
        for count in moved:
            count[entry.kind] -= entry.size
            count[kind] += entry.size
        entry.kind = kind

    def _saved(self, tensor: torch.Tensor) -> torch.Tensor:
        self._see([tensor], Kind.TEMPORARY, existed=True)  # an input is saved before its operator runs
        self._class(tensor, Kind.ACTIVATIONS)
        return tensor

    def _accumulated(self, parameter: torch.Tensor) -> None:
        if parameter.grad is not None:
            self._class(parameter.grad, Kind.GRADIENTS)

    def _updated(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        for tensor in _tensors(list(optimizer.state.values())):
            self._class(tensor, Kind.OPTIMIZER)

    def _count(self, kind: Kind, size: int) -> None:
        self._current[kind] += size
        self.current_bytes += size

    def _gone(self, key: int, reference: weakref.ref[torch.UntypedStorage]) -> None:
        entry = self._entries.get(key)
        if entry is not None and entry.reference is reference:  # not the callback of an entry since replaced
            del self._entries[key]
            self._count(entry.kind, -entry.size)


def _tensors(tree: Any) -> Iterable[torch.Tensor]:
    """The tensors in nested lists, tuples and dictionaries."""
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))

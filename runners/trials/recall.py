"""What frozen fronts made of batches: later trials of a process get it without another pass.

The settings of a search, seeds that train on a whole split, and every evaluation send the same batches
through the same front. What that returns depends on its weights, its settings and the batch, and is kept by
the hash of all three: what is recalled is what would be computed, to the bit. With it comes how long it took
when it was computed, which is what it costs whoever trains alone.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from methods.core import held_by
from runners.plan.spec import Protocol
from runners.trials.batches import Batch
from runners.trials.frozen import Behind

MOST_BYTES: Final = 512 << 20
"""Of what a process keeps, in host memory; what was wanted longest ago goes first."""


@dataclass(frozen=True)
class States:
    """What a front made of one batch."""

    values: Tensor
    """Of the batch's tokens (tokens x width), without padding, in host memory; not to be changed."""
    seconds: float
    """That it took."""


class Recall:
    """States by what they were made of.

    Args:
        most_bytes: kept at once.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._kept: OrderedDict[bytes, States] = OrderedDict()

    def states(self, front: bytes | None, batch: Batch, compute: Callable[[], Tensor]) -> States:
        """The states of a batch.

        Args:
            front: its :func:`digest`; None to compute them in any case.
            batch: what the front is given, on the host.
            compute: makes them.
        """
        if front is None:
            return _timed(compute)
        key = _hash(front, batch)
        found = self._kept.pop(key, None)
        if found is None:
            found = _timed(compute)
            self.bytes += found.values.nbytes
        self._kept[key] = found
        while self.bytes > self.most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self.bytes -= oldest.values.nbytes
        return found


def _timed(compute: Callable[[], Tensor]) -> States:
    began = time.perf_counter()
    values = compute()
    return States(values, time.perf_counter() - began)


def digest(model: Behind, protocol: Protocol) -> bytes | None:
    """Of all that a front's outputs depend on but the batch; None where that cannot be told.

    Args:
        model: with its front.
        protocol: how numbers are stored and computed.
    """
    if protocol.quantization is not None:  # its weights are more than tensors
        return None
    held = held_by(model.model)
    found = hashlib.sha256()
    said = (held.method.name, held.options, held.model.config.to_json_string(), protocol.numerics)
    found.update(repr((said, torch.get_num_threads(), str(held.model.device))).encode())
    for module in model.front.modules:
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        found.update(f"{type(module).__qualname__} {module.extra_repr()}".encode())
        for name, tensor in own:
            _add(found, name, tensor)
    return found.digest()


def _hash(front: bytes, batch: Batch) -> bytes:
    found = hashlib.sha256(front)
    for name, tensor in sorted(batch.items()):
        _add(found, name, tensor)
    return found.digest()


def _add(to: hashlib._Hash, name: str, tensor: Tensor) -> None:
    to.update(f" {name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
    to.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())

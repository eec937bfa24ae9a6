"""Models that ``fully_shard`` has spread over processes, each of which holds a part of every parameter.

A method goes in first, then the model is sharded: what is put in later would be trained by each process for
itself. From then on every process calls what reads or writes whole tensors (``checkpoint``, ``save``,
``take``, ``switch``), as with all that is collective, and one of them writes files. Modules are not exchanged
any more: FSDP holds on to those that it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from methods.core.places import Place
from methods.errors import MethodError


def is_sharded(model: nn.Module) -> bool:
    """Whether processes share the parameters of a model; also while some are gathered for a pass."""
    return any(isinstance(module, FSDPModule) for module in model.modules()) or any(
        isinstance(parameter, DTensor) for parameter in model.parameters()
    )


def refuse_sharded(model: nn.Module, what: str) -> None:
    """Say that something is done to whole models.

    Raises:
        MethodError: this one is sharded.
    """
    if is_sharded(model):
        raise MethodError(f"the model is sharded over processes: {what}.")


@contextmanager
def _instead(model: nn.Module, places: Iterable[Place], make: Callable[[DTensor], Tensor]) -> Iterator[None]:
    """Let these places hold something else than a part for a while."""
    _reshard(model)
    parts = [(place, place.parameter) for place in places]
    try:
        for place, part in parts:
            if isinstance(part, DTensor):
                place.put(nn.Parameter(make(part), requires_grad=False))
        yield
    finally:
        for place, part in parts:
            place.put(part)


def gathered(model: nn.Module, places: Iterable[Place]) -> AbstractContextManager[None]:
    """Let these places hold whole tensors for a while; every process calls it."""
    return _instead(model, places, lambda part: part.full_tensor().detach())


def shaped(model: nn.Module, places: Iterable[Place]) -> AbstractContextManager[None]:
    """Let these places hold tensors of the whole shape and no values; what is asked there is sizes."""
    return _instead(model, places, lambda part: torch.empty(part.shape, dtype=part.dtype, device="meta"))


def overwrite(model: nn.Module, values: Iterable[tuple[Place, Tensor]]) -> None:
    """Copy whole tensors into what lies at places; of a sharded model every process keeps its part."""
    _reshard(model)  # what is gathered for a pass is dropped behind it, and what was written into it
    with torch.no_grad():
        for place, value in values:
            parameter = place.parameter
            if isinstance(parameter, DTensor):
                local, mesh = parameter.to_local(), parameter.device_mesh
                there = value.to(local.device, local.dtype)
                parts = distribute_tensor(there, mesh, parameter.placements, src_data_rank=None)
                local.copy_(parts.to_local())
            else:
                parameter.data.copy_(value)


def written(model: nn.Module, path: str | Path, write: Callable[[], Path]) -> Path:
    """Write a folder; of a sharded model one process does, and the others wait for it."""
    if not is_sharded(model):
        return write()
    try:
        if distributed.get_rank() == 0:
            write()
    finally:
        distributed.barrier()
    return Path(path)


def _reshard(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()

"""The modules of a model that compute with the tensors of a task, each with how it does so row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd
from transformers.pytorch_utils import Conv1D

from methods.anatomy.layers import is_norm
from methods.bank.adapters import Bottlenecks, Parallels
from methods.bank.layers import BroadcastNorms, Convolutions, Linears, Norms, broadcasts
from methods.bank.rowwise import RowWise
from methods.bank.tokens import Prefixes, Prompts, Shifts
from methods.bank.updates import Directions, LowRanks, Scales
from methods.core import Adapted, Bottleneck
from methods.core.attention import KeysValues
from methods.core.places import Place
from methods.errors import MethodError
from methods.modules.dora import DoRALinear
from methods.modules.ia3 import IA3Linear
from methods.modules.lora import LoRALinear
from methods.modules.parallel import ParallelAdapter
from methods.modules.prefix import PositionShift
from methods.modules.prompt import SoftPrompt

_OURS: dict[type[nn.Module], Any] = {
    LoRALinear: LowRanks,
    DoRALinear: Directions,
    IA3Linear: Scales,
    Bottleneck: Bottlenecks,
    ParallelAdapter: Parallels,
    KeysValues: Prefixes,
    SoftPrompt: Prompts,
}


def units_of(adapted: Adapted, places: Mapping[str, Sequence[Place]]) -> list[RowWise]:
    """Every module that computes with the tensors of a task.

    Args:
        adapted: a model with the method in it.
        places: for each tensor by its name in a checkpoint, all that hold it.

    Raises:
        MethodError: one of them cannot compute every row with a tensor of its own.
    """
    names = {(id(p.module), p.name): name for name, held in places.items() for p in held}
    units: list[RowWise] = []
    taken: set[tuple[int, str]] = set()
    for path, module in adapted.model.named_modules():
        own = {name: key for name, key in _own(module) if key in names and key not in taken}
        kind = _OURS.get(type(module))
        if not own and kind is not Parallels:
            continue
        taken |= set(own.values())
        called = {name: names[key] for name, key in own.items()}
        units.append((kind or _of_the_base(module, called, path, adapted))(module, called))
    lengths = next((name for name in places if name.endswith(".keys")), "")
    shifts = [change for change in adapted.changes if isinstance(change, PositionShift)]
    return units + [Shifts(change, lengths) for change in shifts]


def _own(module: nn.Module) -> Iterator[tuple[str, tuple[int, str]]]:
    """The parameters that a module computes with, by its own names for them: who holds each, and as what."""
    if isinstance(module, LoRALinear | DoRALinear):
        for role, part in module.parts.items():
            for name in part._parameters:
                yield f"{role}.{name}", (id(part), name)
    elif isinstance(module, IA3Linear):
        yield from ((role, (id(module.scales), role)) for role in module.scales)
        yield "input_scale", (id(module), "input_scale")
    else:
        yield from ((name, (id(module), name)) for name in module._parameters)


def _of_the_base(module: nn.Module, names: Mapping[str, str], path: str, adapted: Adapted) -> Any:
    """How a layer of the base computes row by row.

    Raises:
        MethodError: it cannot.
    """
    if isinstance(module, nn.Linear | Conv1D):
        return Linears
    if isinstance(module, _ConvNd) and set(names) == {"bias"}:
        return Convolutions
    if is_norm(module):
        forward = type(module).forward
        if forward in (nn.LayerNorm.forward, nn.RMSNorm.forward):
            return Norms
        if broadcasts(module, names):
            return BroadcastNorms
    raise MethodError(
        f"a bank cannot serve {adapted.method.name} on {adapted.anatomy}: {path} is a "
        f"{type(module).__name__}, which does not compute every row of a batch with a "
        f"{' and '.join(names)} of its own."
    )

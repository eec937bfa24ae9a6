"""Linear layers whose weight is stored in few bits, by bitsandbytes (8 and 4 bits) or torchao.

They are ``nn.Linear``, or have a tensor of the library's own as weight: what is read off the stored tensor,
its dtype, in 4 bits its shape too, says nothing of the matrix. Only here is it unpacked and packed. Neither
library is imported before a layer of its own is met.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from methods.errors import AnatomyError, MergeError

BITSANDBYTES, TORCHAO = "bitsandbytes", "torchao"


def library(parameter: Tensor) -> str | None:
    """The library that stores a parameter in few bits; None where it is stored as numbers."""
    kind = type(parameter)
    if kind is nn.Parameter or kind is Tensor:  # asked in every pass of some methods
        return None
    origins = {base.__module__.partition(".")[0] for base in kind.__mro__}
    name = next((name for name in (BITSANDBYTES, TORCHAO) if name in origins), None)
    # bitsandbytes packs when a model is moved to its device, or never (``has_fp16_weights``).
    return None if name == BITSANDBYTES and parameter.is_floating_point() else name


def is_known(parameter: Tensor) -> bool:
    """Whether a weight is stored as numbers of 16 bits or more, or by a library that is known here."""
    return library(parameter) is not None or (parameter.is_floating_point() and parameter.itemsize > 1)


def scalars(parameter: Tensor) -> int:
    """The number of scalars that a parameter stands for, however it is stored."""
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else prod(state.shape)


def as_numbers(
    method: str, model: object, parameters: Mapping[str, nn.Parameter]
) -> Mapping[str, nn.Parameter]:
    """Parameters that a method changes as they are stored, checked.

    Raises:
        AnatomyError: a library stores one in few bits, which no step of an optimiser can change.
    """
    for name, parameter in parameters.items():
        if packed := library(parameter):
            raise AnatomyError(
                f"{method} trains {name}, which {packed} stores in few bits in {model}: load the model "
                "without quantisation, or take a method that adds tensors of its own, such as lora."
            )
    return parameters


def values(layer: nn.Module) -> Tensor:
    """The frozen weight of a linear layer in floating point, in the layer's own orientation.

    A view of the parameter where it is stored so; unpacked, by rounding once, where it is not.
    """
    weight: Any = layer.weight
    name = library(weight)
    if name is None:
        return weight.detach()
    if name == TORCHAO:
        unpacked: Tensor = weight.detach().dequantize()
        return unpacked
    functional: Any = importlib.import_module("bitsandbytes.functional")
    if (state := getattr(weight, "quant_state", None)) is not None:
        found: Tensor = functional.dequantize_4bit(weight.data, state)
        return found
    stored, scale = _eight_bits(layer)
    eight: Tensor = functional.int8_vectorwise_dequant(stored, scale)
    return eight


def is_packed(module: nn.Module) -> bool:
    """Whether a module is a layer whose weight a library stores in few bits."""
    weight = module._parameters.get("weight")
    return weight is not None and library(weight) is not None


def followed(own: nn.Parameter, to: Mapping[str, Any]) -> Tensor:
    """What a parameter that is out of its model becomes when that moves or is cast.

    Args:
        own: the parameter; a packed one is not cast.
        to: ``device``, ``dtype``, or both.

    Returns:
        Its data, or a parameter to put in its place where it is packed.
    """
    if library(own) is None:
        return own.data.to(**to)
    return own.to(to["device"]) if "device" in to else own


def stored_like(layer: nn.Module, name: str, value: Tensor) -> nn.Parameter:
    """A parameter with other values, rounded to what the layer's own parameter of that name is stored as.

    Raises:
        MergeError: the library cannot do that for this kind of storage.
    """
    own: Any = layer._parameters[name]
    origin = library(own)
    if origin is None:
        return nn.Parameter(value.to(own.dtype), requires_grad=own.requires_grad)
    if origin == TORCHAO:
        return nn.Parameter(_torchao(own, value), requires_grad=False)
    made: Any = importlib.import_module("bitsandbytes.nn")
    if (state := getattr(own, "quant_state", None)) is not None:
        packed = made.Params4bit(
            value.to(state.dtype),
            requires_grad=False,
            blocksize=own.blocksize,
            compress_statistics=own.compress_statistics,
            quant_type=own.quant_type,
            quant_storage=own.quant_storage,
        )
        four: nn.Parameter = packed.to(value.device)
        return four
    # Before the layer first ran its own parameter holds the rows' scales, then the layer does; back in its
    # place, the parameter has to bring them.
    own.CB, own.SCB = _eight_bits(layer)
    halves = value.to("cpu", torch.float16)
    eight: nn.Parameter = made.Int8Params(halves, requires_grad=False).to(value.device)
    return eight


def _eight_bits(layer: Any) -> tuple[Tensor, Tensor]:
    """The int8 matrix of a layer of bitsandbytes', and the scales of its rows."""
    holder = layer.weight if layer.weight.SCB is not None else layer.state
    return layer.weight.data, holder.SCB


def _torchao(own: Any, value: Tensor) -> Tensor:
    """A matrix stored as another one is by torchao.

    Raises:
        MergeError: that is not weight-only int8, symmetric.
    """
    kinds: Any = importlib.import_module("torchao.quantization")
    known = isinstance(own.data, kinds.Int8Tensor) and own.act_quant_kwargs is None
    if not known or (own.zero_point is not None and own.zero_point.any()):
        raise MergeError(
            f"a weight that torchao stores as {type(own.data).__name__} cannot be merged into; of its kinds "
            "symmetric weight-only int8 alone can."
        )
    rows, columns = own.block_size
    if (rows, columns) == tuple(own.shape):
        granularity = kinds.PerTensor()
    else:
        granularity = kinds.PerRow() if columns == own.shape[1] else kinds.PerGroup(columns)
    packed: Tensor = kinds.Int8Tensor.from_hp(value.to(own.dtype), granularity=granularity)
    return packed

"""Kinds of layers: linear ones as the field writes them, (out x in), however a model stores them; norms."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from methods.anatomy.geometry import Shape
from methods.anatomy.quantised import is_known, is_packed, library, values

Linear = nn.Linear | Conv1D
"""GPT-2's ``Conv1D`` is a linear layer that stores its weight as (in x out)."""


class WrappedLinear(nn.Module, ABC):
    """A module around a frozen linear layer, in its place, whose effect can be written into its parameters.

    Args:
        base: the frozen layer.
        in_slices: whether slices of the layer's output are written to.

    Shapes: input (..., in), output (..., out).
    """

    def __init__(self, base: Linear, in_slices: bool = False) -> None:
        super().__init__()
        self.base = base
        # What a function of a library's own returns may be a view, which cannot be written to.
        self._copies = in_slices and is_packed(base)

    def own_output(self, x: Tensor) -> Tensor:
        """The frozen layer's output, whose slices may be written to where that was asked for."""
        h: Tensor = self.base(x)
        return h.clone() if self._copies else h

    @property
    def weight(self) -> Tensor:
        """The frozen weight: some models look at the dtype of a layer's weight."""
        return self.base.weight

    @abstractmethod
    def folded(self) -> dict[str, Tensor]:
        """Return the parameters with which ``base`` alone computes the same function.

        By their name in ``base``, in its orientation, and in at least float32. What is not named stays.
        """


def is_linear(module: nn.Module) -> bool:
    """Whether a module is a linear layer whose weight can be read as a matrix, however it is stored."""
    return isinstance(module, Linear) and is_known(module.weight)


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a LayerNorm or RMSNorm, of torch's or of a model's own."""
    return re.search(r"Norm(1P)?$", type(module).__name__) is not None


def sizes(layer: nn.Module) -> Shape:
    """(out, in) of a linear layer."""
    if library(layer.weight) is not None:  # type: ignore[arg-type]
        return layer.out_features, layer.in_features  # type: ignore[return-value]
    weight = oriented(layer, layer.weight)  # type: ignore[arg-type]
    return weight.shape[0], weight.shape[1]


def frozen(layer: nn.Module) -> Tensor:
    """The weight of a linear layer as a matrix (out x in) in floating point, without a gradient.

    A view where it is stored as numbers, unpacked where it is quantised.
    """
    return oriented(layer, values(layer))


def to_fold(layer: nn.Module) -> Tensor:
    """Copy the weight, in at least float32 and in the layer's own orientation, for :meth:`folded`."""
    stored = values(layer)
    return stored.to(torch.promote_types(stored.dtype, torch.float32), copy=True)


def oriented(layer: nn.Module, matrix: Tensor) -> Tensor:
    """Turn a matrix between the layer's own orientation and (out x in); a view, and its own inverse."""
    return matrix.t() if isinstance(layer, Conv1D) else matrix

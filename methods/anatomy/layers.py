"""Kinds of layers: linear ones as the field writes them, (out x in), however a model stores them; norms."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

Linear = nn.Linear | Conv1D
"""GPT-2's ``Conv1D`` is a linear layer that stores its weight as (in x out)."""

Shape = tuple[int, int]
"""(out, in) of a matrix."""


class WrappedLinear(nn.Module, ABC):
    """A module around a frozen linear layer, in its place, whose effect can be written into its parameters.

    Args:
        base: the frozen layer.

    Shapes: input (..., in), output (..., out).
    """

    def __init__(self, base: Linear) -> None:
        super().__init__()
        self.base = base

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
    """Whether a module is a linear layer whose weight is a plain matrix."""
    return isinstance(module, Linear)


def is_norm(module: nn.Module) -> bool:
    """Whether a module is a LayerNorm or RMSNorm, of torch's or of a model's own."""
    return re.search(r"Norm(1P)?$", type(module).__name__) is not None


def sizes(layer: nn.Module) -> Shape:
    """(out, in) of a linear layer."""
    weight = oriented(layer, layer.weight)  # type: ignore[arg-type]
    return weight.shape[0], weight.shape[1]


def oriented(layer: nn.Module, matrix: Tensor) -> Tensor:
    """Turn a matrix between the layer's own orientation and (out x in); a view, and its own inverse."""
    return matrix.t() if isinstance(layer, Conv1D) else matrix

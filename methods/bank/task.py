"""The tensors of one task, side by side in one piece of memory, so that a row of a batch is one copy."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor, nn

from methods.core import Options

Where = tuple[torch.device, torch.dtype]
ALIGNED = 64
"""Bytes: tensors begin where torch's own do, since a product's last bit may depend on it."""


class Layout:
    """Where the tensors of a task lie; one for all tasks whose tensors have the same shapes.

    Args:
        shapes: by name, the device and dtype and the shape. Those of one device and dtype share a piece of
            memory.
    """

    def __init__(self, shapes: Mapping[str, tuple[Where, torch.Size]]) -> None:
        self.shapes = {name: shape for name, (_, shape) in shapes.items()}
        self.names: dict[Where, list[str]] = {}
        self.steps: dict[Where, list[int]] = {}
        """From each tensor's beginning to the next one's."""
        for name, (where, shape) in shapes.items():
            step = max(1, ALIGNED // where[1].itemsize)
            self.names.setdefault(where, []).append(name)
            self.steps.setdefault(where, []).append(-(-prod(shape) // step) * step)

    def tensors(self, pieces: Mapping[Where, Tensor]) -> dict[str, Tensor]:
        """Views of the tensors by name; (rows x ...) of pieces that are (rows x scalars)."""
        found = {}
        for where, piece in pieces.items():
            parts = piece.split(self.steps[where], dim=-1)
            for name, part in zip(self.names[where], parts, strict=True):
                shape = self.shapes[name]
                if part.shape[-1] != (size := shape.numel()):
                    part = part.narrow(-1, 0, size)  # noqa: PLW2901
                found[name] = part.view(*piece.shape[:-1], *shape)
        return found


class Task:
    """One task of a bank.

    Args:
        layout: where its tensors lie.
        options: of its method.
        values: its tensors by name; they are copied.
        as_many_labels: whether its head has as many labels as the model says.
    """

    def __init__(
        self, layout: Layout, options: Options, values: Mapping[str, Tensor], as_many_labels: bool
    ) -> None:
        self.layout, self.options, self.as_many_labels = layout, options, as_many_labels
        self.pieces = {
            (device, dtype): torch.empty(sum(steps), device=device, dtype=dtype)
            for (device, dtype), steps in layout.steps.items()
        }
        for name, tensor in self.tensors().items():
            tensor.copy_(values[name])

    @property
    def bytes(self) -> int:
        """Of its tensors in memory, with what lies between them."""
        return sum(piece.nbytes for piece in self.pieces.values())

    def tensors(self) -> dict[str, Tensor]:
        """Views of them by name."""
        return self.layout.tensors(self.pieces)

    def parameters(self) -> dict[str, nn.Parameter]:
        """The same as parameters.

        They take gradients as those of an adapted model do: torch multiplies a tensor that is not contiguous
        in another order by a matrix that takes none, and the last bit would differ.
        """
        return {name: nn.Parameter(tensor) for name, tensor in self.tensors().items()}

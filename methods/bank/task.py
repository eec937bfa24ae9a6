"""The tensors of one task, side by side in one piece of memory, so that a row of a batch is one copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from methods.core import Options

Where = tuple[torch.device, torch.dtype]
ALIGNED = 64
"""Bytes: tensors begin where torch's own do, since a product's last bit may depend on it."""


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies."""

    where: Where
    """The piece of memory."""
    start: int
    """Its first scalar there."""
    shape: torch.Size

    def of(self, piece: Tensor) -> Tensor:
        """The tensor in a piece of memory, or those of several rows (rows x scalars): a view."""
        flat = piece.narrow(-1, self.start, prod(self.shape))
        return flat.view(*piece.shape[:-1], *self.shape)


class Layout:
    """Where the tensors of a task lie; one for all tasks whose tensors have the same shapes.

    Args:
        shapes: by name, the device and dtype and the shape.
    """

    def __init__(self, shapes: Mapping[str, tuple[Where, torch.Size]]) -> None:
        self.slots: dict[str, Slot] = {}
        self.sizes: dict[Where, int] = {}
        for name, (where, shape) in shapes.items():
            start = self.sizes.get(where, 0)
            self.slots[name] = Slot(where, start, shape)
            step = max(1, ALIGNED // where[1].itemsize)
            self.sizes[where] = -(-(start + prod(shape)) // step) * step


class Task:
    """One task of a bank.

    Args:
        layout: where its tensors lie.
        options: of its method.
        values: its tensors by name; they are copied.
        labels: whether its head has as many labels as the model says.
    """

    def __init__(self, layout: Layout, options: Options, values: Mapping[str, Tensor], labels: bool) -> None:
        self.layout, self.options, self.as_many_labels = layout, options, labels
        self.pieces = {
            where: torch.empty(size, device=where[0], dtype=where[1]) for where, size in layout.sizes.items()
        }
        for name, slot in layout.slots.items():
            slot.of(self.pieces[slot.where]).copy_(values[name])

    @property
    def bytes(self) -> int:
        """Of its tensors in memory, with what lies between them."""
        return sum(piece.nbytes for piece in self.pieces.values())

    def tensors(self) -> dict[str, Tensor]:
        """Views of them by name."""
        return {name: slot.of(self.pieces[slot.where]) for name, slot in self.layout.slots.items()}

    def parameters(self) -> dict[str, nn.Parameter]:
        """The same as parameters that do not train."""
        return {name: nn.Parameter(tensor, requires_grad=False) for name, tensor in self.tensors().items()}

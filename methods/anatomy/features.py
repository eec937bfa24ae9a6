"""Some output features of a linear layer: where one role of a fused projection lies.

Features that no role of a method names are left alone bit by bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Rows = slice | Tensor
"""Output features of a layer: a slice where they lie side by side, indices where heads interleave them."""


class Features(nn.Module):
    """Writes to some output features of a layer; indices move with the module that holds it.

    Args:
        rows: the features; None for all.
        device: where the layer is.
    """

    rows: Rows | None

    def __init__(self, rows: Rows | None, device: torch.device) -> None:
        super().__init__()
        if isinstance(rows, Tensor):
            self.register_buffer("rows", rows.to(device), persistent=False)
        else:
            self.rows = rows

    @property
    def all(self) -> bool:
        """Whether these are all features of the layer."""
        return self.rows is None

    def among(self, out: int) -> int:
        """How many they are in a layer of ``out`` features."""
        if isinstance(self.rows, slice):
            return self.rows.stop - self.rows.start
        return out if self.rows is None else len(self.rows)

    def of(self, matrix: Tensor) -> Tensor:
        """Their rows of a matrix (out x in), or entries of a vector (out): a view where they are a slice."""
        return matrix if self.rows is None else matrix[self.rows]

    def of_last(self, h: Tensor) -> Tensor:
        """Their entries of h (..., out): a view where they are a slice."""
        return h if self.rows is None else h[..., self.rows]

    def add(self, h: Tensor, change: Tensor, alpha: float = 1.0) -> Tensor:
        """h (..., out) + alpha change (..., rows) in the dtype of h, maybe in place; rounded once."""
        if self.rows is None:
            return h.add(change, alpha=alpha).to(h.dtype)
        if isinstance(self.rows, slice):
            # A view: on a CPU, adding at indices costs several times what a low-rank update does.
            h[..., self.rows].add_(change, alpha=alpha)
            return h
        if change.dtype != h.dtype:
            return h.index_copy(-1, self.rows, h[..., self.rows].add(change, alpha=alpha).to(h.dtype))
        return h.index_add(-1, self.rows, change, alpha=alpha)

    def add_product(self, h: Tensor, z: Tensor, matrix: Tensor, alpha: float) -> Tensor:
        """h (..., out) + alpha z (..., r) matrix (r x rows), of one dtype, maybe in place.

        In one kernel where the features lie side by side: on short inputs each extra one costs per cent.
        """
        rows = self.rows
        if isinstance(rows, Tensor) or not h.is_contiguous():
            return self.add(h, z @ matrix, alpha)
        flat, z = h.view(-1, h.shape[-1]), z.reshape(-1, z.shape[-1])
        if rows is None:
            return torch.addmm(flat, z, matrix, alpha=alpha).view_as(h)
        flat.narrow(1, rows.start, rows.stop - rows.start).addmm_(z, matrix, alpha=alpha)
        return h

    def put(self, vector: Tensor, values: Tensor) -> Tensor:
        """A vector (out) with other values at the features; not in place."""
        if self.rows is None:
            return values
        if isinstance(self.rows, slice):
            return vector.slice_scatter(values, 0, self.rows.start, self.rows.stop)
        return vector.index_copy(0, self.rows, values)

    def write(self, matrix: Tensor, rows: Tensor) -> None:
        """Overwrite their rows of a matrix (out x in), in place."""
        matrix[slice(None) if self.rows is None else self.rows] = rows

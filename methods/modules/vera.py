"""Updates of shared random matrices, scaled by trained vectors; the equations are in ``methods/vera.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.anatomy import Features, Linear, Rows, Shape
from methods.core import Update, UpdatedLinear
from methods.core.precision import beside

SHARED = "vera"
"""Name of the submodule of the body that holds A and B."""


def drawn(seed: int, rank: int, shapes: Sequence[Shape]) -> tuple[Tensor, Tensor]:
    """The A and B that a seed stands for, for layers of these sizes (out, in): in float32, on the CPU."""
    rows, columns = (max(sizes) for sizes in zip(*shapes, strict=True))
    generator = torch.Generator("cpu").manual_seed(seed)
    place: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    A, B = torch.empty(rank, columns, **place), torch.empty(rows, rank, **place)
    for matrix in (A, B):
        nn.init.kaiming_uniform_(matrix, generator=generator)
    return A, B


class Projections(nn.Module):
    """A and B, which all layers share: frozen, and not in a state dict.

    Args:
        A: (r x in), of the widest input.
        B: (out x r), of the widest output.
    """

    A: Tensor
    B: Tensor

    def __init__(self, A: Tensor, B: Tensor) -> None:  # noqa: N803
        super().__init__()
        self.register_buffer("A", A, persistent=False)
        self.register_buffer("B", B, persistent=False)

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"A={tuple(self.A.shape)}, B={tuple(self.B.shape)}"


class VectorUpdate(Update):
    """One update: of a whole layer, or of some of its output features.

    Args:
        shape: (out, in) of what is updated.
        rows: the output features, None for all.
        like: the frozen weight, beside which the vectors lie, see ``core/precision.py``.
        rank: r.
        d_initial: what the entries of d start from.
        dropout: on the input of the low-rank path.
    """

    def __init__(
        self, shape: Shape, rows: Rows | None, like: Tensor, *, rank: int, d_initial: float, dropout: float
    ) -> None:
        super().__init__()
        place = beside(like)
        self.shape = shape
        self.dropout = dropout
        self.features = Features(rows, like.device)
        self.vera_d = nn.Parameter(torch.full((rank,), d_initial, **place))
        self.vera_b = nn.Parameter(torch.zeros(shape[0], **place))

    def matrices(self, shared: Projections) -> tuple[Tensor, Tensor]:
        """The parts of A and B that this update uses, beside its vectors."""
        rows, columns = self.shape
        return shared.A[:, :columns].to(self.vera_d), shared.B[:rows].to(self.vera_d)

    def add_to(self, h: Tensor, x: Tensor, shared: Projections) -> Tensor:
        """h + L_b B L_d A x, on the features."""
        A, B = self.matrices(shared)
        x = F.dropout(x, self.dropout, self.training) if self.dropout else x
        z = F.linear(x.to(A.dtype), A) * self.vera_d  # (..., r)
        return self.features.add(h, F.linear(z, B) * self.vera_b)

    def update(self, shared: Projections) -> Tensor:
        """L_b B L_d A, in at least float32."""
        dtype = torch.promote_types(self.vera_d.dtype, torch.float32)
        A, B = (matrix.to(dtype) for matrix in self.matrices(shared))
        d, b = self.vera_d.detach().to(dtype), self.vera_b.detach().to(dtype)
        return (b[:, None] * B) @ (d[:, None] * A)

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"rank={len(self.vera_d)}, dropout={self.dropout}"


class VeraLinear(UpdatedLinear[VectorUpdate]):
    """A frozen linear layer with paths through the shared matrices beside it.

    Args:
        base: the frozen layer.
        parts: the updates by role.
        shared: A and B.
    """

    def __init__(self, base: Linear, parts: dict[str, VectorUpdate], shared: Projections) -> None:
        super().__init__(base, parts)
        self.shared = (shared,)  # in a tuple, so that it does not become a child

    def add(self, h: Tensor, x: Tensor, part: VectorUpdate) -> Tensor:
        """h + L_b B L_d A x."""
        return part.add_to(h, x, *self.shared)

    def updated(self, rows: Tensor, part: VectorUpdate) -> Tensor:
        """W0 + L_b B L_d A."""
        return rows + part.update(*self.shared)

"""Random projections of a few scalars onto all parameters: dense, or Fastfood where that is too large.

Paper: arXiv 1804.08838, sections 2 and S7: P (D x d) is random, fixed, and has nearly orthogonal columns of
unit length, so that distances in the subspace are those in the whole space.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from methods.errors import OptionError
from methods.subspace.fastfood import Fastfood
from methods.subspace.sizes import DENSE_LIMIT, Kind, chosen


class Dense(nn.Module):
    """P itself: normal entries, columns of unit length. Memory D x d.

    Args:
        size: D.
        dimension: d.
        generator: of the random numbers, on the CPU; None on the meta device.
        device: where P is kept.
        dtype: of P and of the result.
    """

    matrix: Tensor

    def __init__(
        self,
        size: int,
        dimension: int,
        generator: torch.Generator | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        if generator is None:
            matrix = torch.empty(size, dimension, device=device, dtype=dtype)
        else:
            matrix = torch.randn(size, dimension, generator=generator, device="cpu").to(dtype)
            matrix /= matrix.norm(dim=0)
        self.register_buffer("matrix", matrix.to(device), persistent=False)

    def forward(self, z: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
        """P z cut into parts of the given sizes, which add up to D; z is (d)."""
        return (self.matrix.to(z.dtype) @ z[:, None])[:, 0].split(sizes)

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"{self.matrix.shape[1]} -> {self.matrix.shape[0]}"


def project(kind: Kind, size: int, dimension: int, seed: int, like: Tensor) -> nn.Module:
    """The projection that a seed stands for; the same on every device.

    Args:
        kind: dense, fastfood, or auto.
        size: D.
        dimension: d.
        seed: of the random numbers.
        like: a parameter whose device it takes, and its dtype if that is at least float32.

    Raises:
        OptionError: d is larger than D, or a dense P too large.
    """
    if dimension > size:
        raise OptionError(
            f"the dimension {dimension:,} is not valid: there are {size:,} parameters to move, "
            "expected at most as many."
        )
    which = chosen(kind, size, dimension)
    if which == "dense" and size * dimension > DENSE_LIMIT:
        raise OptionError(
            f"projection='dense' is not valid here: {size:,} x {dimension:,} scalars, expected at most "
            f"{DENSE_LIMIT:,}; choose fastfood."
        )
    generator = None if like.is_meta else torch.Generator("cpu").manual_seed(seed)
    dtype = torch.promote_types(like.dtype, torch.float32)
    made: Any = Dense if which == "dense" else Fastfood
    module: nn.Module = made(size, dimension, generator, like.device, dtype)
    return module.requires_grad_(False)

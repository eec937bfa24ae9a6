"""Fastfood: a random projection from d to D dimensions in O(D log D) time and O(D) memory.

Papers: arXiv 1408.3060, and arXiv 1804.08838, section S7; code: uber-research/intrinsic-dimension@2a7ebd2,
keras_ext/rproj_layers_util.py.

    P z = first D entries of (1 / sqrt(D sum G^2)) H G Π H B z        l = 2^k >= D

z is padded to length l; B are random signs, H is the Walsh-Hadamard matrix (entries +1 and -1, not
normalised), Π a random permutation, G ~ N(0, 1). The divisor gives the columns of P unit length: exactly
where D = l, in expectation else. All D parameters are projected at once, as in that code; a projection for
each tensor, all of one z (rabeehk/compacter), gives T tensors columns of length sqrt(T), another learning
rate.

Nothing is computed that is not needed. z has d entries, so with s = 2^j >= d the first product repeats with
period s: H B z = (v, v, ...) with v = H_s B z. B and Π are kept as what that leaves of them: d signs, and Π
modulo s. Of the second product only the first D entries are wanted. Memory: 4 bytes of Π and 4 of G for
each of the l entries (8D to 16D bytes), d bytes of signs. The transform is a product of small Hadamard
matrices, H_ab = H_a (x) H_b, one matrix product for each, in pieces that fit into a cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from methods.subspace.sizes import OUTER, factors, power_of_two

PIECE = 4096
"""Columns taken at a time, where that makes no more than ``PIECES`` of them."""
PIECES = 128


def hadamard(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The Walsh-Hadamard matrix, (side x side); its upper left corners are the smaller ones."""
    one = torch.ones(1, 1, device=device, dtype=dtype)
    while one.shape[0] < side:
        upper, lower = torch.cat([one, one], dim=1), torch.cat([one, -one], dim=1)
        one = torch.cat([upper, lower])
    return one


def walsh_hadamard(x: Tensor, matrix: Tensor) -> Tensor:
    """H x for x of length 2^k, not normalised; ``matrix`` is H of at least ``INNER`` rows."""
    before = 1
    for side in factors(x.numel()):
        one = matrix[:side, :side]
        if before * side == x.numel():
            x = x.view(before, side) @ one  # it is symmetric
        else:
            x = torch.bmm(one.expand(before, side, side), x.view(before, side, -1))
        before *= side
    return x.view(-1)


class _Spread(torch.autograd.Function):
    """S H G Π of the repeated v, cut into parts; backward is its transpose."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, source: Tensor, gauss: Tensor, matrix: Tensor, *sizes: int) -> Any:
        rows, columns, width = _shape(source, sum(sizes))
        left = matrix[:rows, : source.shape[1]]
        y = v.new_empty(rows, columns)
        for number in range(source.shape[0]):
            piece = v.index_select(0, source[number].view(-1)).view(-1, width)
            y[:, number * width : (number + 1) * width] = left @ (piece * gauss[number])
        for row in range(rows):
            y[row] = walsh_hadamard(y[row], matrix)
        ctx.save_for_backward(source, gauss, matrix)
        ctx.sizes, ctx.length = sizes, v.numel()
        ctx.set_materialize_grads(False)
        return y.view(-1)[: sum(sizes)].split(sizes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> Any:
        source, gauss, matrix = ctx.saved_tensors
        rows, columns, width = _shape(source, sum(ctx.sizes))
        left = matrix[: source.shape[1], :rows]
        y = matrix.new_zeros(rows * columns)
        for part, gradient in zip(y[: sum(ctx.sizes)].split(ctx.sizes), gradients, strict=True):
            if gradient is not None:
                part.copy_(gradient)
        y = y.view(rows, columns)
        for row in range(rows):
            y[row] = walsh_hadamard(y[row], matrix)
        v = y.new_zeros(ctx.length)
        for number in range(source.shape[0]):
            piece = left @ y[:, number * width : (number + 1) * width] * gauss[number]
            v.index_add_(0, source[number].view(-1), piece.view(-1))
        return v, None, None, None, *[None] * len(ctx.sizes)


def _shape(source: Tensor, size: int) -> tuple[int, int, int]:
    """Rows that hold ``size`` entries, columns, and columns of a piece, of the long vector as a matrix."""
    pieces, _, width = source.shape
    columns = pieces * width
    return -(-size // columns), columns, width


class Fastfood(nn.Module):
    """One such projection, fixed.

    Args:
        size: D.
        dimension: d, at most D.
        generator: of the random numbers, on the CPU, so that every device gets the same; None on the meta
            device, where nothing is drawn.
        device: where they are kept.
        dtype: of G and of the result.
    """

    signs: Tensor
    source: Tensor
    gauss: Tensor
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
        self.size = size
        self.period = power_of_two(dimension)
        length = power_of_two(size)
        outer = min(OUTER, length)
        width = min(length // outer, max(PIECE, length // outer // PIECES))
        # Entry (p, i, j) is number i l/outer + p width + j of the vector; what is random may have any order.
        shape = (length // outer // width, outer, width)
        if generator is None:
            signs = torch.empty(dimension, dtype=torch.int8, device=device)
            source = torch.empty(shape, dtype=torch.int32, device=device)
            gauss = torch.empty(shape, dtype=dtype, device=device)
        else:
            draw: dict[str, Any] = {"generator": generator, "device": "cpu"}
            signs = torch.randint(0, 2, (dimension,), dtype=torch.int8, **draw).mul_(2).sub_(1)
            source = torch.randperm(length, **draw).remainder_(self.period).to(torch.int32).view(shape)
            gauss = torch.randn(shape, dtype=torch.float32, **draw)
            gauss = gauss.to(dtype).div_((size * gauss.double().square_().sum()).sqrt())
        for name, value in (("signs", signs), ("source", source), ("gauss", gauss)):
            self.register_buffer(name, value.to(device), persistent=False)
        self.register_buffer("matrix", hadamard(OUTER, device, dtype), persistent=False)

    @torch.compiler.disable  # these are matrix products already, and a compiler would unroll the loops
    def forward(self, z: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, ...]:
        """P z cut into parts of the given sizes, which add up to D; z is (d)."""
        matrix = self.matrix.to(z.dtype)
        padded = nn.functional.pad(z * self.signs, (0, self.period - len(z)))
        v = walsh_hadamard(padded, matrix)
        parts: tuple[Tensor, ...] = _Spread.apply(v, self.source, self.gauss, matrix, *sizes)
        return parts

    def extra_repr(self) -> str:
        """Shown when the model is printed."""
        return f"{len(self.signs)} -> {self.size}"

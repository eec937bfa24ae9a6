"""Fastfood against its matrices written out, and the memory that it takes."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.linalg import hadamard
from torch.autograd import gradcheck

from methods.subspace import fastfood
from methods.subspace.fastfood import Fastfood, walsh_hadamard
from methods.subspace.sizes import factors

CPU = torch.device("cpu")


def made(size: int, dimension: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Fastfood:
    return Fastfood(size, dimension, torch.Generator().manual_seed(seed), CPU, dtype)


def flat(piece: torch.Tensor) -> torch.Tensor:
    """The long vector in its own order: stored are (pieces, outer, width)."""
    return piece.permute(1, 0, 2).reshape(-1)


def written_out(projection: Fastfood, dimension: int) -> torch.Tensor:
    """S H G Π H B as matrices, (D x d)."""
    size = projection.size
    length = fastfood.power_of_two(size)
    H = torch.tensor(hadamard(length), dtype=torch.float64)
    B = torch.zeros(length, dimension, dtype=torch.float64)
    B[range(dimension), range(dimension)] = projection.signs.double()
    # What is kept of Π is its residue; H B repeats with the period, so any permutation with it does.
    source = flat(projection.source).tolist()
    waiting = {r: list(range(r, length, projection.period)) for r in range(projection.period)}
    P = torch.zeros(length, length, dtype=torch.float64)
    for row, residue in enumerate(source):
        P[row, waiting[residue].pop()] = 1
    assert not any(waiting.values())  # each index once: it is a permutation
    G = torch.diag(flat(projection.gauss))  # divided by sqrt(D sum G^2) already
    return (H @ G @ P @ H @ B)[:size]


@pytest.mark.parametrize("length", [1, 2, 8, 32, 64, 2048])
def test_the_transform_is_the_matrix(length: int) -> None:
    assert math.prod(factors(length)) == length
    x = torch.randn(length, dtype=torch.float64)
    matrix = fastfood.hadamard(64, CPU, torch.float64)
    assert torch.equal(matrix, torch.tensor(hadamard(64), dtype=torch.float64))
    expected = torch.tensor(hadamard(length), dtype=torch.float64) @ x
    assert torch.allclose(walsh_hadamard(x, matrix), expected, atol=1e-10)


@pytest.mark.parametrize(
    ("size", "dimension"), [(1, 1), (5, 3), (100, 7), (128, 128), (700, 33), (1500, 1500), (2048, 64)]
)
def test_the_projection_is_the_product_of_its_matrices(size: int, dimension: int) -> None:
    projection = made(size, dimension)
    z = torch.randn(dimension, dtype=torch.float64)
    (found,) = projection(z, (size,))
    assert torch.allclose(found, written_out(projection, dimension) @ z, atol=1e-12)


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large vectors are taken in pieces; here as if this one were large."""
    monkeypatch.setattr(fastfood, "PIECE", 4)
    projection = made(1500, 20)
    assert projection.source.shape == (8, 64, 4)
    z = torch.randn(20, dtype=torch.float64, requires_grad=True)
    (found,) = projection(z, (1500,))
    matrix = written_out(projection, 20)
    assert torch.allclose(found, matrix @ z, atol=1e-12)
    direction = torch.randn(1500, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(found, z, direction)
    assert torch.allclose(gradient, matrix.T @ direction, atol=1e-12)


@pytest.mark.parametrize("sizes", [(90,), (64, 20, 6)])
def test_the_backward_pass_is_the_transpose(sizes: tuple[int, ...]) -> None:
    projection = made(90, 13)
    z = torch.randn(13, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: projection(x, sizes), (z,))


def test_a_part_without_a_gradient_counts_as_zero() -> None:
    projection = made(90, 13)
    z = torch.randn(13, dtype=torch.float64, requires_grad=True)
    first, _, third = projection(z, (64, 20, 6))
    (gradient,) = torch.autograd.grad(first.sum() + third.sum(), z)
    ones = torch.cat([torch.ones(64), torch.zeros(20), torch.ones(6)]).double()
    assert torch.allclose(gradient, written_out(projection, 13).T @ ones, atol=1e-12)


def test_columns_have_unit_length_and_are_nearly_orthogonal() -> None:
    exact = written_out(made(2048, 64), 64)  # D is a power of two
    assert torch.allclose(exact.norm(dim=0), torch.ones(64).double(), atol=1e-12)
    near = written_out(made(1500, 64), 64)
    assert torch.allclose(near.norm(dim=0), torch.ones(64).double(), atol=0.15)
    products = near.T @ near - torch.diag(near.norm(dim=0) ** 2)
    assert products.abs().max() < 6 / math.sqrt(1500)  # six standard deviations of random unit vectors


def test_the_seed_decides() -> None:
    one, same, other = made(300, 20, 1), made(300, 20, 1), made(300, 20, 2)
    z = torch.randn(20, dtype=torch.float64)
    assert torch.equal(one(z, (300,))[0], same(z, (300,))[0])
    assert not torch.allclose(one(z, (300,))[0], other(z, (300,))[0])


def test_memory_grows_with_the_sum_of_the_sizes() -> None:
    def kept(size: int, dimension: int) -> int:
        with torch.device("meta"):
            module = Fastfood(size, dimension, None, torch.device("meta"), torch.float32)
        return sum(buffer.numel() * buffer.element_size() for buffer in module.buffers())

    fixed = 4 * 64 * 64  # a small Hadamard matrix
    for size, dimension in ((2**20, 100), (2**20, 10_000), (2**25, 100), (2**25, 100_000)):
        assert kept(size, dimension) == 8 * size + dimension + fixed
    assert kept(22_713_986, 1000) <= 16 * 22_713_986 + 1000 + fixed  # padded to a power of two


def test_what_a_pass_keeps_grows_with_the_size_alone() -> None:
    """What autograd saves is the projection itself: nothing of D x d, and of the result nothing."""
    saved: list[torch.Tensor] = []
    projection = made(3000, 200, dtype=torch.float32)
    own = {buffer.data_ptr() for buffer in projection.buffers()}
    z = torch.zeros(200, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        projection(z, (3000,))
    assert sum(t.numel() for t in saved if t.data_ptr() not in own) <= 200

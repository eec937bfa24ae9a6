"""One scaled update by itself, and the matrices that all share."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from methods.modules.vera import Projections, VectorUpdate, VeraLinear, drawn
from methods.vera import VeraOptions


def made(shape: tuple[int, int], **options: Any) -> VectorUpdate:
    """An update of a whole layer."""
    its = VeraOptions(**options)
    settings = {"rank": its.rank, "d_initial": its.d_initial, "dropout": its.dropout}
    return VectorUpdate(shape, None, torch.empty(0), **settings)


def test_it_starts_as_the_paper_says() -> None:
    A, B = drawn(3, 512, [(32, 64), (48, 32)])
    assert (A.shape, B.shape) == ((512, 64), (48, 512))
    for matrix, fan in ((A, 64), (B, 512)):
        bound = math.sqrt(6 / fan)
        assert 0.99 * bound < matrix.abs().max() <= bound
        assert float(matrix.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)
    part = made((4, 5), rank=3)
    assert (part.vera_d == 0.1).all()
    assert not part.vera_b.any()


def test_dropout_is_on_the_update_alone() -> None:
    torch.manual_seed(0)
    part = made((4, 6), rank=2, dropout=0.5)
    layer = VeraLinear(nn.Linear(6, 4), {"query": part}, Projections(*drawn(0, 2, [(4, 6)]))).train()
    x = torch.randn(3, 6)
    assert torch.equal(layer(x), layer.base(x))  # b = 0: whatever is dropped, the frozen path is whole
    nn.init.ones_(part.vera_b)
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    assert torch.equal(layer(x), layer(x))

"""Which projection is made, and that it is the one the seed stands for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods import OptionError
from methods.subspace.fastfood import Fastfood
from methods.subspace.projection import Dense, project
from methods.subspace.sizes import DENSE_UP_TO, chosen

LIKE = torch.zeros(1)


def test_auto_is_dense_up_to_the_stated_size() -> None:
    assert DENSE_UP_TO == 4_194_304  # as the option's description says
    assert chosen("auto", 4096, 1024) == "dense"
    assert chosen("auto", 4097, 1024) == "fastfood"
    assert chosen("fastfood", 2, 2) == "fastfood"
    assert isinstance(project("auto", 10, 4, 0, LIKE), Dense)
    assert isinstance(project("auto", 2**20, 5, 0, LIKE), Fastfood)


def test_dense_columns_have_unit_length() -> None:
    P = project("dense", 500, 30, 0, LIKE.double())
    assert isinstance(P, Dense)
    assert torch.allclose(P.matrix.norm(dim=0), torch.ones(30).double())
    z = torch.randn(30).double()
    assert torch.equal(torch.cat(P(z, (300, 200))), (P.matrix @ z[:, None])[:, 0])


@pytest.mark.parametrize("kind", ["dense", "fastfood"])
def test_it_follows_device_dtype_and_seed(kind: str) -> None:
    def made(seed: int, like: torch.Tensor = LIKE) -> nn.Module:
        return project(kind, 60, 7, seed, like)  # type: ignore[arg-type]

    z = torch.randn(7)
    assert torch.equal(made(3)(z, (60,))[0], made(3)(z, (60,))[0])
    assert not torch.equal(made(3)(z, (60,))[0], made(4)(z, (60,))[0])
    floats = {b.dtype for b in made(3, LIKE.bfloat16()).buffers() if b.is_floating_point()}
    assert floats == {torch.float32}  # rounded once, when the change is added
    assert {b.device.type for b in made(3, LIKE.to("meta")).buffers()} == {"meta"}
    assert not list(made(3).parameters())
    assert not made(3).state_dict()  # made again from the seed, never stored


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(OptionError, match="the dimension 11 is not valid: there are 10 parameters"):
        project("auto", 10, 11, 0, LIKE)
    with pytest.raises(OptionError, match="choose fastfood"):
        project("dense", 2**20, 2**10, 0, LIKE)

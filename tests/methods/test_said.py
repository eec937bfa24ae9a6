"""theta_i = theta0_i + lambda_i (P z)_i, one scale for each layer."""

from __future__ import annotations

import pytest
import torch

import methods
from methods import OptionError

from .cells import perturb, state
from .conftest import tiny


def test_scales_are_part_of_the_dimension() -> None:
    adapted = methods.apply(tiny("bert"), "said", dimension=30)
    assert adapted.parts() == {"coordinates": 27, "scales": 3}  # two blocks and the rest
    assert torch.equal(adapted.trained()["method.scales"], torch.ones(3))
    assert methods.apply(tiny("t5"), "said", dimension=30).parts()["scales"] == 5  # encoder and decoder
    assert methods.apply(tiny("albert"), "said", dimension=30).parts()["scales"] == 2  # one shared block


def test_every_layer_has_its_scale() -> None:
    model, start = tiny("bert"), state(tiny("bert"))
    adapted = methods.apply(model, "said", dimension=30, seed=4)
    perturb(adapted)
    trained = adapted.trained()
    trained["method.scales"].data.copy_(torch.tensor([1.0, 1.0, 1.0]))
    plain = merged(adapted)
    trained["method.scales"].data.copy_(torch.tensor([2.0, 0.5, -1.0]))
    scaled = merged(adapted)
    for name, weight in start.items():
        layer = 1 if ".layer.0." in name else 2 if ".layer.1." in name else 0
        factor = (2.0, 0.5, -1.0)[layer]
        change, expected = scaled[name] - weight, factor * (plain[name] - weight)
        assert torch.allclose(change, expected, atol=1e-6), name
        assert change.abs().max() > 0, name


def test_the_scales_must_leave_a_dimension() -> None:
    with pytest.raises(OptionError, match="dimension=3 is not valid: 3 of it are the scales"):
        methods.apply(tiny("bert"), "said", dimension=3)
    assert methods.apply(tiny("bert"), "said", dimension=4).parts()["coordinates"] == 1


def merged(adapted: methods.Adapted) -> dict[str, torch.Tensor]:
    adapted.merge()
    found = state(adapted.model)
    adapted.unmerge()
    return found

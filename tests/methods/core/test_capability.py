"""What each method can do on a model, against doing it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods import MethodError

from ..anatomy.test_probing import strange
from ..cells import equal, state
from ..conftest import inputs, labels, tiny

OUTSIDE = "generate"
"""What a method does not do itself."""


def done(act: Callable[[], Any]) -> str | None:
    """The sentence of the error that something ends with, None where it is done."""
    try:
        act()
    except MethodError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("architecture", "head"), [("llama", "causal"), ("dinov2", "classify")])
def test_it_is_what_happens_on_the_model(architecture: str, head: str, tmp_path: Path) -> None:
    model = tiny(architecture, head)
    values, flags = state(model), [p.requires_grad for p in model.parameters()]
    torch.manual_seed(4)
    expected = torch.rand(1)
    torch.manual_seed(4)
    found = {one.method: one for one in methods.capabilities(model)}
    assert torch.equal(torch.rand(1), expected)
    assert (equal(state(model), values), [p.requires_grad for p in model.parameters()]) == (True, flags)
    assert tuple(found) == methods.names()
    for name, one in found.items():
        twin = copy.deepcopy(model)
        try:
            adapted = methods.apply(twin, name)
        except MethodError as error:
            assert one.why_not == dict.fromkeys(methods.ACTS, str(error))  # noqa: PT017
            continue
        batch = inputs(twin)
        twin(**batch, labels=labels(twin, batch)).loss.backward()
        assert one.can("train")
        assert one.why_not.get("merge") == done(adapted.merge)
        assert one.why_not.get("export") == done(lambda a=adapted, n=name: a.export_peft(tmp_path / n))
        assert one.can("generate") == (head == "causal")
    if head != "causal":
        writes = {one.why_not[OUTSIDE] for one in found.values() if one.can("train")}
        assert writes == {"Dinov2ForImageClassification (dinov2) writes no text."}


def test_a_model_without_weights_can_be_asked() -> None:
    model = tiny("gpt2", "causal")
    with torch.device("meta"):
        found = methods.capabilities(model.to("meta"))
    assert found == methods.capabilities(tiny("gpt2", "causal"))
    assert all(parameter.is_meta for parameter in model.parameters())


def test_what_does_not_run_is_refused() -> None:
    with pytest.raises(MethodError, match=r"StrangeModel \(strange\) cannot be tried out"):
        methods.capabilities(strange())

"""What ``save_pretrained`` writes is read again by ``from_pretrained``, or nothing is written."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

import methods
from methods import MethodError

from ..cells import CELLS, apply, equal, perturb, state
from ..conftest import inputs, logits, tiny

CASES = [cell for cell in CELLS if cell[1:] in (("bert", "classify"), ("gpt2", "causal"))]


def check_read_back(model: Any, folder: Path) -> None:
    """What is written has the model's own names and values."""
    model.save_pretrained(folder)
    read, report = type(model).from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    assert equal(state(read), state(model))
    batch = inputs(model)
    assert torch.equal(logits(read.eval(), batch), logits(model, batch))


@pytest.mark.parametrize(("name", "architecture", "head"), CASES)
def test_it_is_read_back_or_refused(name: str, architecture: str, head: str, tmp_path: Path) -> None:
    model = tiny(architecture, head)
    adapted = apply(model, name)
    perturb(adapted)
    if not adapted.changes_the_forward_pass:
        check_read_back(model, tmp_path)
        return
    for twin in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with pytest.raises(MethodError, match=f"{name} in it, which from_pretrained.. cannot read") as caught:
            twin.save_pretrained(tmp_path)
        assert ("merge() first" in str(caught.value)) == adapted.method.mergeable
        assert not list(tmp_path.iterdir())
        if adapted.method.mergeable:
            handle = methods.adapted(twin)
            perturb(handle)
            handle.merge()
            check_read_back(twin, tmp_path / str(id(twin)))
            handle.unmerge()
            with pytest.raises(MethodError, match=r"merge\(\) first"):
                twin.save_pretrained(tmp_path / "unmerged")
            for folder in tmp_path.iterdir():
                folder.rename(tmp_path.with_suffix(f".{folder.name}"))
    adapted.remove()
    assert "save_pretrained" not in vars(model)
    check_read_back(model, tmp_path)
    assert equal(state(model), state(tiny(architecture, head)))


def test_a_refused_apply_leaves_saving_alone(tmp_path: Path) -> None:
    model = tiny("llama", "causal")
    with pytest.raises(MethodError, match="no biases"):
        methods.apply(model, "bitfit")
    with pytest.raises(MethodError, match="on one side only"):
        methods.load(model, methods.apply(tiny("llama"), "lora").save(tmp_path / "other"))
    assert "save_pretrained" not in vars(model)
    check_read_back(model, tmp_path / "own")

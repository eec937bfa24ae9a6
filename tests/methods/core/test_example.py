"""The method that CONTRIBUTING.md shows works as it stands there."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from methods.core import Adapted

from ..cells import equal, perturb, state
from ..conftest import inputs, logits, tiny, train

PAGE = Path(__file__).parents[3] / "CONTRIBUTING.md"


def run(code: str, name: str) -> Any:
    """What stands on the page, as the file that it is to be."""
    made = ModuleType(name)
    exec(textwrap.dedent(f"   {code.lstrip()}"), vars(made))
    return made


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", ["bert", "llama", "t5"])
def test_the_example(architecture: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    modules, code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    monkeypatch.setitem(sys.modules, "methods.modules.scale", run(modules, "methods.modules.scale"))
    method, model = run(code, "methods.scale").Scale(), tiny(architecture, dtype=dtype)
    batch, values = inputs(model), state(model)
    before = logits(model, batch)
    made = Adapted(model, method, method.options())
    assert torch.equal(logits(model, batch), before)
    assert sum(made.parts().values()) == made.parameter_counts()["method"]
    assert made.flops(3, 11).training_step_flops > 0
    train(model, steps=1)
    perturb(made)
    trained = [p for name, p in made.trained().items() if name.startswith("method.")]
    assert {p.dtype for p in trained} == {torch.float32}
    assert all((p != 1).all() for p in trained)
    assert logits(model, batch).dtype == dtype
    made.remove()
    assert equal(state(model), values)

"""Folders that no version of the PEFT library wrote so: one sentence, and the model is as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import methods
from methods import MethodError
from methods.peft.format import CONFIG, TENSORS

from ..cells import equal, perturb, state
from ..conftest import tiny

pytestmark = pytest.mark.filterwarnings("ignore::methods.IncompleteHeadWarning")

FOLDERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "sliced": ("lora", "gpt2", {"rank": 2, "target": "query,value,output"}),
    "dora": ("dora", "phi3", {"rank": 2, "target": "gate,down"}),
    "ia3": ("ia3", "gpt2", {}),
    "prefix": ("prefix", "gpt2", {"length": 3, "hidden": None}),
}
"""Method, architecture and options by what is in the folder."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders as they should be."""
    made = {}
    for kind, (name, architecture, options) in FOLDERS.items():
        adapted = methods.apply(tiny(architecture), name, **options)
        perturb(adapted)
        made[kind] = adapted.export_peft(tmp_path_factory.mktemp(kind))
    return made


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {kind: tiny(architecture) for kind, (_, architecture, _) in FOLDERS.items()}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["c_attn", "(", "x"]), inner),
    max_leaves=3,
)
WORDS = (
    *("peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora", "auto_mapping"),
    *("rank_pattern", "alpha_pattern", "target_modules", "num_virtual_tokens", "init_lora_weights", "bias"),
    *("modules_to_save", "fan_in_fan_out", "feedforward_modules", "new"),
)


def check(folder: Path, model: Any) -> None:
    """Loading works, or ends in one sentence; the model is then as it was."""
    before, shape = state(model), str(model)
    try:
        methods.load(model, folder).remove()
    except MethodError as error:
        message = str(error)
    else:
        message = str(folder)
    assert str(folder) in message
    assert "\n" not in message
    assert equal(state(model), before)
    assert str(model) == shape


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(list(FOLDERS)), word=st.sampled_from(WORDS), value=ANYTHING)
def test_any_configuration_loads_or_is_refused(
    kind: str, word: str, value: Any, written: dict[str, Path], models: dict[str, Any]
) -> None:
    file = written[kind] / CONFIG
    whole = file.read_text()
    try:
        file.write_text(json.dumps(json.loads(whole) | {word: value}))
        check(written[kind], models[kind])
    finally:
        file.write_text(whole)


SHAPES = {
    "none": lambda t: None,
    "scalar": lambda t: t.flatten()[0],
    "vector": lambda t: t.flatten(),
    "turned": lambda t: t.transpose(0, -1),
    "deeper": lambda t: t[..., None],
    "shorter": lambda t: t[:-1],
    "longer": lambda t: torch.cat([t, t]),
    "empty": lambda t: t[:0],
    "whole": lambda t: t.to(torch.int64),
}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_tensor_loads_or_is_refused(
    kind: str, shape: str, tmp_path: Path, written: dict[str, Path], models: dict[str, Any]
) -> None:
    (tmp_path / CONFIG).write_bytes((written[kind] / CONFIG).read_bytes())
    tensors = load_file(written[kind] / TENSORS)
    # One of each sort: both factors, a length, scales of inputs and outputs, a prefix, the head.
    sorts = {(name.rpartition("ora_")[2], tensor.shape): name for name, tensor in tensors.items()}
    for name in sorts.values():
        changed = SHAPES[shape](tensors[name])
        others = {key: tensor for key, tensor in tensors.items() if key != name}
        others |= {} if changed is None else {name: changed.contiguous()}
        save_file(others, tmp_path / TENSORS)
        check(tmp_path, models[kind])

"""Counts in closed form are those of the model, or it is asked itself."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

import methods
from methods import Adapted, MethodError
from runners import models, shapes
from runners.measure import counting
from runners.measure.counting import Count, closed_form, count
from tests.methods.cells import why_not
from tests.methods.conftest import HEADS, configuration

GOOD: dict[str, list[dict[str, Any]]] = {
    "lora": [{"rank": 3, "target": "up,down"}, {"init": "pissa", "rank": 2}, {"layers": "last:1"}],
    "dora": [{"rank": 500}],
    "vera": [{"rank": 1}],
    "houlsby": [{"layer_norms": False, "layers": 0}],
    "prefix": [{"hidden": None}, {"layers": [1], "length": 300}],
    "prompt": [{"length": 3}, {"length": 20, "init": "uniform"}],
    "top_layers": [{"layers": 1}],
    "did": [{"dimension": 7, "head": "beside"}, {"projection": "fastfood"}],
    "said": [{"dimension": 40, "head": "inside"}],
    "bitfit": [{"layers": [0]}],
    "ln": [{"layers": [1]}],
}
"""Options that a small BERT, GPT-2 or T5 takes; lists are what a YAML file holds."""
BAD: dict[str, list[dict[str, Any]]] = {
    "lora": [{"init": "pissa", "rank": 999}, {"layers": [99]}, {"target": "gate,qkv"}],
    "prompt": [{"length": 100_000}],
    "top_layers": [{"layers": 99}],
    "did": [{"dimension": 10**9}, {"projection": "dense", "dimension": 9_000}],
    "said": [{"dimension": 1}, {"dimension": 10**9}],
}


def skeleton(architecture: str, head: str) -> PreTrainedModel:
    config = configuration(architecture)
    maker = next(auto for auto in HEADS[head] if type(config) in auto._model_mapping)
    with torch.device("meta"):
        return maker.from_config(config)


@pytest.mark.parametrize(
    ("architecture", "head"),
    [("bert", "classify"), ("gpt2", "classify"), ("t5", "classify"), ("llama", "causal")],
)
def test_the_closed_form_is_that_of_the_model_or_none(architecture: str, head: str) -> None:
    model, full = skeleton(architecture, head), methods.get("full")
    geometry = Adapted(model, full, full.options()).sizes.geometry
    methods.adapted(model).remove()
    for method in map(methods.get, methods.names()):
        name = method.name
        if why_not(name, architecture, head):
            continue
        for values in [{}, *GOOD.get(name, []), *BAD.get(name, [])]:
            options, live = method.options.parse(name, values), None
            with contextlib.suppress(MethodError):
                live = counting._of(Adapted(model, method, options))
                methods.adapted(model).remove()
            assert closed_form(method, options, geometry) == live, (name, values)
            assert (live is None) == (values in BAD.get(name, [])), (name, values)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    configuration("bert").save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def test_a_model_is_built_once(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = count(folder, "lora", {"rank": 3}, 3)
    other = count(folder, "ia3", {}, 3)[1]
    refused = "layers: BertForSequenceClassification"
    with pytest.raises(MethodError, match=refused):
        count(folder, "lora", {"layers": "99"}, 3)
    built = models.skeleton(folder, 3)
    monkeypatch.setattr(models, "skeleton", None)  # would end in a TypeError
    assert count(folder, "lora", {"rank": 3}, 3) == first
    assert count(folder, "ia3", {}, 3)[1] == other
    live = methods.apply(built, "lora", rank=7, target="output").parameter_counts()
    found = count(folder, "lora", {"rank": 7, "target": "output"}, 3)[1]
    assert (found.base, found.method, found.head) == (live["base"], live["method"], live["head"])
    with pytest.raises(TypeError):
        count(folder, "head", {}, 3)  # a method that was not asked about yet


def test_a_method_whose_closed_form_is_not_that_of_the_model_is_not_believed(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(methods.get("ia3"))
    monkeypatch.setattr(kind, "count_head", lambda self, geometry, options: 1)
    assert count(folder, "ia3", {}, 3)[1].head > 1
    assert shapes.known(folder, 3) is None


def test_counts_are_whole(folder: str) -> None:
    options, found = count(folder, "prefix", {}, 3)
    assert options == methods.get("prefix").options()
    assert isinstance(found, Count)
    assert 0 < found.stored < found.method == sum(found.parts.values())

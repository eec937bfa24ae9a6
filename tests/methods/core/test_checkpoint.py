"""Folders of ours: what is wrong with one is said in a sentence, and the model stays as it was."""

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
from methods.core.checkpoint import MANIFEST, TENSORS

from ..cells import apply, equal, perturb, state
from ..conftest import tiny

WHOLE: dict[str, Any] = {
    "format_version": 1,
    "method": "lora",
    "options": {"rank": 2},
    "architecture": "bert",
    "model": {"name": None, "class": "BertForSequenceClassification", "num_labels": 3},
}


def saved(folder: Path) -> Path:
    made = methods.apply(tiny("bert"), "lora", rank=2)
    perturb(made)
    return made.save(folder)


def refused(folder: Path, words: str, model: Any = None) -> None:
    """Loading ends in one sentence, and leaves the model as it was."""
    model = tiny("bert") if model is None else model
    before, shape = state(model), str(model)
    with pytest.raises(MethodError, match=words) as caught:
        methods.load(model, folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    assert message.endswith((".", "none"))
    assert equal(state(model), before)
    assert str(model) == shape


def changed(**values: Any) -> str:
    """A manifest with other values; None leaves one out."""
    return json.dumps({name: value for name, value in (WHOLE | values).items() if value is not None})


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "holds a list, expected an object"),
        ("null", "holds a NoneType, expected an object"),
        ("{}", "has format_version None, expected 1"),
        (changed(format_version="1"), "has format_version '1', expected 1"),
        (changed(format_version=2), "has format_version 2, expected 1"),
        *((changed(**{name: None}), f"says no {name}") for name in ("method", "options", "architecture")),
        (changed(method=["lora"]), r"says method is \['lora'\], expected a name"),
        (changed(method="hyperlora"), "unknown method 'hyperlora'; did you mean lora"),
        (changed(method="ia3", options={}), "is on one side only"),
        (changed(options=[["rank", 2]]), "says options is .*, expected an object"),
        (changed(options="rank"), "says options is 'rank', expected an object"),
        (changed(options={"rank": "two"}), "rank='two' is not valid"),
        (changed(options={"rank": 2, "quantised": True}), "lora has no option 'quantised'"),
        (changed(options={"rank": 2, "name": "x"}), "lora has no option 'name'"),  # an argument of apply()
        (changed(options={"rank": 2, "dtype": "x"}), "lora has no option 'dtype'"),
        (changed(options={"rank": 2, "model": "x"}), "lora has no option 'model'"),
        (changed(options={"rank": 3}), r"lora_A is \(2, 32\), expected \(3, 32\)"),
        (changed(options={"rank": 2, "target": "key"}), "is on one side only"),
        (changed(architecture=7), "says architecture is 7, expected a name"),
        (changed(architecture="electra"), "was trained on electra"),
        (changed(model="bert"), "says model is 'bert', expected an object"),
    ],
)
def test_a_malformed_manifest_is_one_sentence(manifest: str, words: str, tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / MANIFEST).write_text(manifest)
    refused(folder, words)


def test_a_manifest_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    (folder / MANIFEST).write_bytes(b"\xff\xfe\x00")
    refused(folder, "is not valid JSON")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
OPTIONS = ("rank", "alpha", "dropout", "target", "rank_stabilized", "name", "dtype")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from([*((name,) for name in WHOLE), *(("options", name) for name in OPTIONS), ("new",)]),
    value=ANYTHING,
)
def test_any_manifest_loads_or_is_refused(path: tuple[str, ...], value: Any, folder: Path, bert: Any) -> None:
    manifest = json.loads(json.dumps(WHOLE))
    inner = manifest
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    (folder / MANIFEST).write_text(json.dumps(manifest))
    try:
        methods.load(bert, folder).remove()
    except MethodError as error:
        message = str(error)
    else:
        message = str(folder)
    assert str(folder) in message
    assert "\n" not in message
    assert equal(state(bert), state(tiny("bert")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("saved"))


@pytest.fixture(scope="module")
def bert() -> Any:
    return tiny("bert")


QUERY = "method.encoder.layer.0.attention.self.query.lora_A"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(QUERY), f"{QUERY} is on one side only"),
        (lambda t: t.update(more=torch.ones(1)), "more is on one side only"),
        (lambda t: t.update({QUERY: torch.ones(32, 2)}), r"is \(32, 2\), expected \(2, 32\)"),
        (lambda t: t.update({QUERY: torch.ones(())}), r"is \(\), expected \(2, 32\)"),
        (lambda t: t.update({QUERY: torch.ones(2, 32, dtype=torch.int64)}), "is torch.int64, expected"),
        (
            lambda t: t.update({QUERY: torch.ones(2, 32, dtype=torch.complex64)}),
            "is torch.complex64, expected",
        ),
        (lambda t: t.clear(), "is on one side only"),
    ],
)
def test_other_tensors_are_one_sentence(change: Any, words: str, tmp_path: Path) -> None:
    folder = saved(tmp_path)
    tensors = load_file(folder / TENSORS)
    change(tensors)
    save_file(tensors, folder / TENSORS)
    refused(folder, words)


def test_tensors_that_are_not_there_are_one_sentence(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    whole = (folder / TENSORS).read_bytes()
    for content in (b"", whole[:7], whole[:100], whole[:-1]):
        (folder / TENSORS).write_bytes(content)
        refused(folder, "cannot read .*paretune.safetensors")
    (folder / TENSORS).unlink()
    refused(folder, "cannot read .*paretune.safetensors")
    (folder / TENSORS).mkdir()
    refused(folder, "cannot read .*paretune.safetensors")


@pytest.mark.parametrize("name", ["lora", "bitfit", "prompt", "did"])
def test_a_checkpoint_is_of_its_class_and_labels(name: str, tmp_path: Path) -> None:
    folder = apply(tiny("gpt2"), name).save(tmp_path)
    trained = r"\(it was trained on GPT2ForSequenceClassification with 3 labels\)"
    refused(folder, trained, tiny("gpt2", num_labels=2))
    refused(folder, trained, tiny("gpt2", "causal"))

"""Sizes that were read off once: those that come with Paretune are the models', and no cache is believed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import methods
from methods.anatomy import Geometry
from runners import models, shapes
from runners.errors import ModelError
from runners.shapes import LABELS, Shapes
from tests.methods.cells import why_not

SIZES = Shapes(Geometry.gpt(3, 16), frozenset({"lora"}))


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with a configuration, and a cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "gpt2"}')
    return str(tmp_path / "model")


@pytest.mark.parametrize("name", ["embedded", *models.architectures()])
def test_what_comes_with_paretune_is_that_of_the_model(name: str) -> None:
    """Out of date? `python tests/shapes_file.py`."""
    skeleton = models.skeleton(name, LABELS)
    adapted = methods.apply(skeleton, "lora")
    assert adapted.parameter_counts()["method"] > 0
    shipped = shapes.known(name, LABELS)
    assert shipped is not None
    assert shipped.geometry == adapted.sizes.geometry
    kind = skeleton.config.model_type
    assert shipped.takes == {m for m in methods.names() if why_not(m, kind, "classify") is None}


def test_with_another_transformers_nothing_of_it_is_used(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setattr(shapes, "_transformers", lambda: "0.0")
    shapes._shipped.cache_clear()
    try:
        assert shapes.known("embedded", LABELS) is None
    finally:
        shapes._shipped.cache_clear()


def test_what_is_kept_is_found_again(model: str, tmp_path: Path) -> None:
    assert shapes.known(model, 3) is None
    shapes.keep(model, 3, SIZES)
    assert shapes.known(model, 3) == SIZES
    assert shapes.known(str(Path(model) / "config.json"), 3) == SIZES
    (kept,) = shapes.folder().iterdir()
    assert kept.is_relative_to(tmp_path / "cache" / "paretune")


@pytest.mark.parametrize("changed", ["labels", "configuration", "transformers", "code"])
def test_all_that_decides_the_sizes_is_in_the_key(
    changed: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes.keep(model, 3, SIZES)
    if changed == "configuration":
        (Path(model) / "config.json").write_text('{"model_type": "gpt2", "n_layer": 3}')
    if changed in ("transformers", "code"):
        monkeypatch.setattr(shapes, f"_{changed}", lambda: "another")
    assert shapes.known(model, 4 if changed == "labels" else 3) is None


@pytest.mark.parametrize("key", ["auto_map", "configuration_files", "quantization_config"])
def test_a_configuration_that_does_not_decide_alone_is_not_kept(key: str, model: str) -> None:
    (Path(model) / "config.json").write_text(json.dumps({"model_type": "gpt2", key: {}}))
    shapes.keep(model, 3, SIZES)
    assert shapes.known(model, 3) is None
    assert not shapes.folder().exists()


def _rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """A file whose hash is right and whose content is no model's."""

    def write(file: Path) -> None:
        stored = json.loads(file.read_text())
        change(stored["shapes"])
        stored["sha256"] = shapes._hash(shapes._written(stored["shapes"]))
        file.write_text(json.dumps(stored))

    return write


SPOILED: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-9]),
    "empty": lambda file: file.write_bytes(b""),
    "another number": lambda file: file.write_text(file.read_text().replace('"hidden": 16', '"hidden": 17')),
    "a list": lambda file: file.write_text("[]"),
    "no text": lambda file: file.write_bytes(b"\xff\xfe\x00"),
    "deep": lambda file: file.write_text("[" * 100_000),
    "huge": lambda file: file.write_text(file.read_text() + " " * shapes.MOST_BYTES),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "negative": _rewritten(lambda plain: plain.update(hidden=-1)),
    "of words": _rewritten(lambda plain: plain.update(base="many")),
    "endless": _rewritten(lambda plain: plain.update(blocks=[[10**12, 1]])),
    "without a field": _rewritten(lambda plain: plain.pop("norms")),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_broken_file_is_as_if_it_were_not_there(spoil: Callable[[Path], object], model: str) -> None:
    shapes.keep(model, 3, SIZES)
    (file,) = shapes.folder().iterdir()
    spoil(file)
    assert shapes.known(model, 3) is None
    shapes.keep(model, 3, SIZES)
    assert shapes.known(model, 3) == (None if file.is_dir() else SIZES)


def test_where_nothing_can_be_kept_nothing_happens(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    shapes.keep(model, 3, SIZES)
    assert shapes.known(model, 3) is None


def test_the_cache_lies_where_the_user_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for unset in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert shapes.folder().is_relative_to(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", os.sep + "elsewhere")
    assert shapes.folder() == Path(os.sep) / "elsewhere" / "paretune" / "shapes"


@pytest.mark.parametrize("name", ["nobody/no-such-model", "no model!", "./nowhere"])
def test_a_model_that_cannot_be_had_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=f"{re.escape(repr(name))}.*embedded") as caught:
        shapes.known(name, 2)
    assert "\n" not in str(caught.value)
    shapes.keep(name, 2, SIZES)

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import methods
import tasks
from reports.records.identity import spec_hash
from runners import models
from runners.errors import ModelError
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.trials import adapting
from runners.work import checking, execute
from tasks import DataError
from tests.runners.folders import saved, word_tokenizer, writer


def made(model: str, glue_folder: str, *chosen: Any, **more: Any) -> study.Study:
    values = {
        "name": "small",
        "models": [model],
        "tasks": ["cola"],
        "methods": list(chosen),
        "data": glue_folder,
    }
    protocol = {"steps": 2, "evaluate_every": 2, "batch_size": 4, "scored_examples": 8}
    return study.parse_study(values | {"costs": "none", "protocol": protocol} | more)


def test_a_missing_folder(tiny_model: str) -> None:
    with pytest.raises(DataError):
        checking.check(made(tiny_model, "no-such-folder", "head"))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("bitfit", "has no biases, bitfit has nothing to train"),
        ({"top_layers": {"layers": 5}}, "5"),
        ({"lora": {"layers": [7]}}, "7"),
    ],
)
def test_what_a_model_cannot_carry(method: Any, words: str, glue_folder: str, tmp_path: Path) -> None:
    """One sentence before anything trains, however many methods could be trained."""
    name = saved(tmp_path, "llama", word_tokenizer(eos_token="t2"))
    with pytest.raises(SpecError, match=f"cannot be trained with .*{words}"):
        checking.check(made(name, glue_folder, "head", method))
    checking.check(made(name, glue_folder, "head", "lora"))


ARCHITECTURE_OF = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": "llama",
    "sentence-transformers/all-mpnet-base-v2": "mpnet",
}
"""The architecture of each model of the hub that a study of ours names."""


def test_no_built_in_study_is_refused_by_its_own_model(tmp_path: Path) -> None:
    """Every method of each finds its place in the model, or in a tiny one of the same architecture."""
    names = [name for name in study.built_in() if study.content(name).get("kind", "trials") == "trials"]
    studies = [study.read_study(name) for name in names]
    specs = [
        spec for made in studies for spec in (*made.specs, *(search.default for search in made.searches))
    ]
    for model in {spec.model for spec in specs}:
        of_model = [spec for spec in specs if spec.model == model]
        here = model
        if model != "embedded":
            architecture = ARCHITECTURE_OF[model]
            folder = tmp_path / architecture
            writes = any(spec.writes for spec in of_model)
            here = writer(folder, architecture) if writes else saved(folder, architecture, word_tokenizer())
        checking.check_methods(here, [spec for spec in of_model if not spec.writes])
        if writing := [spec for spec in of_model if spec.writes]:
            checking.check_methods(here, writing, models.writing_skeleton(here))


def test_a_method_larger_than_its_base_is_a_result(tiny_model: str, glue_folder: str) -> None:
    (spec,) = made(tiny_model, glue_folder, {"houlsby": {"bottleneck": 8192}}).specs
    adapted = adapting.adapt(spec, tasks.get("cola"))
    assert adapting.describe_parameters(adapted).trainable_share > 1


def test_a_tokenizer_that_reads_nothing(tiny_model: str, glue_folder: str, tmp_path: Path) -> None:
    """transformers makes an empty one where its files are missing."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match=r"tokenizer of .* knows next to nothing of"):
        checking.check(made(str(folder), glue_folder, "head"))
    (folder / "tokenizer.json").write_text('{"a": 1}')
    with pytest.raises(ModelError, match="cannot be used: KeyError"):
        checking.check(made(str(folder), glue_folder, "head"))


def test_a_tokenizer_of_another_model(glue_folder: str, tmp_path: Path) -> None:
    name = saved(tmp_path, "bert", word_tokenizer(), vocab_size=110)
    with pytest.raises(ModelError, match="tokens up to number 119, and the model has 110"):
        checking.check(made(name, glue_folder, "head"))


def test_two_paths_to_one_model_are_one_trial(
    tiny_model: str, glue_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Path(shutil.copytree(tiny_model, tmp_path / "moved"))
    os.symlink(tiny_model, tmp_path / "link")
    monkeypatch.chdir(tmp_path)
    names = (tiny_model, f"{tiny_model}/", str(moved), "./moved", "link", str(moved / "config.json"))
    ids = {spec.trial_id for name in names for spec in made(name, glue_folder, "head").specs}
    assert len(ids) == 1
    (record,) = execute.run_study(made(tiny_model, glue_folder, "head"), tmp_path / "out", [])
    assert record.spec["model"] == tiny_model
    assert {record.trial_id, spec_hash(record.spec), TrialSpec(**record.spec).trial_id} == ids
    assert execute.run_study(made("./moved", glue_folder, "head"), tmp_path / "out", []) == [record]
    assert record.model is not None
    assert record.model.head == "fresh, in place of the checkpoint's own"


@pytest.mark.parametrize("what", ["weights", "configuration", "tokenizer"])
def test_a_model_that_was_replaced_is_refused(
    what: str, tiny_model: str, glue_folder: str, tmp_path: Path
) -> None:
    folder, out = Path(shutil.copytree(tiny_model, tmp_path / "model")), tmp_path / "out"
    first = made(str(folder), glue_folder, "head")
    execute.run_study(first, out, [])
    if what == "weights":  # of the same size, at once
        tensors = load_file(folder / "model.safetensors")
        save_file(
            {key: value + 1 for key, value in tensors.items()}, folder / "model.safetensors", {"format": "pt"}
        )
    else:
        file = folder / ("config.json" if what == "configuration" else "tokenizer_config.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | {"layer_norm_eps": 0.1}))
    second = made(str(folder), glue_folder, "head", "bitfit")
    assert second.specs[0].trial_id != first.specs[0].trial_id
    with pytest.raises(SpecError, match=r"measured with other files of the model .* choose another --out"):
        execute.run_study(second, out, [])


def test_embedded_and_hub_ids_are_known_by_their_names(glue_folder: str) -> None:
    for name in ("embedded", "google-bert/bert-base-uncased"):
        (spec,) = made(name, glue_folder, "head").specs
        assert spec.model_sha256 is None
        told = spec.model_dump(mode="json")
        assert spec.trial_id == spec_hash(
            {key: value for key, value in told.items() if key != "model_sha256"}
        )


def test_the_check_leaves_the_skeleton_as_it_was(tiny_model: str) -> None:
    """Methods are put into one skeleton in turn."""
    skeleton = models.skeleton(tiny_model)
    before = str(skeleton)
    for name in methods.names():
        methods.apply(skeleton, name).remove()
    assert str(skeleton) == before
    assert all(parameter.is_meta for parameter in skeleton.parameters())

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

import methods
import tasks
from runners import models
from runners.errors import ModelError
from tests.methods.anatomy.test_geometry import PUBLISHED
from tests.methods.conftest import SIZES, build


def test_embedded_is_found_offline() -> None:
    assert models.config("embedded").hidden_size == 384
    assert models.revision("embedded").startswith("sha256:")
    assert models.revision("embedded") == models.revision("embedded")


def test_classifier_has_the_tasks_head() -> None:
    torch.manual_seed(0)
    model = models.classifier("embedded", tasks.get("stsb"))
    assert model.config.num_labels == 1
    assert model.config.problem_type == "regression"
    assert not model.training
    assert models.classifier("embedded", tasks.get("mnli")).config.num_labels == 3


def test_skeleton_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(models.config("embedded").to_dict() | {"model_type": "bert"}))
    for name in (str(path), str(tmp_path)):
        model = models.skeleton(name, 5)
        assert all(parameter.is_meta for parameter in model.parameters())
        assert model.config.num_labels == 5


def test_skeleton_of_a_class() -> None:
    model = models.skeleton("gpt2", class_name="GPT2LMHeadModel")
    assert type(model).__name__ == "GPT2LMHeadModel"
    assert all(parameter.is_meta for parameter in model.parameters())
    with pytest.raises(ModelError, match="'gpt2' is a gpt2, expected one for a BertModel"):
        models.skeleton("gpt2", class_name="BertModel")
    with pytest.raises(ModelError, match="no model class 'AutoModel'"):
        models.skeleton("gpt2", class_name="AutoModel")


@pytest.mark.parametrize(("model", "layers", "width", "name", "options", "expected"), PUBLISHED)
def test_published_counts_on_whole_models(
    model: str, layers: int, width: int, name: str, options: dict[str, Any], expected: int
) -> None:
    skeleton = models.skeleton(model)
    assert (skeleton.config.num_hidden_layers, skeleton.config.hidden_size) == (layers, width)
    assert all(parameter.is_meta for parameter in skeleton.parameters())  # 175 billion, without memory
    assert methods.apply(skeleton, name, **options).parameter_counts()["method"] == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("./nowhere", "there is no model at './nowhere'"),
        ("/nowhere/config.json", "there is no model"),
        ("a/b/c", "there is no model"),
    ],
)
def test_missing_places(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        models.config(name)


def test_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        models.config(str(tmp_path))
    (tmp_path / "config.json").write_text('{"hidden_size": 3}')
    with pytest.raises(ModelError, match="cannot be used"):
        models.config(str(tmp_path))


def test_unreachable_hub_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="could not be read") as caught:
        models.config("nobody/no-such-model")
    assert "\n" not in str(caught.value)
    assert "embedded" in str(caught.value)


def test_settings_of_transformers_are_put_back() -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    models.config("embedded")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize(
    ("kind", "side"), [("xlnet", "left"), ("bert", "right"), ("data2vec-text", "right"), ("bloom", "right")]
)
def test_the_side_that_a_model_can_be_padded_on(kind: str, side: str, tmp_path: Path) -> None:
    """XLNet's head reads the last position, whatever is there."""
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    assert models.padding_side(str(tmp_path)) == side


@pytest.mark.parametrize("kind", ["fnet", "convbert"])
def test_a_model_whose_answers_move_with_the_padding_is_refused(kind: str, tmp_path: Path) -> None:
    """FNet mixes all positions, ConvBERT's convolutions reach beyond the end of a text."""
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="depend on the padding beside a text"):
        models.padding_side(str(tmp_path))


@pytest.mark.parametrize(
    "kind", ["data2vec-text", "roberta", "camembert", "xlm-roberta", "roberta-prelayernorm", "mpnet", "bert"]
)
def test_the_longest_input_is_the_longest_that_runs(kind: str) -> None:
    """Models that number tokens RoBERTa's way have positions in front that no token gets."""
    sizes = SIZES | {"pad_token_id": 1, "max_position_embeddings": 66, "num_labels": 2}
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(kind, **sizes)).eval()
    longest = methods.apply(model, "head").max_input_length
    assert longest == (66 if kind == "bert" else 64)
    with torch.no_grad():
        model(input_ids=torch.full((1, longest), 7))
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, longest + 1), 7))


@pytest.mark.parametrize(("architecture", "head"), [("gpt2", "causal"), ("mt5", "seq2seq")])
def test_a_model_that_writes_is_loaded_with_its_own_head(
    tmp_path: Path, architecture: str, head: str
) -> None:
    made = build(architecture, head)
    made.save_pretrained(tmp_path)
    found = models.language_model(str(tmp_path))
    assert type(found) is type(made)
    assert not found.training
    for name, value in made.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


def test_what_cannot_write_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^the model 'embedded' \(bert\) writes no text: expected a causal"):
        models.language_model("embedded")
    build("llama", "classify").save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"has no weights of 'lm_head.weight', so that it cannot write"):
        models.language_model(str(tmp_path))

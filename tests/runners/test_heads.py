"""A checkpoint's own head: drawn anew, or mapped by the names of its labels, and said so."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

import methods
import tasks
from methods.anatomy import fresh
from runners import device, heads, models
from runners.errors import ModelError
from runners.numerics import Numerics
from tests.methods.conftest import build

MNLI = tasks.get("mnli")


def loaded(folder: Path, task: str = "mnli", seed: int = 0) -> PreTrainedModel:
    device.seed_everything(seed)
    return models.classifier(str(folder), tasks.get(task))


def head_of(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    body = {id(p) for p in model.base_model.parameters()}
    return {name: p for name, p in model.named_parameters() if id(p) not in body}


def same(one: PreTrainedModel, other: PreTrainedModel) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "deberta-v3", "distilbert", "llama", "bart"])
def test_a_head_of_another_task_leaves_no_trace(architecture: str, tmp_path: Path) -> None:
    """What is drawn over it is what is drawn over a checkpoint that has none."""
    whole = build(architecture, "classify")
    whole.save_pretrained(tmp_path / "whole")
    head = head_of(whole)
    kept = {key: value for key, value in whole.state_dict().items() if key not in head}
    whole.save_pretrained(tmp_path / "body", state_dict=kept)
    over, without = loaded(tmp_path / "whole"), loaded(tmp_path / "body")
    assert same(over, without)
    assert (heads.origin(over), heads.origin(without)) == (heads.REPLACED, heads.FRESH)
    assert not same(over, loaded(tmp_path / "whole", seed=1))
    assert not any(torch.equal(now, head[name]) for name, now in head_of(over).items() if now.ndim > 1)
    other = loaded(tmp_path / "whole", "sst2")  # of another size
    assert heads.origin(other) == heads.REPLACED
    assert same(other, loaded(tmp_path / "body", "sst2"))


@pytest.mark.parametrize("architecture", ["bert", "roberta", "llama", "t5"])
def test_labels_of_the_same_names_are_mapped(architecture: str, tmp_path: Path) -> None:
    names = {0: "CONTRADICTION", 1: "neutral", 2: "Entailment"}
    own = build(architecture, "classify")
    own.config.id2label = names
    own.save_pretrained(tmp_path)
    model = loaded(tmp_path)
    assert heads.origin(model) == heads.MAPPED
    ids = torch.randint(4, 120, (2, 7), generator=torch.Generator().manual_seed(0))
    ids[:, -1] = own.config.eos_token_id
    with torch.no_grad():
        theirs, ours = (
            each(input_ids=ids, attention_mask=torch.ones_like(ids)).logits for each in (own, model)
        )
    order = [[name.lower() for name in names.values()].index(label) for label in MNLI.labels]
    assert torch.equal(ours, theirs[:, order])
    assert order == [2, 1, 0]


@pytest.mark.parametrize(
    "names",
    [
        {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"},
        {0: "entailment", 1: "neutral", 2: "other"},
        {0: "entailment", 1: "neutral", 2: "Neutral"},
    ],
)
def test_labels_of_other_names_are_not(names: dict[int, str], tmp_path: Path) -> None:
    own = build("bert", "classify")
    own.config.id2label = names
    own.save_pretrained(tmp_path)
    assert heads.origin(loaded(tmp_path)) == heads.REPLACED


def test_a_checkpoint_without_the_blocks_is_refused(tmp_path: Path) -> None:
    """transformers draws what it does not find, and says so in a log."""
    whole = build("bert", "classify")
    kept = {key: value for key, value in whole.state_dict().items() if "layer.1." not in key}
    whole.save_pretrained(tmp_path, state_dict=kept)
    AutoModelForSequenceClassification.from_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"is not one of a BertForSeq.*16 weights of its blocks are missing"):
        loaded(tmp_path)


def test_a_regression_has_no_names(tmp_path: Path) -> None:
    own = build("bert", "classify", num_labels=1)
    own.save_pretrained(tmp_path)
    assert heads.origin(loaded(tmp_path, "stsb")) == heads.REPLACED


@pytest.mark.parametrize(("architecture", "lacks"), [("bert", True), ("roberta", False)])
def test_what_a_checkpoint_lacks_in_the_body_is_named(architecture: str, lacks: bool, tmp_path: Path) -> None:
    """BERT trained on masked words alone has no pooler; RoBERTa's classifier needs none."""
    whole = build(architecture, "classify")
    kept = {key: value for key, value in whole.state_dict().items() if "pooler" not in key}
    whole.save_pretrained(tmp_path, state_dict=kept)
    model = loaded(tmp_path)
    pooler = ("bert.pooler.dense.bias", "bert.pooler.dense.weight") if lacks else ()
    assert fresh(model) == set(pooler)
    assert heads.origin(model) == heads.REPLACED + (
        f"; drawn in the body: {', '.join(pooler)}" if lacks else ""
    )
    assert set(pooler) <= {name for name, _ in model.named_parameters()}


def test_what_is_drawn_in_body_and_head_is_not_the_same_numbers(tmp_path: Path) -> None:
    """Both follow one generator: a head drawn from where the pooler began was a copy of its first rows."""
    whole = build("bert", "classify")
    kept = {key: value for key, value in whole.state_dict().items() if "pooler" not in key}
    bare = {key: value for key, value in kept.items() if "classifier" not in key}
    whole.save_pretrained(tmp_path / "head", state_dict=kept)
    whole.save_pretrained(tmp_path / "bare", state_dict=bare)
    over, without = loaded(tmp_path / "head"), loaded(tmp_path / "bare")
    assert (heads.origin(over) or "").startswith(heads.REPLACED)
    assert (heads.origin(without) or "").startswith(heads.FRESH + ";")
    assert same(over, without)
    assert not torch.equal(over.classifier.weight, over.bert.pooler.dense.weight[:3])


def test_what_has_another_size_is_drawn_too(tmp_path: Path) -> None:
    whole = build("bert", "classify")
    kept = whole.state_dict() | {"bert.pooler.dense.weight": torch.ones(16, 32)}
    whole.save_pretrained(tmp_path, state_dict=kept)
    model = loaded(tmp_path)
    assert fresh(model) == {"bert.pooler.dense.weight"}
    assert model.bert.pooler.dense.weight.shape == (32, 32)


def test_a_language_model_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    whole = build("gpt2", "causal", tie_word_embeddings=False)
    kept = whole.state_dict() | {"lm_head.weight": torch.ones(7, 32)}
    whole.save_pretrained(tmp_path, state_dict=kept)
    with pytest.raises(ModelError, match=r"has no weights of 'lm_head\.weight', so that it cannot write"):
        models.language_model(str(tmp_path))


@pytest.mark.parametrize("bits", ["nf4", "int8"])
@pytest.mark.parametrize("lacks", ["pooler", "pooler.dense.bias"])
def test_what_is_drawn_stays_whole_where_few_bits_are_asked_for(
    bits: Literal["nf4", "int8"], lacks: str, tmp_path: Path
) -> None:
    """Layers are packed as their weights arrive, and of these none do; what arrives is packed."""
    whole = build("bert", "classify")
    kept = {key: value for key, value in whole.state_dict().items() if lacks not in key}
    whole.save_pretrained(tmp_path, state_dict=kept)
    model = models.classifier(str(tmp_path), tasks.get("sst2"), Numerics(quantization=bits))
    assert (type(model.bert.pooler.dense) is nn.Linear) is (lacks == "pooler")
    assert type(model.bert.encoder.layer[0].output.dense) is not nn.Linear
    adapted = methods.apply(model, "lora")
    model(input_ids=torch.arange(4, 9)[None]).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in adapted.head.values())
    assert len(adapted.head) == (4 if lacks == "pooler" else 3)

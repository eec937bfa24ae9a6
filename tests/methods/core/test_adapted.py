from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertModel,
    BloomConfig,
    BloomForSequenceClassification,
)

import methods
from runners import models

from ..cells import perturb
from ..conftest import inputs, logits, text, tiny


def skeleton(architecture: str, **sizes: Any) -> Any:
    with torch.device("meta"):
        return AutoModelForSequenceClassification.from_config(AutoConfig.for_model(architecture, **sizes))


# method-facts: MiniLM-L6 and BERT-base, no head.
GOLDEN = [
    ("lora", {"rank": 8}, 73_728, 294_912),
    ("houlsby", {"bottleneck": 64, "layer_norms": False}, 595_200, 2_379_264),
    ("houlsby", {"bottleneck": 64}, 605_184, 2_417_664),
    ("lin", {"bottleneck": 64}, 302_208, 1_208_064),
    ("pfeiffer", {"bottleneck": 64}, 297_600, 1_189_632),
    ("parallel", {"bottleneck": 64}, 297_600, 1_189_632),
    ("vera", {"rank": 256}, 7_680, 24_576),
    ("vera", {"rank": 1024}, 16_896, 43_008),
    ("ln", {}, 9_984, 38_400),
    ("prefix", {"length": 30, "hidden": None}, 138_240, 552_960),
    ("prefix", {"length": 30, "hidden": 512}, 2_572_544, 9_872_384),
    ("prompt", {"length": 20}, 7_680, 15_360),
    ("bitfit", {}, 25_728, 102_144),
    ("full", {}, 22_713_216, 109_482_240),
]


@pytest.mark.parametrize(("name", "options", "minilm", "base"), GOLDEN)
def test_known_counts(name: str, options: dict[str, Any], minilm: int, base: int) -> None:
    assert methods.apply(models.skeleton("embedded"), name, **options).parameter_counts()["method"] == minilm
    assert methods.apply(skeleton("bert"), name, **options).parameter_counts()["method"] == base


def test_counts_of_the_published_encoders() -> None:
    sizes = {
        "roberta-base": {},
        "roberta-large": {"num_hidden_layers": 24, "hidden_size": 1024, "intermediate_size": 4096}
        | {"num_attention_heads": 16},
    }
    for name, rank, expected in (("roberta-base", 8, 294_912), ("roberta-large", 8, 786_432)):
        model = skeleton("roberta", **sizes[name])
        assert methods.apply(model, "lora", rank=rank).parameter_counts()["method"] == expected
    large = skeleton("roberta", **sizes["roberta-large"])
    assert methods.apply(large, "pfeiffer", bottleneck=16).parameter_counts()["method"] == 811_392


def test_a_model_without_a_head() -> None:
    model = BertModel(tiny("bert").config)
    counts = methods.apply(model, "lora", rank=2).parameter_counts()
    assert counts["head"] == 0
    assert model(**text(model)).last_hidden_state.shape == (3, 11, 32)


def unknown() -> BloomForSequenceClassification:
    return BloomForSequenceClassification(BloomConfig(n_layer=1, hidden_size=8, n_head=2, vocab_size=50))


@pytest.mark.parametrize("name", ["lora", "vera", "ia3", "houlsby", "parallel", "prefix"])
def test_an_unknown_architecture_is_named_and_left_alone(name: str) -> None:
    model = unknown()
    shape, flags = str(model), [p.requires_grad for p in model.parameters()]
    with pytest.raises(methods.AnatomyError, match=r"Classification \(bloom\) has no \w+ that"):
        methods.apply(model, name)
    assert (str(model), [p.requires_grad for p in model.parameters()]) == (shape, flags)


@pytest.mark.parametrize(
    "name", ["full", "head", "bitfit", "ln", "did", "said", "lin", "pfeiffer", "prompt", "top_layers"]
)
def test_methods_ask_for_no_role_that_they_do_not_need(name: str) -> None:
    made = methods.apply(unknown(), name, **({"layers": 1} if name == "top_layers" else {}))
    assert sum(made.parts().values()) == made.parameter_counts()["method"]
    made.remove()


def test_names_and_lookup() -> None:
    contract = {
        "full", "head", "bitfit", "ln", "top_layers", "lora", "dora", "vera", "ia3",
        "houlsby", "lin", "pfeiffer", "parallel", "prefix", "prompt", "did", "said",
    }  # fmt: skip
    assert contract <= set(methods.names())
    with pytest.raises(methods.MethodError, match=r"unknown method 'lroa'; did you mean lora"):
        methods.get("lroa")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lora", {"rnk": 8}, "did you mean rank"),
        ("lora", {"rank": 0}, "rank=0"),
        ("lora", {"rank": "eight"}, "rank='eight'"),
        ("lora", {"alpha": float("nan")}, "alpha"),
        ("lora", {"target": "queri"}, "queri"),
        ("lora", {"target": "query,query"}, "each target may be named once"),
        ("lora", {"dropout": 1.0}, "dropout"),
        ("prompt", {"init": "zero"}, "vocabulary"),
        ("full", {"rank": 8}, "full has no option 'rank'"),
    ],
)
def test_bad_options_are_one_sentence(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(methods.OptionError, match=words) as caught:
        methods.apply(tiny("bert"), name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", methods.names())
def test_one_method_at_a_time(name: str) -> None:
    model = tiny("bert")
    methods.apply(model, name)
    with pytest.raises(methods.MethodError, match=f"already holds '{name}'"):
        methods.apply(model, "lora")


def test_what_is_not_a_model_is_refused() -> None:
    with pytest.raises(methods.MethodError, match="received Linear"):
        methods.apply(torch.nn.Linear(2, 2), "lora")  # type: ignore[arg-type]


def test_loading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(methods.MethodError, match=r"no paretune\.json"):
        methods.load(tiny("bert"), tmp_path)
    (tmp_path / "paretune.json").write_text("{")
    with pytest.raises(methods.MethodError, match="not valid JSON"):
        methods.load(tiny("bert"), tmp_path)
    (tmp_path / "paretune.json").write_text('{"format_version": 99}')
    with pytest.raises(methods.MethodError, match="format_version 99"):
        methods.load(tiny("bert"), tmp_path)


def test_a_checkpoint_that_does_not_fit_leaves_the_model_alone(tmp_path: Path) -> None:
    methods.apply(tiny("bert"), "lora").save(tmp_path)
    wide = tiny("bert", hidden_size=64)
    before = {name: tensor.clone() for name, tensor in wide.state_dict().items()}
    with pytest.raises(methods.MethodError, match="does not fit BertForSequenceClassification"):
        methods.load(wide, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in wide.state_dict().items())
    deep = tiny("bert", num_hidden_layers=3)
    with pytest.raises(methods.MethodError, match="on one side only"):
        methods.load(deep, tmp_path)
    (tmp_path / "paretune.safetensors").write_bytes(b"not tensors")
    with pytest.raises(methods.MethodError, match="cannot read"):
        methods.load(tiny("bert"), tmp_path)


def test_a_prefix_is_stored_without_its_mlp(tmp_path: Path) -> None:
    made = methods.apply(tiny("bert"), "prefix", length=4, hidden=6)
    made.save(tmp_path)
    manifest = json.loads((tmp_path / "paretune.json").read_text())
    assert manifest["options"] == {"length": 4, "hidden": None}
    loaded = methods.load(tiny("bert"), tmp_path)
    assert loaded.parameter_counts()["method"] == made.stored_count() == 2 * 2 * 32 * 4


def test_every_source_and_default_is_declared() -> None:
    for name in methods.names():
        method = methods.get(name)
        assert method.card.source
        assert method.card.summary
        assert method.card.learning_rate > 0
        assert all(field.description for field in method.options.model_fields.values())


def test_merging_twice_or_unmerging_what_is_not() -> None:
    made = methods.apply(tiny("bert"), "lora")
    with pytest.raises(methods.MergeError, match="not merged"):
        made.unmerge()
    made.merge()
    with pytest.raises(methods.MergeError, match="already merged"):
        made.merge()


@pytest.mark.parametrize(
    ("architecture", "head"), [("bert", "classify"), ("gpt2", "causal"), ("t5", "seq2seq")]
)
@pytest.mark.parametrize("name", ["lora", "dora", "ia3"])
def test_what_merging_rounds_away(name: str, architecture: str, head: str) -> None:
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = tiny(architecture, head, dtype=dtype)
        made = methods.apply(model, name)
        perturb(made)
        batch = inputs(model)
        unmerged = logits(model, batch)
        found[dtype] = made.merge_difference(**batch)
        assert not made.merged
        assert torch.equal(logits(model, batch), unmerged)
        made.merge()
        merged = logits(model, batch)
        assert found[dtype] == (merged.double() - unmerged.double()).abs().max().item()
        assert made.merge_difference(**batch) == found[dtype]
        assert made.merged
        assert torch.equal(logits(model, batch), merged)
    assert found[torch.float32] < 1e-4
    assert found[torch.bfloat16] > max(1e-3, 100 * found[torch.float32])


def test_the_difference_is_measured_in_evaluation_mode_and_leaves_modes_alone() -> None:
    model = tiny("bert")
    made = methods.apply(model, "lora", dropout=0.5)
    perturb(made)
    expected = made.merge_difference(**inputs(model))
    model.train()
    model.bert.encoder.eval()
    modes = [module.training for module in model.modules()]
    assert made.merge_difference(**inputs(model)) == expected < 1e-4
    assert [module.training for module in model.modules()] == modes
    with pytest.raises(ValueError, match="input_ids"):  # transformers' own
        made.merge_difference()
    assert [module.training for module in model.modules()] == modes
    made.merge()
    with pytest.raises(ValueError, match="input_ids"):  # transformers' own
        made.merge_difference()
    assert made.merged


def test_what_has_no_difference_to_measure_says_so() -> None:
    made = methods.apply(tiny("bert"), "houlsby")
    with pytest.raises(methods.MergeError, match="houlsby cannot be merged"):
        made.merge_difference(**inputs(made.model))
    bare = BertModel(tiny("bert").config)
    with pytest.raises(methods.MethodError, match=r"BertModel \(bert\) has no head, and so no logits"):
        methods.apply(bare, "lora").merge_difference(**text(bare))


def test_modes_reach_what_was_merged_away() -> None:
    model = tiny("bert").train()
    made = methods.apply(model, "lora", dropout=0.5)
    perturb(made)
    made.merge()
    model.eval()
    made.unmerge()
    assert not any(module.training for module in model.modules())

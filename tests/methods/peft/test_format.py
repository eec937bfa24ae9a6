"""Folders of the PEFT library: what is written computes the same there, and what it saved here."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import (
    IA3Config,
    LNTuningConfig,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    VeraConfig,
    get_peft_model,
)
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BertModel

import methods
from methods import IncompleteHeadWarning
from methods.anatomy import Anatomy
from methods.core import Wrap
from methods.peft.format import CONFIG, TENSORS
from methods.peft.names import Names

from ..cells import equal, perturb, state, why_not
from ..conftest import ARCHITECTURES, logits, text, tiny

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # peft asks for what transformers renamed
    pytest.mark.filterwarnings("ignore:Unsupported layer type"),  # it says so of every norm that it tunes
]

EXACT = {"rtol": 0.0, "atol": 1e-10}

DECODERS = ("gpt2", "gpt_neox", "opt", "opt-350m", "llama", "qwen2", "qwen3", "gemma", "phi3")
ALL_ROLES = {"rank": 2, "alpha": 3.5, "rank_stabilized": True, "target": "query,value,output,down"}
SAME: list[tuple[str, str, str, dict[str, Any]]] = [
    *(("lora", architecture, "classify", {"rank": 2, "alpha": 3}) for architecture in ARCHITECTURES),
    *(("lora", a, "classify", ALL_ROLES) for a in ("bert", "gpt2", "gpt_neox", "modernbert", "albert")),
    *(("lora", architecture, "seq2seq", ALL_ROLES) for architecture in ("t5", "bart")),
    *(("lora", a, "causal", {"target": "qkv,up"}) for a in ("gpt2", "gpt_neox")),
    *(("lora", a, "classify", {"rank": 2, "init": "pissa"}) for a in ("bert", "gpt2", "gpt_neox")),
    ("lora", "llama", "classify", {"rank": 2, "init": "pissa", "rank_stabilized": True, "layers": "last:1"}),
    *(("dora", a, "classify", {"rank": 2}) for a in ("bert", "gpt2", "gpt_neox", "modernbert", "llama")),
    *(("ia3", a, "classify", {}) for a in ARCHITECTURES if why_not("ia3", a, "classify") is None),
    *(("vera", a, "classify", {"rank": 2}) for a in ("bert", "albert", "llama", "deberta-v3")),
    *(("vera", a, "causal", {"rank": 2, "target": "qkv,output,down"}) for a in ("gpt2", "gpt_neox")),
    ("vera", "t5", "seq2seq", {"rank": 2, "target": "query,up"}),
    *(
        ("ln", a, "classify", {})
        for a in ("bert", "albert", "deberta-v2", "modernbert", "gpt2", "qwen3", "bart")
    ),
    ("ln", "t5", "seq2seq", {}),
    *(
        ("lora", a, "classify", ALL_ROLES | {"layers": "last:1"})
        for a in ("bert", "gpt2", "modernbert", "t5")
    ),
    *(("ia3", a, "classify", {"layers": 0}) for a in ("bert", "gpt2", "bart")),
    *(("prefix", architecture, "classify", {"length": 3, "hidden": None}) for architecture in DECODERS),
    *(("prefix", architecture, "causal", {"length": 3, "hidden": None}) for architecture in DECODERS),
    *(("prompt", architecture, "causal", {"length": 3}) for architecture in (*DECODERS, "mistral")),
    *(("prompt", architecture, "seq2seq", {"length": 3}) for architecture in ("t5", "bart")),
]
"""Method, architecture, head, options."""

FIRST = "in front of the first token, which the head reads"
REFUSED: list[tuple[str, str, str, str]] = [
    *((name, "bert", "classify", f"peft has no equal of {name}") for name in ("full", "houlsby", "bitfit")),
    ("vera", "gpt2", "classify", "adapts query and value of h.0.attn.c_attn apart"),
    ("prefix", "bert", "classify", "numbered from n, not from 0"),
    ("prefix", "modernbert", "classify", "numbered from n, not from 0"),
    ("prefix", "t5", "seq2seq", "in the decoder's own attention alone"),
    ("prefix", "bart", "classify", "in the decoder's own attention alone"),
    ("prefix", "mistral", "causal", "sliding window of 6"),
    *(("prompt", architecture, "classify", FIRST) for architecture in ("bert", "roberta", "albert")),
    ("prompt", "gpt2", "classify", "would not be found behind padding"),
]


def randomise(parameters: Any) -> None:
    """Move what is trained, to values that float32 holds: peft keeps prefixes and prompts in it."""
    torch.manual_seed(5)
    for parameter in parameters:
        parameter.data.add_(0.3 * torch.randn_like(parameter))
        parameter.data = parameter.data.float().double()


def base(architecture: str, head: str = "classify", **changes: Any) -> Any:
    return tiny(architecture, head, dtype=torch.float64, **changes)


def trained(name: str, architecture: str, head: str = "classify", **options: Any) -> methods.Adapted:
    torch.manual_seed(1)
    made = methods.apply(base(architecture, head), name, **options)
    randomise(made.trained().values())
    return made


def batch_for(model: Any, head: str) -> dict[str, Tensor]:
    batch = text(model)
    return batch | {"decoder_input_ids": batch["input_ids"][:, :6]} if head == "seq2seq" else batch


def layers(model: Any) -> set[str]:
    """The layers that peft changed, from the model."""
    found = {name for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)}
    return {name.removeprefix("base_model.model.") for name in found}


@pytest.mark.parametrize(("name", "architecture", "head", "options"), SAME)
def test_peft_computes_the_same(
    name: str, architecture: str, head: str, options: dict[str, Any], tmp_path: Path
) -> None:
    made = trained(name, architecture, head, **options)
    batch = batch_for(made.model, head)
    ours = logits(made.model, batch)
    assert made.export_peft(tmp_path) == tmp_path
    assert {file.name for file in tmp_path.iterdir()} == {CONFIG, TENSORS}  # nothing pickled
    there = PeftModel.from_pretrained(base(architecture, head), tmp_path).double().eval()
    wraps = [change for change in made._injection.changes if isinstance(change, Wrap)]
    norms = made._injection.trained if name == "ln" else ()
    changed = {wrap.site.path for wrap in wraps} | {name.rpartition(".")[0] for name in norms}
    assert layers(there) == {Names(made.anatomy).body + path for path in changed}
    theirs = logits(there, batch)[:, -ours.shape[1] :]  # without the rows over a prompt
    kept = batch["attention_mask"].bool() if head == "causal" else ...
    torch.testing.assert_close(theirs[kept], ours[kept], **EXACT)


@pytest.mark.parametrize(("name", "architecture", "head", "reason"), REFUSED)
def test_what_peft_cannot_express_is_refused(
    name: str, architecture: str, head: str, reason: str, tmp_path: Path
) -> None:
    made = trained(name, architecture, head)
    with pytest.raises(methods.MethodError, match=reason) as caught:
        made.export_peft(tmp_path)
    assert str(caught.value).count(". ") == 0
    assert not list(tmp_path.iterdir())


ROUND_TRIP: list[tuple[str, str, str, dict[str, Any]]] = [
    ("lora", "bert", "classify", {"rank": 2, "alpha": 0.5, "dropout": 0.1, "target": "key,output,up"}),
    ("lora", "gpt2", "causal", {"rank": 2, "rank_stabilized": True, "target": "qkv"}),
    ("dora", "llama", "classify", {"rank": 2}),
    ("ia3", "gpt2", "classify", {}),
    (
        "vera",
        "bert",
        "classify",
        {"rank": 2, "d_initial": 0.5, "dropout": 0.1, "target": "key,down", "seed": 3},
    ),
    ("ln", "llama", "causal", {}),
    ("prefix", "llama", "causal", {"length": 3, "hidden": None}),
    ("prompt", "t5", "seq2seq", {"length": 3}),
    ("lora", "bert", "classify", {"rank": 2, "layers": [1]}),
    ("lora", "gpt2", "causal", {"rank": 2, "target": "qkv,down", "layers": [0]}),
    ("dora", "t5", "seq2seq", {"rank": 2, "layers": [2, 3]}),
    ("ia3", "gpt2", "classify", {"layers": [1]}),
]


@pytest.mark.parametrize(("name", "architecture", "head", "options"), ROUND_TRIP)
def test_what_was_written_is_read_bit_by_bit(
    name: str, architecture: str, head: str, options: dict[str, Any], tmp_path: Path
) -> None:
    made = trained(name, architecture, head, **options)
    loaded = methods.load(base(architecture, head), made.export_peft(tmp_path))
    assert loaded.options == made.options
    for key, parameter in made.trained().items():
        assert torch.equal(loaded.trained()[key], parameter), key


def whole_and_sliced(model: Any) -> list[str]:
    """The roles that a model has; a fused projection taken as one is last."""
    found = []
    for role in ("query", "key", "value", "output", "gate", "up", "down", "qkv"):
        with contextlib.suppress(methods.AnatomyError):
            found += [role] if Anatomy(model).sites(role) else []
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_export_is_read_back(architecture: str, tmp_path: Path) -> None:
    """Whatever is adapted: all roles, some, slices of fused layers alone or beside others, trained or not."""
    draw = random.Random(architecture)
    roles = whole_and_sliced(tiny(architecture))
    parts = [role for role in roles if role != "qkv"]
    targets = [parts, draw.sample(parts, 2)]
    if "qkv" in roles:
        targets += [draw.sample(parts, number) for number in (1, 3, 4)] + [["qkv", draw.choice(parts[3:])]]
    ia3 = [] if why_not("ia3", architecture, "classify") else [("ia3", {})]
    cases = [*ia3, *((draw.choice(("lora", "dora")), {"target": target}) for target in targets)]
    for number, (name, options) in enumerate(cases):
        sizes = {"rank": 3, "alpha": 5, "rank_stabilized": draw.random() < 0.5} if options else {}
        made = methods.apply(tiny(architecture), name, **sizes, **options)
        perturb(made) if number else None
        loaded = methods.load(tiny(architecture), made.export_peft(tmp_path / str(number)))
        batch = text(made.model)
        one, other = logits(loaded.model, batch), logits(made.model, batch)
        assert torch.allclose(one, other, atol=1e-4), (name, options)


def test_a_slice_that_has_not_trained_is_that_of_the_other_blocks(tmp_path: Path) -> None:
    made = methods.apply(tiny("phi3"), "lora", rank=2, target="value,up")
    perturb(made)
    for site in made.anatomy.sites("up")[:1] + made.anatomy.sites("value")[1:]:
        made.trained()[f"method.{site.path}.{'up' if 'mlp' in site.path else 'value'}.lora_B"].data.zero_()
    loaded = methods.load(tiny("phi3"), made.export_peft(tmp_path))
    assert loaded.options.target == ("up", "qkv")  # type: ignore[attr-defined]
    batch = text(made.model)
    assert torch.allclose(logits(loaded.model, batch), logits(made.model, batch), atol=1e-5)


def test_slices_are_read_as_the_whole_matrix(tmp_path: Path) -> None:
    made = trained("lora", "gpt2", rank=2, alpha=6)
    loaded = methods.load(base("gpt2"), made.export_peft(tmp_path))
    assert loaded.options.model_dump() == made.options.model_dump() | {
        "target": ("qkv",), "rank": 4, "alpha": 12.0,
    }  # fmt: skip
    batch = text(made.model)
    torch.testing.assert_close(logits(loaded.model, batch), logits(made.model, batch), **EXACT)


def test_the_configuration_is_pefts_own(tmp_path: Path) -> None:
    made = trained("lora", "bert", rank=4, alpha=8, dropout=0.1)
    made.model.config._name_or_path = "someone/some-bert"
    made.export_peft(tmp_path)
    there = LoraConfig.from_pretrained(tmp_path)
    assert (there.r, there.lora_alpha, there.lora_dropout) == (4, 8, 0.1)
    assert there.target_modules == {"query", "value"}
    assert there.modules_to_save == ["classifier"]
    assert there.base_model_name_or_path == "someone/some-bert"
    written = json.loads((tmp_path / CONFIG).read_text())
    assert '"lora_alpha": 8,' in (tmp_path / CONFIG).read_text()  # an integer, as peft writes it
    assert {option for option in written if not hasattr(there, option)} == set()


# What peft 0.6.2 knows, read off its source; tests/peft_versions.py tries it and later versions.
FIRST_OPTIONS = {"peft_type", "task_type", "base_model_name_or_path", "inference_mode"}
FIRST_OPTIONS_OF = {
    "LORA": {"r", "lora_alpha", "lora_dropout", "bias", "target_modules", "modules_to_save"}
    | {"fan_in_fan_out", "rank_pattern", "alpha_pattern"},
    "IA3": {"target_modules", "feedforward_modules", "fan_in_fan_out", "modules_to_save"},
    "PREFIX_TUNING": {"num_virtual_tokens", "token_dim", "num_layers", "num_attention_heads"}
    | {"num_transformer_submodules", "encoder_hidden_size", "prefix_projection"},
    "PROMPT_TUNING": {"num_virtual_tokens", "token_dim", "num_layers", "num_attention_heads"}
    | {"num_transformer_submodules", "prompt_tuning_init"},
}
LATER = {"rank_stabilized": "use_rslora", "dora": "use_dora"}
"""Where the first version is without what was trained, its option is written, and refused there."""


@pytest.mark.parametrize(
    ("name", "architecture", "head", "options"),
    [
        ("lora", "gpt2", "classify", {"target": "query,value,output"}),
        ("lora", "bert", "classify", {"rank_stabilized": True}),
        ("dora", "bert", "classify", {}),
        ("ia3", "bert", "classify", {}),
        ("prefix", "gpt2", "classify", {"hidden": 6}),
        ("prefix", "llama", "causal", {"hidden": 6}),
        ("prompt", "t5", "seq2seq", {}),
    ],
)
def test_every_option_is_known_to_the_first_version(
    name: str, architecture: str, head: str, options: dict[str, Any], tmp_path: Path
) -> None:
    trained(name, architecture, head, **options).export_peft(tmp_path)
    written = json.loads((tmp_path / CONFIG).read_text())
    later = {option for used, option in LATER.items() if used in (name, *options)}
    assert written.keys() - later <= FIRST_OPTIONS | FIRST_OPTIONS_OF[written["peft_type"]]
    assert all(written[option] is True for option in later)
    assert None not in written.values()


def test_ranks_differ_where_a_fused_layer_is_among_others(tmp_path: Path) -> None:
    trained("lora", "gpt2", rank=2, alpha=3, target="query,key,value,output").export_peft(tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())
    assert (config["r"], config["lora_alpha"]) == (2, 3)
    assert (config["rank_pattern"], config["alpha_pattern"]) == ({"c_attn": 6}, {"c_attn": 9})
    assert config["fan_in_fan_out"]


def test_ends_of_names_fit_the_layers_and_no_others() -> None:
    names = Names(Anatomy(tiny("bert", num_hidden_layers=12)))
    down = [f"encoder.layer.{layer}.output.dense" for layer in range(12)]
    assert names.ends(down) == [f"{layer}.output.dense" for layer in range(12)]
    assert names.ends([f"encoder.layer.{layer}.attention.output.dense" for layer in range(12)]) == [
        "attention.output.dense"
    ]
    some = names.ends(["encoder.layer.1.intermediate.dense"])
    assert [name for name in names.all if name.endswith(tuple(some))] == [
        "bert.encoder.layer.1.intermediate.dense"
    ]
    assert Names(Anatomy(tiny("t5", "seq2seq"))).ends(["encoder.block.0.layer.0.SelfAttention.o"]) == [
        "encoder.block.0.layer.0.SelfAttention.o"  # "o" also ends "wo", and the decoder has the rest
    ]


def test_a_prefix_is_written_without_its_mlp(tmp_path: Path) -> None:
    made = trained("prefix", "gpt2", length=3, hidden=6)
    made.export_peft(tmp_path)
    assert load_file(tmp_path / TENSORS)["prompt_embeddings"].shape == (3, 2 * 2 * 32)
    loaded = methods.load(base("gpt2"), tmp_path)
    batch = text(made.model)
    assert torch.equal(logits(loaded.model, batch), logits(made.model, batch))


def test_a_folder_that_holds_both_is_ours(tmp_path: Path) -> None:
    made = trained("lora", "gpt2", rank=2)
    made.export_peft(tmp_path)
    made.save(tmp_path)
    assert methods.load(base("gpt2"), tmp_path).options == made.options  # peft's says rank 4, as a whole


def test_peft_would_take_another_module_for_the_head(tmp_path: Path) -> None:
    model = tiny("bert")
    model.bert.score = torch.nn.Identity()  # peft keeps what is called so, whatever it is told
    with pytest.raises(methods.MethodError, match=r"'bert\.score' does not allow that"):
        methods.apply(model, "lora").export_peft(tmp_path)


def without_weights(architecture: str, head: str = "classify") -> Any:
    model = tiny(architecture, head)
    with torch.device("meta"):
        return type(model)(model.config)


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


SLICES = [("lora", "gpt2", "classify", ALL_ROLES), ("lora", "modernbert", "classify", {"rank": 2})]


@pytest.mark.parametrize(("name", "architecture", "head", "options"), [*ROUND_TRIP, *SLICES])
def test_no_weights_of_the_base_are_needed(
    name: str, architecture: str, head: str, options: dict[str, Any], tmp_path: Path
) -> None:
    made = trained(name, architecture, head, **options)
    saved = methods.Checkpoint.read(made.save(tmp_path / "saved"))
    assert saved.model == {"name": None, "class": type(made.model).__name__, "num_labels": 3}
    skeleton = without_weights(architecture, head)
    there = files(methods.export_peft(skeleton, saved, tmp_path / "there"))
    assert there == files(made.export_peft(tmp_path / "here"))
    methods.apply(skeleton, "full")  # it is free again


def test_dora_on_slices_needs_the_weights(tmp_path: Path) -> None:
    made = trained("dora", "gpt2")
    with pytest.raises(methods.MethodError, match="load the model with them"):
        methods.export_peft(without_weights("gpt2"), made.checkpoint(), tmp_path)


@pytest.mark.parametrize("name", ["lora", "dora", "ia3"])
def test_a_merged_model_writes_the_same(name: str, tmp_path: Path) -> None:
    made = trained(name, "gpt2")
    made.export_peft(tmp_path / "unmerged")
    made.merge()
    made.export_peft(tmp_path / "merged")
    assert files(tmp_path / "merged") == files(tmp_path / "unmerged")


# What peft saved ------------------------------------------------------------------------------------

DOWN = ["0.output.dense", "1.output.dense"]
SAVED: list[tuple[str, str, Any, str, dict[str, Any]]] = [
    ("bert", "classify", LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=6), "lora",
     {"rank": 4, "alpha": 6.0, "target": ("query", "value"), "dropout": 0.0, "rank_stabilized": False}),
    ("bert", "classify", LoraConfig(task_type="SEQ_CLS", use_rslora=True, lora_dropout=0.1, r=2,
                                    target_modules=r".*\.(key|query|intermediate\.dense)"), "lora",
     {"rank": 2, "alpha": 8.0, "target": ("query", "key", "up"), "dropout": 0.1, "rank_stabilized": True}),
    ("bert", "classify", LoraConfig(task_type="SEQ_CLS", target_modules=["output.dense"]), "lora",
     {"target": ("output", "down")}),
    ("gpt2", "causal", LoraConfig(task_type="CAUSAL_LM", fan_in_fan_out=True), "lora", {"target": ("qkv",)}),
    ("gpt2", "causal", LoraConfig(use_dora=True, fan_in_fan_out=True, target_modules=["c_fc"]), "dora",
     {"target": ("up",)}),
    ("t5", "seq2seq", LoraConfig(task_type="SEQ_2_SEQ_LM"), "lora", {"target": ("query", "value")}),
    ("bert", "classify", LoraConfig(task_type="SEQ_CLS", layers_to_transform=[1]), "lora", {"layers": (1,)}),
    ("t5", "seq2seq", LoraConfig(target_modules=r"encoder.*(SelfAttention\.k|wo)"), "lora",
     {"target": ("key", "down"), "layers": (0, 1)}),
    ("bert", "classify", IA3Config(task_type="SEQ_CLS", target_modules=["0.attention.self.key",
                                   "0.attention.self.value", DOWN[0]], feedforward_modules=DOWN[:1]), "ia3",
     {"layers": (0,)}),
    ("bert", "classify", IA3Config(task_type="SEQ_CLS", target_modules=["key", "value", *DOWN],
                                   feedforward_modules=DOWN), "ia3", {}),
    ("bert", "classify", VeraConfig(task_type="SEQ_CLS", r=4, projection_prng_key=7, d_initial=0.3), "vera",
     {"rank": 4, "seed": 7, "d_initial": 0.3, "target": ("query", "value"), "dropout": 0.0}),
    ("gpt2", "causal", VeraConfig(fan_in_fan_out=True, target_modules=["c_attn", "c_fc"], vera_dropout=0.1),
     "vera", {"rank": 256, "seed": 0, "target": ("qkv", "up"), "dropout": 0.1}),
    ("llama", "causal", LNTuningConfig(task_type="CAUSAL_LM"), "ln", {}),
    ("gpt2", "classify", PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3), "prefix",
     {"length": 3, "hidden": None}),
    ("gpt2", "causal", PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3,
                                          prefix_projection=True), "prefix", {"length": 3, "hidden": None}),
    ("llama", "causal", PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3), "prompt",
     {"length": 3}),
    ("t5", "seq2seq", PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3), "prompt",
     {"length": 3}),
]  # fmt: skip


def save(model: Any, config: Any, folder: Path) -> Any:
    """Put one of peft's methods into a model, move its weights and save it."""
    torch.manual_seed(2)
    there = get_peft_model(model, config).eval()
    randomise(p for name, p in there.named_parameters() if p.requires_grad)
    there.save_pretrained(folder)
    return there


@pytest.mark.parametrize(("architecture", "head", "config", "name", "options"), SAVED)
def test_what_peft_saved_computes_the_same_here(
    architecture: str, head: str, config: Any, name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    there = save(base(architecture, head), config, tmp_path)
    model = base(architecture, head)
    loaded = methods.load(model, tmp_path)
    assert loaded.method.name == name
    assert options.items() <= loaded.options.model_dump().items()
    batch = batch_for(model, head)
    ours = logits(model, batch)
    kept = batch["attention_mask"].bool() if head == "causal" else ...
    # A projected prefix went through float32 in peft's own file.
    close = {"rtol": 0.0, "atol": 1e-5} if getattr(config, "prefix_projection", False) else EXACT
    torch.testing.assert_close(ours[kept], logits(there, batch)[:, -ours.shape[1] :][kept], **close)


def test_a_head_that_peft_did_not_store_stays(tmp_path: Path) -> None:
    save(base("bert"), LoraConfig(r=2), tmp_path)
    assert not any("classifier" in name for name in load_file(tmp_path / TENSORS))
    model = base("bert")
    model.classifier.weight.data.fill_(0.25)
    with pytest.warns(
        IncompleteHeadWarning, match=r"holds no classifier\.weight, classifier\.bias: "
    ) as caught:
        loaded = methods.load(model, tmp_path)
    assert caught[0].filename == __file__  # it points at who loads
    assert torch.all(model.classifier.weight == 0.25)
    assert model.classifier.weight.requires_grad
    assert loaded.parameter_counts()["head"] == 3 * 32 + 3


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ("deberta-v2", r"holds no pooler\.dense\.weight, pooler\.dense\.bias: of the task head, that stays"),
        ("modernbert", r"holds no head\.dense\.weight, head\.norm\.weight: of the task head, that stays"),
    ],
)
def test_the_parts_of_a_head_that_peft_does_not_keep_are_named(
    architecture: str, words: str, tmp_path: Path
) -> None:
    targets = ["query_proj"] if architecture == "deberta-v2" else ["Wqkv"]
    there = save(base(architecture), LoraConfig(task_type="SEQ_CLS", target_modules=targets), tmp_path)
    with pytest.warns(IncompleteHeadWarning, match=words):
        loaded = methods.load(base(architecture), tmp_path)
    batch = text(loaded.model)
    torch.testing.assert_close(logits(loaded.model, batch), logits(there, batch), **EXACT)
    with pytest.warns(IncompleteHeadWarning, match=words) as caught:
        loaded.switch(tmp_path)
    assert caught[0].filename == __file__


def test_a_folder_of_another_architecture_is_refused(tmp_path: Path) -> None:
    save(tiny("llama", "causal"), LoraConfig(r=2), tmp_path)
    model = tiny("mistral", "causal")
    with pytest.raises(methods.MethodError, match=r"saved from a LlamaForCausalLM, and MistralFor.* another"):
        methods.load(model, tmp_path)
    assert equal(state(model), state(tiny("mistral", "causal")))
    loaded = methods.load(tiny("llama", "causal"), tmp_path)
    assert loaded.options.rank == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(("architecture", "labels"), [("bert", 2), ("gpt2", 5)])
def test_a_folder_for_other_labels_is_refused(architecture: str, labels: int, tmp_path: Path) -> None:
    trained("lora", architecture).export_peft(tmp_path)
    model = tiny(architecture, num_labels=labels)
    before = state(model)
    with pytest.raises(methods.MethodError, match=rf"is \(3, 32\), expected \({labels}, 32\)"):
        methods.load(model, tmp_path)
    assert equal(state(model), before)
    if architecture == "gpt2":
        with pytest.raises(methods.MethodError, match=r"holds base_model\.model\.score\.weight"):
            methods.load(tiny(architecture, "causal"), tmp_path)


def test_a_model_without_a_head(tmp_path: Path) -> None:
    def bare() -> Any:
        torch.manual_seed(0)
        return BertModel(tiny("bert").config).double().eval()

    made = methods.apply(bare(), "lora", rank=2)
    randomise(made.trained().values())
    made.export_peft(tmp_path)
    there = PeftModel.from_pretrained(bare(), tmp_path).eval()
    batch = text(made.model)
    with torch.no_grad():
        ours, theirs = made.model(**batch).last_hidden_state, there(**batch).last_hidden_state
    torch.testing.assert_close(theirs, ours, **EXACT)


@pytest.mark.parametrize("stable", [True, False])
def test_pissa_that_peft_made_an_update_of_the_base_is_read(stable: bool, tmp_path: Path) -> None:
    """Its way to a checkpoint is ours, the difference to where it started; the head it then leaves out."""
    config = LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=8, init_lora_weights="pissa", use_rslora=stable)
    there = get_peft_model(tiny("bert"), config).eval()
    there.peft_config["default"].init_lora_weights = True
    there.save_pretrained(tmp_path / "start")
    randomise(p for _, p in there.named_parameters() if p.requires_grad)
    there.float().save_pretrained(
        tmp_path / "update", path_initial_model_for_weight_conversion=str(tmp_path / "start")
    )
    assert not any("classifier" in name for name in load_file(tmp_path / "update" / TENSORS))
    with pytest.warns(methods.IncompleteHeadWarning, match="holds no classifier"):
        loaded = methods.load(tiny("bert"), tmp_path / "update")
    assert loaded.options.rank == 4  # type: ignore[attr-defined]
    theirs = dict(there.named_parameters())
    for name, parameter in loaded.head.items():
        module, _, rest = name.partition(".")
        parameter.data.copy_(theirs[f"base_model.model.{module}.modules_to_save.default.{rest}"])
    batch = text(loaded.model)
    torch.testing.assert_close(logits(loaded.model, batch), logits(there, batch), rtol=0.0, atol=1e-4)


def test_a_folder_of_peft_can_be_switched_to(tmp_path: Path) -> None:
    there = save(base("bert"), LoraConfig(task_type="SEQ_CLS", r=4), tmp_path)
    made = trained("lora", "bert", rank=2)
    made.merge()
    made.switch(tmp_path)
    batch = text(made.model)
    torch.testing.assert_close(logits(made.model, batch), logits(there, batch), **EXACT)


STRANGE: list[tuple[str, Any, str]] = [
    ("bert", LoraConfig(bias="all"), "sets bias to 'all', which lora is without"),
    (
        "bert",
        LoraConfig(rank_pattern={"query": 2}),
        r"gives .*query rank 2 and alpha 8",
    ),
    ("bert", LoraConfig(lora_bias=True), "sets lora_bias"),
    (
        "bert",
        LoraConfig(target_modules=["0.attention.self.query", "value"]),
        r"adapts .*layer\.1.*value but not .*layer\.1.*query, and a target is a role in all blocks",
    ),
    (
        "t5",
        LoraConfig(target_modules=["SelfAttention.q"]),
        r"adapts .*SelfAttention\.q but not .*EncDecAttention",
    ),
    ("bert", LoraConfig(target_modules=["query", "pooler.dense"]), r"pooler\.dense, which has no role"),
    (
        "bert",
        LoraConfig(modules_to_save=["intermediate"]),
        r"holds .*intermediate\.dense\.\w+, which lora has no place for",
    ),
    ("bert", LoraConfig(init_lora_weights="pissa"), "'pissa' has changed the base's weights"),
    ("gpt2", LoraConfig(target_modules=["c_attn", "wte"], fan_in_fan_out=True), "holds wte.lora_embedding"),
    ("bert", IA3Config(), r"holds .*attention\.output\.dense\.ia3_l, which ia3 has no place for"),
    ("gpt2", IA3Config(fan_in_fan_out=True), "scales all features of h.0.attn.c_attn"),
    ("bert", IA3Config(target_modules=["key"], feedforward_modules=[]), "leaves .*value alone"),
    (
        "bert",
        IA3Config(target_modules=["key", "value", *DOWN], feedforward_modules=["key"]),
        "inputs|outputs",
    ),
    ("bert", VeraConfig(r=3, bias="all"), "sets bias to 'all', which vera is without"),
    ("bert", VeraConfig(r=3, target_modules=["query", "pooler.dense"]), "pooler.dense, which has no role"),
    ("bert", LNTuningConfig(target_modules=["attention.output.LayerNorm"]), "leaves .* alone, and ln trains"),
    ("bert", PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3), "numbered from n"),
    ("bert", PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3), FIRST),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # peft's own remarks on such settings
@pytest.mark.parametrize(("architecture", "config", "words"), STRANGE)
def test_what_paretune_does_not_have_is_refused(
    architecture: str, config: Any, words: str, tmp_path: Path
) -> None:
    save(tiny(architecture), config, tmp_path)
    model = tiny(architecture)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(methods.MethodError, match=words) as caught:
        methods.load(model, tmp_path)
    assert str(caught.value).startswith(f"the peft folder {tmp_path} cannot be loaded: ")
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_matrices_that_are_not_the_seeds_are_refused(tmp_path: Path) -> None:
    """A checkpoint of vera keeps the seed alone; of a folder without matrices the seed says all there is."""
    made = trained("vera", "bert", rank=2, seed=3)
    made.export_peft(tmp_path)
    tensors, config = load_file(tmp_path / TENSORS), json.loads((tmp_path / CONFIG).read_text())
    matrices = {name: tensors.pop(name) for name in ("base_model.vera_A", "base_model.vera_B")}
    save_file(tensors, tmp_path / TENSORS)
    batch = text(made.model)
    assert torch.equal(logits(methods.load(base("bert"), tmp_path).model, batch), logits(made.model, batch))
    matrices["base_model.vera_B"][0, 0] += 1
    save_file(tensors | matrices, tmp_path / TENSORS)
    with pytest.raises(methods.MethodError, match="vera_B is not what its projection_prng_key 3 gives here"):
        methods.load(base("bert"), tmp_path)
    for option, value in (("projection_prng_key", "x"), ("r", -1)):
        (tmp_path / CONFIG).write_text(json.dumps(config | {option: value}))
        with pytest.raises(methods.MethodError, match=f"={value!r} is not valid"):
            methods.load(base("bert"), tmp_path)


def test_broken_folders_are_one_sentence(tmp_path: Path) -> None:
    def load() -> None:
        methods.load(tiny("bert"), tmp_path)

    (tmp_path / CONFIG).write_text("{")
    with pytest.raises(methods.MethodError, match="not readable JSON"):
        load()
    (tmp_path / CONFIG).write_text("[]")
    with pytest.raises(methods.MethodError, match="holds a list"):
        load()
    (tmp_path / CONFIG).write_text('{"peft_type": "VERA"}')
    with pytest.raises(methods.MethodError, match="not readable"):
        load()
    torch.save({}, tmp_path / "adapter_model.bin")
    with pytest.raises(methods.MethodError, match=r"pickled in adapter_model\.bin, which can run code"):
        load()
    made = trained("lora", "bert")
    made.export_peft(tmp_path)
    (tmp_path / CONFIG).write_text('{"peft_type": "BOFT"}')
    with pytest.raises(methods.MethodError, match="its peft_type is 'BOFT', expected one of LN_TUNING, LORA"):
        load()
    (tmp_path / CONFIG).write_text('{"peft_type": "LORA", "r": 3}')
    with pytest.raises(methods.MethodError, match=r"expected \(3, 32\)"):
        load()
    (tmp_path / CONFIG).write_text('{"peft_type": "LORA", "lora_alpha": -1}')
    with pytest.raises(methods.MethodError, match="alpha=-1"):
        load()


def test_a_prefix_of_another_size_is_refused(tmp_path: Path) -> None:
    trained("prefix", "gpt2", length=3, hidden=None).export_peft(tmp_path)
    with pytest.raises(
        methods.MethodError, match=r"its prompt_embeddings is \(3, 128\), expected \(n x 192\)"
    ):
        methods.load(tiny("gpt2", num_hidden_layers=3), tmp_path)

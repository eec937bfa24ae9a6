"""Folders of the PEFT library: what is written computes the same there, and what it saved here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from torch import Tensor
from transformers import BertModel

import methods
from methods.anatomy import Anatomy
from methods.peft.format import CONFIG, TENSORS
from methods.peft.names import Names

from ..cells import why_not
from ..conftest import ARCHITECTURES, logits, text, tiny

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # peft asks for what transformers renamed

EXACT = {"rtol": 0.0, "atol": 1e-10}

DECODERS = ("gpt2", "gpt_neox", "opt", "opt-350m", "llama", "qwen2", "qwen3", "gemma", "phi3")
ALL_ROLES = {"rank": 2, "alpha": 3.5, "rank_stabilized": True, "target": "query,value,output,down"}
SAME: list[tuple[str, str, str, dict[str, Any]]] = [
    *(("lora", architecture, "classify", {"rank": 2, "alpha": 3}) for architecture in ARCHITECTURES),
    *(("lora", a, "classify", ALL_ROLES) for a in ("bert", "gpt2", "gpt_neox", "modernbert", "albert")),
    *(("lora", architecture, "seq2seq", ALL_ROLES) for architecture in ("t5", "bart")),
    *(("lora", a, "causal", {"target": "qkv,up"}) for a in ("gpt2", "gpt_neox")),
    *(("dora", a, "classify", {"rank": 2}) for a in ("bert", "gpt2", "gpt_neox", "modernbert", "llama")),
    *(("ia3", a, "classify", {}) for a in ARCHITECTURES if why_not("ia3", a, "classify") is None),
    *(("prefix", architecture, "classify", {"length": 3, "hidden": None}) for architecture in DECODERS),
    *(("prefix", architecture, "causal", {"length": 3, "hidden": None}) for architecture in DECODERS),
    *(("prompt", architecture, "causal", {"length": 3}) for architecture in (*DECODERS, "mistral")),
    *(("prompt", architecture, "seq2seq", {"length": 3}) for architecture in ("t5", "bart")),
]
"""Method, architecture, head, options."""

FIRST = "in front of the first token, which the head reads"
REFUSED: list[tuple[str, str, str, str]] = [
    *((name, "bert", "classify", f"peft has no equal of {name}") for name in ("full", "houlsby", "bitfit")),
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
    there = PeftModel.from_pretrained(base(architecture, head), tmp_path).eval()
    changed = {Names(made.anatomy).body + change.site.path for change in made._injection.foldable}
    assert layers(there) == changed
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
    ("prefix", "llama", "causal", {"length": 3, "hidden": None}),
    ("prompt", "t5", "seq2seq", {"length": 3}),
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
    ("bert", "classify", LoraConfig(target_modules=["output.dense"]), "lora", {"target": ("output", "down")}),
    ("gpt2", "causal", LoraConfig(task_type="CAUSAL_LM", fan_in_fan_out=True), "lora", {"target": ("qkv",)}),
    ("gpt2", "causal", LoraConfig(use_dora=True, fan_in_fan_out=True, target_modules=["c_fc"]), "dora",
     {"target": ("up",)}),
    ("t5", "seq2seq", LoraConfig(task_type="SEQ_2_SEQ_LM"), "lora", {"target": ("query", "value")}),
    ("bert", "classify", IA3Config(task_type="SEQ_CLS", target_modules=["key", "value", *DOWN],
                                   feedforward_modules=DOWN), "ia3", {}),
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
    loaded = methods.load(model, tmp_path)
    assert torch.all(model.classifier.weight == 0.25)
    assert model.classifier.weight.requires_grad
    assert loaded.parameter_counts()["head"] == 3 * 32 + 3


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
    ("bert", LoraConfig(layers_to_transform=[1]), r"adapts .*layer\.1.*query but not .*layer\.0"),
    ("bert", LoraConfig(target_modules=["query", "pooler.dense"]), r"pooler\.dense, which has no role"),
    (
        "bert",
        LoraConfig(modules_to_save=["pooler"]),
        r"holds pooler\.dense\.\w+, which lora has no place for",
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
    (tmp_path / CONFIG).write_text('{"peft_type": "VERA"}')
    with pytest.raises(methods.MethodError, match="its peft_type is 'VERA', expected one of LORA, IA3"):
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

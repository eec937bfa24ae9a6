"""Bases in 16, 8 and 4 bits: QLoRA and its kin, on the layers of bitsandbytes and torchao."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from bitsandbytes.functional import dequantize_4bit, int8_vectorwise_dequant
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from torch import Tensor, nn
from torchao.quantization import Int8WeightOnlyConfig, quantize_
from transformers import BitsAndBytesConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

import methods
from methods import AnatomyError
from methods.anatomy import Anatomy, geometry_of
from methods.anatomy.layers import sizes

from .cells import NO_BIASES, OPTIONS, WITHOUT_BIASES, apply, equal, perturb
from .conftest import OWN as OWN_SIZES
from .conftest import SIZES, inputs, labels, logits, tiny

LOADS = ("nf4", "int8", "torchao")
ARCHITECTURES = ("bert", "gpt2", "gpt_neox", "llama", "phi3")
"""Separate layers, a fused Conv1D, interleaved heads, grouped heads, a fused layer in slices."""
# bitsandbytes unpacks 4 bits on a CPU only where a row fills a block of 64.
WIDE: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 16, "n_inner": 128}
MOVE_EVERYTHING = ("full", "top_layers", "did", "said")
OWN = [name for name in methods.names() if name not in MOVE_EVERYTHING]
PACKED = [(a, s) for s in LOADS for a in ARCHITECTURES if (a, s) != ("gpt2", "torchao")]
"""torchao leaves GPT-2's Conv1D alone."""
BASES = [*((architecture, "bfloat16") for architecture in ARCHITECTURES), *PACKED]
CELLS = [
    (name, architecture, storage)
    for architecture, storage in BASES
    for name in (methods.names() if storage == "bfloat16" else OWN)
    if not (name == "bitfit" and architecture in WITHOUT_BIASES)
]
IN_FEW_BITS = "load the model without quantisation, or take a method that adds tensors of its own"
REFUSED = [
    *((name, *base, IN_FEW_BITS) for base in PACKED for name in MOVE_EVERYTHING),
    *(("bitfit", *base, NO_BIASES) for base in BASES if base[0] in WITHOUT_BIASES),
]
MERGEABLE = [name for name in OWN if methods.get(name).mergeable]


def packed(linear: nn.Module, storage: str) -> Any:
    """The layer that stores a linear layer's weight so, and stands in its place in transformers."""
    if storage == "torchao":
        box = nn.Sequential(linear)
        quantize_(box, Int8WeightOnlyConfig())
        return box[0]
    rows, columns = sizes(linear)
    if storage == "nf4":
        other: Any = Linear4bit(columns, rows, linear.bias is not None, quant_type="nf4")
    else:
        other = Linear8bitLt(columns, rows, linear.bias is not None, has_fp16_weights=False)
    matrix: Any = linear.weight.t() if isinstance(linear, Conv1D) else linear.weight
    other.load_state_dict({"weight": matrix} | ({} if linear.bias is None else {"bias": linear.bias}))
    other.weight.requires_grad_(False)
    return other.to("cpu")


def wide(architecture: str, head: str = "classify") -> PreTrainedModel:
    """A tiny model, wide enough to be packed."""
    own = {key: value for key, value in WIDE.items() if key in {*SIZES, *OWN_SIZES.get(architecture, {})}}
    return tiny(architecture, head, **own)


def quantised(
    architecture: str, storage: str, head: str = "classify", *, repacks: bool = False
) -> PreTrainedModel:
    """A tiny model whose blocks are quantised, and the rest of it not.

    Unless asked to, 4-bit layers do not repack their weights on a CPU, so that the base can be run.
    """
    model = wide(architecture, head)
    if storage == "bfloat16":
        return model.to(torch.bfloat16)
    for block in Anatomy(model).blocks:
        for path, module in list(block.module.named_modules()):
            plain = isinstance(module, nn.Linear) or (isinstance(module, Conv1D) and storage != "torchao")
            if plain:
                parent, _, name = path.rpartition(".")
                other = packed(module, storage)
                if storage == "nf4" and not repacks:
                    other.support_avx512bf16_for_cpu = False
                setattr(block.module.get_submodule(parent), name, other)
    return model.eval()


def matrix(layer: Any) -> Tensor:
    """What the library itself says that a layer's weight is."""
    if isinstance(layer, Linear4bit):
        return dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    if isinstance(layer, Linear8bitLt):
        scale = layer.state.SCB if layer.weight.SCB is None else layer.weight.SCB
        return int8_vectorwise_dequant(layer.weight.data, scale)
    return layer.weight.dequantize() if hasattr(layer.weight, "qdata") else layer.weight.detach()


def unpacked(model: PreTrainedModel) -> PreTrainedModel:
    """The same model with ordinary layers, which hold the values that the packed ones stand for."""
    model = copy.deepcopy(model)
    for path, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear):
            plain = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
            plain.weight.data = matrix(layer)
            if layer.bias is not None:
                plain.bias.data = layer.bias.detach().clone()
            parent, _, name = path.rpartition(".")
            setattr(model.get_submodule(parent), name, plain)
    return model.eval()


def stored(model: PreTrainedModel) -> dict[str, Tensor]:
    """All that the model holds, the scales of packed weights too."""
    found = {}
    for key, value in model.state_dict().items():
        if hasattr(value, "qdata"):
            found |= {f"{key}.qdata": value.qdata.clone(), f"{key}.scale": value.scale.clone()}
        else:
            found[key] = value.clone() if isinstance(value, Tensor) else torch.tensor(0)
    return found


@pytest.mark.usefixtures("in_matrix")
@pytest.mark.parametrize(("name", "architecture", "storage"), CELLS)
def test_training_and_removing(name: str, architecture: str, storage: str) -> None:
    model = quantised(architecture, storage)
    batch = inputs(model)
    whole = geometry_of(Anatomy(wide(architecture)))
    before, base = stored(model), logits(model, batch)
    own = {id(p) for p in model.parameters()}
    adapted = apply(model, name)
    assert adapted.parameter_counts()["base"] == whole.base
    assert sum(adapted.method.count(whole, adapted.options).values()) == adapted.parameter_counts()["method"]
    if adapted.method.card.starts_at_base:
        assert torch.equal(logits(model, batch), base)
    start = {key: p.detach().clone() for key, p in adapted.trained().items()}
    optimiser = torch.optim.AdamW(adapted.trained().values(), lr=1e-2)
    model.train()
    for _ in range(2):
        model(**batch, labels=labels(model, batch)).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.eval()
    assert {p.dtype for p in adapted.trained().values() if id(p) not in own} <= {torch.float32}
    assert all(torch.isfinite(p).all() for p in adapted.trained().values())
    assert not [key for key, p in adapted.trained().items() if torch.equal(p, start[key])]
    adapted.remove()
    assert equal(stored(model), before)
    assert torch.equal(logits(model, batch), base)


@pytest.mark.parametrize("storage", ["nf4", "torchao"])  # in 8 bits bitsandbytes rounds the activations too
@pytest.mark.parametrize("name", OWN)
def test_it_computes_what_it_does_beside_the_same_values_unpacked(name: str, storage: str) -> None:
    model = quantised("bert", storage)
    plain = unpacked(model)
    batch = inputs(model)
    for each in (model, plain):
        perturb(apply(each, name))
    torch.testing.assert_close(logits(model, batch), logits(plain, batch), rtol=1e-4, atol=1e-5)
    for each in (model, plain):
        each(**batch, labels=labels(each, batch)).loss.backward()
    ours, theirs = ([p.grad for p in methods.adapted(each).trained().values()] for each in (model, plain))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("storage", LOADS)
@pytest.mark.parametrize("architecture", ["bert", "gpt2", "phi3"])
@pytest.mark.parametrize("name", MERGEABLE)
def test_merging_packs_again_and_unmerging_gives_the_own_bits_back(
    name: str, architecture: str, storage: str
) -> None:
    model = quantised(architecture, storage)
    batch, before = inputs(model), stored(model)
    adapted = apply(model, name)
    perturb(adapted)
    unmerged = logits(model, batch)
    difference = adapted.merge_difference(**batch)
    assert difference > 0  # packed again, with the update in it
    kinds = {type(m.weight) for m in Anatomy(model).blocks[0].module.modules() if isinstance(m, nn.Linear)}
    adapted.merge()
    layers = [m for m in Anatomy(model).blocks[0].module.modules() if isinstance(m, nn.Linear)]
    assert {type(m.weight) for m in layers} == kinds
    merged = logits(model, batch)
    assert float((merged - unmerged).abs().max()) == pytest.approx(difference)
    assert adapted.kept_bytes > 0
    copied = copy.deepcopy(model)
    assert torch.equal(logits(copied, batch), merged)
    adapted.unmerge()
    assert torch.equal(logits(model, batch), unmerged)
    adapted.merge()
    adapted.remove()
    assert equal(stored(model), before)


@pytest.mark.parametrize("storage", LOADS)
def test_a_merged_weight_is_the_sum_rounded_once(storage: str) -> None:
    model = quantised("bert", storage)
    adapted = apply(model, "lora")
    perturb(adapted)
    site = Anatomy(model).sites("value")[0]
    wrapper: Any = site.module
    whole = matrix(wrapper.base) + wrapper.parts["value"].update()
    again = packed_again(whole, storage)
    adapted.merge()
    torch.testing.assert_close(matrix(site.module), again, rtol=0, atol=0)


def packed_again(values: Tensor, storage: str) -> Tensor:
    layer = nn.Linear(values.shape[1], values.shape[0], bias=False)
    layer.weight.data = values.clone()
    return matrix(packed(layer, storage))


@pytest.mark.usefixtures("in_matrix")
@pytest.mark.parametrize(
    ("name", "architecture", "storage", "reason"),
    REFUSED,
    ids=["-".join(cell[:3]) for cell in REFUSED],
)
def test_what_cannot_be_done_says_why(name: str, architecture: str, storage: str, reason: str) -> None:
    model = quantised(architecture, storage)
    shape, before = str(model), stored(model)
    with pytest.raises(AnatomyError, match=reason):
        methods.apply(model, name, **OPTIONS.get(name, {}))
    assert str(model) == shape
    assert equal(stored(model), before)


@pytest.mark.parametrize("name", MERGEABLE)
def test_what_cannot_be_packed_again_is_not_merged(name: str) -> None:
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig

    model = tiny("bert")
    quantize_(model.bert.encoder, Int8DynamicActivationInt8WeightConfig())
    adapted = apply(model, name)
    perturb(adapted)
    before = logits(model, inputs(model))
    with pytest.raises(methods.MergeError, match="of its kinds symmetric weight-only int8 alone"):
        adapted.merge()
    assert not adapted.merged
    assert torch.equal(logits(model, inputs(model)), before)


def test_a_storage_that_is_not_known_is_refused() -> None:
    model = tiny("bert")
    layer = model.bert.encoder.layer[1].attention.self.value
    layer.weight = nn.Parameter(layer.weight.data.to(torch.float8_e4m3fn), requires_grad=False)
    before = str(model)
    with pytest.raises(AnatomyError, match="value is a Linear whose weight is stored as float8_e4m3fn"):
        methods.apply(model, "lora")
    assert str(model) == before


CONFIGS = {
    "nf4": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),
    "int8": BitsAndBytesConfig(load_in_8bit=True),
}


@pytest.mark.parametrize("storage", CONFIGS)
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_as_transformers_loads_them_and_beside_peft(storage: str, tmp_path: Path) -> None:
    plain = wide("llama", "causal")
    plain.save_pretrained(tmp_path / "base")

    def load(dtype: torch.dtype = torch.float32) -> PreTrainedModel:
        model = type(plain).from_pretrained(
            tmp_path / "base", quantization_config=CONFIGS[storage], dtype=dtype, device_map="cpu"
        )
        for module in model.modules():
            if isinstance(module, Linear4bit):  # or peft's would compute in bfloat16 on some CPUs
                module.support_avx512bf16_for_cpu = False
        return model.eval()

    model = load()
    batch = inputs(model)
    adapted = methods.apply(model, "lora", rank=4)
    assert adapted.parameter_counts() == methods.apply(plain, "lora", rank=4).parameter_counts()
    perturb(adapted)
    adapted.save(tmp_path / "adapter")
    adapted.export_peft(tmp_path / "peft")
    expected = logits(model, batch)
    assert torch.equal(logits(methods.load(load(), tmp_path / "adapter").model, batch), expected)
    theirs = peft.PeftModel.from_pretrained(load(), str(tmp_path / "peft")).eval()
    torch.testing.assert_close(logits(theirs, batch), expected, rtol=1e-4, atol=1e-4)
    half = methods.load(load(torch.bfloat16), tmp_path / "adapter")
    assert {p.dtype for p in half.trained().values()} == {torch.float32}
    assert logits(half.model, batch).dtype == torch.bfloat16


def test_neither_library_is_imported_with_the_product() -> None:
    code = (
        "import sys, torch, transformers.modeling_utils\n"
        "before = set(sys.modules)\n"
        "import methods, runners.models\n"
        "model = transformers.AutoModel.from_config(transformers.BertConfig(num_hidden_layers=1))\n"
        "a = methods.apply(model, 'lora'); a.merge(); a.remove()\n"
        "print([n for n in ('bitsandbytes', 'torchao') if n in sys.modules and n not in before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["lora", "houlsby", "prompt"])
def test_an_evaluation_does_not_end_the_training_of_a_4_bit_base(name: str) -> None:
    model = quantised("llama", "nf4", repacks=True)
    layers = [m for m in model.modules() if isinstance(m, Linear4bit)]
    batch, before = inputs(model), [layer.support_avx512bf16_for_cpu for layer in layers]
    adapted = apply(model, name)
    perturb(adapted)

    def gradients() -> list[Tensor]:
        model.zero_grad()
        model(**batch, labels=labels(model, batch)).loss.backward()
        return [p.grad.clone() for p in adapted.trained().values() if p.grad is not None]

    fresh, values = gradients(), stored(model)
    logits(model, batch)
    assert all(torch.equal(one, other) for one, other in zip(gradients(), fresh, strict=True))
    assert equal(stored(model), values)
    adapted.remove()
    assert [layer.support_avx512bf16_for_cpu for layer in layers] == before


def test_a_4_bit_base_that_was_repacked_is_refused() -> None:
    model = quantised("llama", "nf4", repacks=True)
    first = Anatomy(model).sites("query")[0].module
    first.weight.quant_state.packing_format_for_cpu = True  # what a pass does on a CPU that has bfloat16
    first.support_avx512bf16_for_cpu = True
    with pytest.raises(methods.MethodError, match="load it again and apply the method before its first pass"):
        methods.apply(model, "lora")
    assert first is Anatomy(model).sites("query")[0].module

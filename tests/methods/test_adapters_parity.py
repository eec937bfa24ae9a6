"""Houlsby, Pfeiffer and (IA)^3 against the `adapters` library: the same outputs and gradients in float64.

The reference values lie in tests/golden with the script that made them; neither `adapters` nor the
transformers it needs is used here. Compared are the logits, and the gradients of every tensor that trains,
the task head's and for Houlsby the LayerNorms' among them, on a padded batch.

Where the library's defaults differ from the papers, the values were made with the papers' settings: Houlsby
with the tanh approximation of GELU (default: SiLU) and with trained LayerNorms (default: frozen).
Initialisation plays no part. What cannot be set:

* (IA)^3, feed-forward. The paper scales the activation, l * f(W_1 x + b); the library scales what goes into
  it, f(l * (W_1 x + b)). The two agree where l commutes with f: for a positive l and ReLU, and in a gated
  feed-forward (T5 v1.1, the paper's own model), where both scale the linear branch. With GELU they do not:
  there Paretune follows the paper (`test_ia3.py` has the equation written out), and the library's values are
  reproduced with its placement, which shows that nothing else differs.
* Pfeiffer on pre-norm blocks (GPT-2, T5), of which its paper says nothing: the library drops the LayerNorm
  from the formula, and so does Paretune.
* Houlsby with cross-attention (BART, T5): two adapters per block, as in the library, none for the
  cross-attention.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification
from transformers.models.t5.modeling_t5 import T5LayerNorm

import methods
from methods.core.places import Place
from methods.modules.ia3 import IA3Linear

from .parity import Record, agree, deviation

GOLDEN = Path(__file__).parents[1] / "golden"
ARCHITECTURES = ("bert", "roberta", "gpt2", "bart", "t5")
SAME = [(a, m, m) for a in ARCHITECTURES for m in ("houlsby", "pfeiffer")]
SAME += [(a, "ia3", "ia3-relu") for a in ARCHITECTURES if a != "t5"] + [("t5", "ia3", "ia3")]

BERT = {
    "attention.output": ("attention.output.dropout.adapter",),
    "output": ("output.dropout.adapter",),
    "attention.self.key": ("attention.self.key.ia3_key",),
    "attention.self.value": ("attention.self.value.ia3_value",),
    "intermediate.dense": ("output.dense.ia3_down",),
}
T5 = {
    "layer.0": ("layer.0.dropout.adapter",),
    "layer.1": ("layer.1.dropout.adapter",),
    "layer.2": ("layer.2.dropout.adapter",),
    "layer.0.SelfAttention.k": ("layer.0.SelfAttention.k.ia3_key",),
    "layer.0.SelfAttention.v": ("layer.0.SelfAttention.v.ia3_value",),
    "layer.1.EncDecAttention.k": ("layer.1.EncDecAttention.k.ia3_key",),
    "layer.1.EncDecAttention.v": ("layer.1.EncDecAttention.v.ia3_value",),
    "layer.1.DenseReluDense.wi_1": ("layer.1.DenseReluDense.wo.ia3_down",),
    "layer.2.DenseReluDense.wi_1": ("layer.2.DenseReluDense.wo.ia3_down",),
}
PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    "bert": BERT,
    "roberta": BERT,
    "gpt2": {
        "attention_adapters": ("attn.resid_dropout.adapter",),
        "output_adapters": ("mlp.dropout.adapter",),
        "attn.c_attn": ("attn.c_attn.ia3_key", "attn.c_attn.ia3_value"),
        "mlp.c_fc": ("mlp.c_proj.ia3_down",),
    },
    "bart": {
        "attention_adapters": ("self_attn.out_proj.adapter",),
        "output_adapters": ("fc2.adapter",),
        "self_attn.k_proj": ("self_attn.k_proj.ia3_key",),
        "self_attn.v_proj": ("self_attn.v_proj.ia3_value",),
        "encoder_attn.k_proj": ("encoder_attn.k_proj.ia3_key",),
        "encoder_attn.v_proj": ("encoder_attn.v_proj.ia3_value",),
        "fc1": ("fc2.ia3_down",),
    },
    "t5": T5,
}
"""Where `adapters` keeps a module in a block -> the tensors that it is in ours; one vector may be several."""
ENDS = {"bert": "output.LayerNorm.", "roberta": "output.LayerNorm.", "bart": "final_layer_norm."}
"""Where Pfeiffer's adapter is in ours; elsewhere it follows the block."""
KINDS = {"down.0.weight": "down", "down.0.bias": "down_bias", "up.weight": "up", "up.bias": "up_bias"}


@pytest.fixture(autouse=True)
def t5_norm_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers computes its variance in float32 whatever the input is: not so here, nor in the values."""

    def forward(self: Any, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    monkeypatch.setattr(T5LayerNorm, "forward", forward)


@dataclass
class Golden:
    """One architecture's file."""

    architecture: str

    def __post_init__(self) -> None:
        with safe_open(GOLDEN / f"adapters-{self.architecture}.safetensors", "pt") as file:
            self.about: dict[str, Any] = json.loads(file.metadata()["about"])
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with it, by the rest of the name; numbers in float64."""
        found = {n.removeprefix(prefix): t for n, t in self.tensors.items() if n.startswith(prefix)}
        return {n: t.double() if t.is_floating_point() else t for n, t in found.items()}

    def model(self, case: str) -> Any:
        """The base model, with the configuration of a case."""
        settings = self.about["config"] | self.about["cases"][case]
        config = AutoConfig.for_model(self.architecture, **settings)
        model = AutoModelForSequenceClassification.from_config(config).double().eval()
        parameters, base = dict(model.named_parameters()), self.under("base/")
        assert parameters.keys() == base.keys()
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(base[name])
        return model


def by_our_names(found: dict[str, Tensor], made: methods.Adapted, architecture: str) -> dict[str, Tensor]:
    """Tensors of `adapters` under the names of :meth:`Adapted.trained`, in its shapes."""
    ours: dict[str, Tensor] = {}
    prefix = made.model.base_model_prefix + "."
    for name, tensor in found.items():
        place = re.fullmatch(r"(.+?\.\d+)\.(.+)\.(?:adapters\.peer\.adapter_(.+)|loras\.peer\.lora_B)", name)
        if place is None:  # a LayerNorm or the head, which both know by the model's name
            known = f"head.{name}" in made.trained()
            ours[f"head.{name}" if known else f"method.{name.removeprefix(prefix)}"] = tensor
            continue
        block, path, kind = place[1].removeprefix(prefix), place[2], place[3]
        targets = PLACES[architecture][path]
        if kind is None:
            for target, part in zip(targets, tensor.flatten().chunk(len(targets)), strict=True):
                ours[f"method.{block}.{target}"] = part
        else:
            pfeiffer = made.method.name == "pfeiffer"
            target = ENDS.get(architecture, "") + "adapter" if pfeiffer else targets[0]
            ours[f"method.{block}.{target}.{KINDS[kind]}"] = tensor
    return ours


def adapted(golden: Golden, method: str, case: str) -> methods.Adapted:
    """Our method on the same model, with the same weights."""
    bottleneck = {} if method == "ia3" else {"bottleneck": golden.about["bottleneck"]}
    made = methods.apply(golden.model(case), method, **bottleneck)
    trained = made.trained()
    weights = by_our_names(golden.under(f"{case}/weight/"), made, golden.architecture)
    with torch.no_grad():
        for name, value in weights.items():
            trained[name].copy_(value)
    return made


def pairs(golden: Golden, made: methods.Adapted, case: str) -> list[tuple[Tensor, Tensor]]:
    """Ours and theirs: the logits, then the gradient of every trained tensor."""
    output = made.model(**golden.under("input/"))
    output.loss.backward()
    theirs = by_our_names(golden.under(f"{case}/gradient/"), made, golden.architecture)
    trained = made.trained()
    assert trained.keys() == theirs.keys()
    assert all(gradient.abs().max() > 1e-6 for gradient in theirs.values())
    logits = (output.logits, golden.under(f"{case}/")["logits"])
    return [logits, *((trained[name].grad, theirs[name]) for name in trained)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_values_are_of_the_pinned_versions(architecture: str) -> None:
    pins = (GOLDEN / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for package, version in Golden(architecture).about["versions"].items():
        assert f"{package}=={version.partition('+')[0]}" in pins, "run make golden"


@pytest.mark.parametrize(("architecture", "method", "case"), SAME)
def test_the_same_numbers(architecture: str, method: str, case: str, record_property: Record) -> None:
    golden = Golden(architecture)
    made = adapted(golden, method, case)
    label = architecture + case.removeprefix(method)
    agree(record_property, "adapters", method, label, pairs(golden, made, case))


def scale_before_the_non_linearity(made: methods.Adapted) -> None:
    """Move (IA)^3's feed-forward vectors from the input of W_2 to the output of W_1."""
    for up, down in zip(made.anatomy.sites("up"), made.anatomy.sites("down"), strict=True):
        moved = IA3Linear(up.linear(), {"up": None}, scales_input=False)
        moved.scales["up"], down.module.input_scale = down.module.input_scale, None
        place = Place(moved.scales, "up")
        made._injection.places[f"{down.path}.ia3_down"] = place
        made._task.places[f"method.{down.path}.ia3_down"] = place
        up.put(moved)


@pytest.mark.parametrize("architecture", [a for a in ARCHITECTURES if a != "t5"])
def test_ia3_differs_by_where_the_feed_forward_is_scaled(architecture: str, record_property: Record) -> None:
    golden = Golden(architecture)
    assert deviation(pairs(golden, adapted(golden, "ia3", "ia3"), "ia3")) > 1e-3
    made = adapted(golden, "ia3", "ia3")
    scale_before_the_non_linearity(made)
    label = f"{architecture}, scaled before the non-linearity"
    agree(record_property, "adapters", "ia3", label, pairs(golden, made, "ia3"))

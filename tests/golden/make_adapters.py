"""Make the reference values of tests/methods/test_adapters_parity.py with the `adapters` library.

    make golden

runs this in an environment of its own, because `adapters` needs another transformers than Paretune. It
writes one safetensors file per architecture, `adapters-ARCHITECTURE.safetensors`, with

    base/NAME             the weights of a tiny random classifier
    input/NAME            a padded batch and its labels
    CASE/weight/NAME      the tensors that `adapters` adds, under its names, random as well
    CASE/logits           the output
    CASE/gradient/NAME    the gradient of the cross-entropy loss, for every trained tensor

and, as metadata, the configurations and the versions. Weights are stored because a random number generator
may change; they are float32 numbers, which float64 holds exactly. All else is computed in float64.

The settings are the papers' where the library's defaults differ: Houlsby's non-linearity is the tanh
approximation of GELU (its default is SiLU), and every LayerNorm trains with the adapters (it freezes them).
T5 is kept from computing its norm's variance and its softmax in float32, as it does whatever its input is.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import adapters
import torch
import transformers
from adapters import DoubleSeqBnConfig, IA3Config, SeqBnConfig
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel
from transformers.models.t5.modeling_t5 import T5LayerNorm

SIZES: dict[str, Any] = {
    "vocab_size": 32,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 16,
    "num_labels": 3,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "initializer_range": 0.3,  # large, so that what a method changes shows in the logits
}
ENCODER_DECODER: dict[str, Any] = {
    "d_model": 8,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 12,
    "decoder_ffn_dim": 12,
    "init_std": 0.3,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": None,
}
GATED: dict[str, Any] = {
    "d_model": 8,
    "d_kv": 4,
    "d_ff": 12,
    "num_layers": 2,
    "num_heads": 2,
    "feed_forward_proj": "gated-gelu",
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 16,
    "decoder_start_token_id": 1,
    "initializer_factor": 1.0,
}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "roberta": SIZES | {"type_vocab_size": 1},
    "gpt2": SIZES | {"n_inner": 12},
    "bart": SIZES | ENCODER_DECODER,
    "t5": SIZES | GATED,
}
RELU = {
    "bert": {"hidden_act": "relu"},
    "roberta": {"hidden_act": "relu"},
    "gpt2": {"activation_function": "relu"},
    "bart": {"activation_function": "relu"},
}
"""The change of configuration that makes the feed-forward non-linearity a ReLU."""

BOTTLENECK = 3
REDUCTION = SIZES["hidden_size"] / BOTTLENECK
METHODS = {
    "houlsby": DoubleSeqBnConfig(non_linearity="gelu_new", reduction_factor=REDUCTION),
    "pfeiffer": SeqBnConfig(reduction_factor=REDUCTION),
    "ia3": IA3Config(),
}
NAME = "peer"


def classifier(config: transformers.PretrainedConfig) -> PreTrainedModel:
    """A random classifier without a zero or a one: biases and norms are random too."""
    torch.manual_seed(7)
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def keep_float64() -> None:
    """Let T5 compute in the precision of its input throughout."""
    single = Tensor.float
    Tensor.float = lambda self: self if self.dtype == torch.float64 else single(self)
    T5LayerNorm.forward = rms_norm


def rms_norm(self: T5LayerNorm, x: Tensor) -> Tensor:
    """T5's norm in the precision of its input."""
    return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


def batch(config: transformers.PretrainedConfig) -> dict[str, Tensor]:
    """Two rows of random tokens, the second padded, each ended by the end-of-text token."""
    generator = torch.Generator().manual_seed(3)
    ids = torch.full((2, 7), config.pad_token_id)
    mask = torch.zeros(2, 7, dtype=torch.long)
    for row, length in enumerate((7, 5)):
        ids[row, :length] = torch.randint(4, config.vocab_size, (length,), generator=generator)
        ids[row, length - 1] = config.eos_token_id
        mask[row, :length] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([0, 2])}


def fill(name: str, parameter: Tensor) -> None:
    """Random values for a tensor that a method adds: (IA)^3's vectors around one, the others around zero.

    The scale of a feed-forward stays positive, so that it commutes with a ReLU.
    """
    if not name.endswith("lora_B"):
        parameter.normal_(std=0.3)
    elif "att" in name.lower():
        parameter.normal_(mean=1, std=0.5)
    else:
        parameter.uniform_(0.5, 1.5)


def reference(model: PreTrainedModel, method: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one case: what was added, the logits, the gradients."""
    own = {name for name, _ in model.named_parameters()}
    adapters.init(model)
    model.add_adapter(NAME, config=METHODS[method])
    model.train_adapter(NAME)
    if method == "houlsby":
        for module in model.base_model.modules():
            if isinstance(module, nn.LayerNorm | T5LayerNorm):
                module.requires_grad_(True)
    torch.manual_seed(11)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    added = {name: p for name, p in model.named_parameters() if name not in own}
    with torch.no_grad():
        for name, parameter in added.items():
            fill(name, parameter)
    weights = {f"weight/{name}": parameter.detach().clone() for name, parameter in added.items()}
    output = model.double().eval()(**inputs)
    output.loss.backward()
    gradients = {f"gradient/{name}": parameter.grad for name, parameter in trained.items()}
    return weights | {"logits": output.logits.detach()} | gradients


def make(architecture: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that one file holds: tensors, and what is said about them."""
    settings = ARCHITECTURES[architecture]
    cases: dict[str, dict[str, Any]] = {method: {} for method in METHODS}
    if architecture in RELU:
        cases["ia3-relu"] = RELU[architecture]
    config = AutoConfig.for_model(architecture, **settings)
    inputs = batch(config)
    tensors = {f"base/{name}": p.detach() for name, p in classifier(config).named_parameters()}
    tensors |= {f"input/{name}": tensor for name, tensor in inputs.items()}
    for case, changes in cases.items():
        model = classifier(AutoConfig.for_model(architecture, **settings | changes))
        results = reference(model, case.partition("-")[0], inputs)
        tensors |= {f"{case}/{name}": tensor for name, tensor in results.items()}
    versions = {package.__name__: package.__version__ for package in (adapters, torch, transformers)}
    about = {"config": settings, "cases": cases, "bottleneck": BOTTLENECK, "versions": versions}
    return tensors, about


def main() -> None:
    """Write the files beside this one."""
    torch.set_num_threads(1)
    logging.getLogger("adapters").setLevel(logging.ERROR)  # it warns of each adapter before it is active
    keep_float64()
    for architecture in ARCHITECTURES:
        tensors, about = make(architecture)
        path = Path(__file__).with_name(f"adapters-{architecture}.safetensors")
        # One metadata entry: the order of several would differ from run to run.
        save_file(tensors, path, metadata={"about": json.dumps(about, sort_keys=True)})
        print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

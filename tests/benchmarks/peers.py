"""Our own overhead beside the peers': latency and training step of the same methods on the same weights.

    python tests/benchmarks/peers.py [--seconds 90] [--training-seconds 300] [--only training]
                                     [--adapters .venv-adapters/bin/python] [--out FILE]

Paretune and peft are timed in one process: in every round the base, every Paretune method and every peft
method is called once, in random order. `adapters` needs another transformers and runs in its own
environment, with the same weights, inputs and rounds, against a base of its own (``adapters_side.py``). What
is compared is the median over rounds of each contender's time divided by the base's of the same round.

Methods: LoRA and DoRA of rank 8 on query and value, adapters of bottleneck 64, prefixes and prompts of 20.
The base on 20 tokens more is the least that a prompt of 20 can cost. On GPT-2 (random weights), which keeps
queries, keys and values in one matrix, and on MiniLM in 4 bits (NF4), only what changes there is timed; peft
adapts that matrix as one. Training steps in bfloat16 have the frozen body in it, and what trains in float32,
as both libraries do by default.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from torch import nn
from transformers import GPT2Config, GPT2ForSequenceClassification, PreTrainedModel
from transformers.utils import logging

import methods
import tasks
from runners import device, models, optimisation
from runners.measure import timing
from runners.measure.latency import settle

LENGTHS = (16, 128)
TRAINING_BATCH, TRAINING_LENGTH = 32, 32
TASK = tasks.get("rotten_tomatoes")
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "lora": ("lora", {"rank": 8}),
    "dora": ("dora", {"rank": 8}),
    "houlsby": ("houlsby", {"bottleneck": 64, "layer_norms": False}),
    "lin": ("lin", {"bottleneck": 64}),
    "pfeiffer": ("pfeiffer", {"bottleneck": 64}),
    "prefix-20": ("prefix", {"length": 20, "hidden": None}),
    "prompt-20": ("prompt", {"length": 20}),
}
PEFT: dict[str, Any] = {
    "lora": LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]),
    "dora": LoraConfig(
        task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"], use_dora=True
    ),
    "prefix-20": PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=20),
    "prompt-20": PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=20),
}
MERGED = "lora, merged"
PROMPT = 20
LONGER = f"base on {PROMPT} tokens more"
TARGETS = {
    16: {MERGED: 1.01, "lora": 1.09, "dora": 1.20, "houlsby": 1.16, "lin": 1.10, "pfeiffer": 1.10}
    | {"prefix-20": 1.05, "prompt-20": 1.22},
    128: {MERGED: 1.01, "lora": 1.06, "houlsby": 1.09, "lin": 1.06, "pfeiffer": 1.06, "prefix-20": 1.06},
}
FUSED_TARGETS = {"lora": 1.03, MERGED: 1.01}
"""Ratios to the base that Paretune means to stay under."""

SIDE = Path(__file__).parent / "adapters_side.py"
ADAPTERS = Path(".venv-adapters/bin/python")

Models = dict[str, Any]
Rows = dict[str, tuple[float, float, float]]
"""Contender -> ratio and its 95 % interval."""


def fresh() -> PreTrainedModel:
    """The base, with the same head each time."""
    device.seed_everything(0)
    return models.classifier("embedded", TASK)


def gpt2() -> PreTrainedModel:
    """GPT-2's small model with random weights and a classifier."""
    device.seed_everything(0)
    config = GPT2Config(num_labels=2, pad_token_id=0)
    return GPT2ForSequenceClassification(config).eval()


def four_bits(compute: torch.dtype = torch.float32) -> PreTrainedModel:
    """The base with the linear layers of its blocks in NF4."""
    model = fresh()
    encoder = model.base_model.encoder
    for path, layer in list(encoder.named_modules()):
        if isinstance(layer, nn.Linear):
            packed = Linear4bit(
                layer.in_features, layer.out_features, quant_type="nf4", compute_dtype=compute
            )
            packed.load_state_dict(layer.state_dict())
            packed = packed.requires_grad_(False).to("cpu")
            # On some CPUs it would compute another function once it has been evaluated.
            packed.support_avx512bf16_for_cpu = False
            parent, _, name = path.rpartition(".")
            setattr(encoder.get_submodule(parent), name, packed)
    model.is_loaded_in_4bit = True  # what peft goes by
    return model


def ours(base: Callable[[], PreTrainedModel] = fresh, labels: tuple[str, ...] = tuple(OURS)) -> Models:
    """Paretune's contenders."""
    found: Models = {}
    for label in labels:
        name, options = OURS[label]
        found[label] = methods.apply(base(), name, **options).model
        if label == "lora":
            merged = methods.apply(base(), name, **options)
            merged.merge()
            found[MERGED] = merged.model
    return found


def theirs(
    base: Callable[[], PreTrainedModel] = fresh,
    labels: tuple[str, ...] = tuple(PEFT),
    **changes: Any,
) -> Models:
    """peft's contenders; ``changes`` are to their configurations."""
    found: Models = {}
    for label in labels:
        config = copy.deepcopy(PEFT[label])
        for key, value in changes.items():
            setattr(config, key, value)
        found[label] = get_peft_model(base(), config)
        if label == "lora":
            merged: Any = get_peft_model(base(), copy.deepcopy(config)).merge_and_unload()
            found[MERGED] = merged
    return {label: model.eval() for label, model in found.items()}


def intervals(contenders: Mapping[str, Callable[[], object]], seconds: float) -> tuple[Rows, int]:
    """Ratios to the base until they are 1 % narrow or the time is up."""
    found = timing.measure_until(
        contenders, reference="base", device="cpu", width=0.01, seconds=seconds, seed=0
    )
    rows = {name: (row.ratio, row.ratio_low, row.ratio_high) for name, row in found.rows.items()}
    return rows, found.rounds


def latency(length: int, seconds: float) -> tuple[Rows, int]:
    """One input of ``length`` tokens, on MiniLM."""
    return forward_passes(fresh, ours(), theirs(), length, seconds)


def fused(length: int, seconds: float) -> tuple[Rows, int]:
    """The same on GPT-2, whose queries, keys and values are one layer."""
    labels = ("lora", "dora", "prefix-20")
    peers = theirs(gpt2, ("lora", "dora"), target_modules=["c_attn"], fan_in_fan_out=True)
    return forward_passes(gpt2, ours(gpt2, labels), peers, length, seconds)


def packed(length: int, seconds: float) -> tuple[Rows, int]:
    """The same on MiniLM in 4 bits."""
    labels = ("lora", "dora")
    return forward_passes(four_bits, ours(four_bits, labels), theirs(four_bits, labels), length, seconds)


def forward_passes(
    base: Callable[[], PreTrainedModel], own: Models, peers: Models, length: int, seconds: float
) -> tuple[Rows, int]:
    """One input of ``length`` tokens through the base and what is made of it."""
    ids = torch.randint(1000, 20000, (1, length + PROMPT), generator=torch.Generator().manual_seed(0))
    longer = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs = {name: tensor[:, :length] for name, tensor in longer.items()}
    contenders: Models = {"base": base(), "base again": base()}
    contenders |= {LONGER: base()} if "prompt-20" in own else {}
    contenders |= {f"paretune {label}": model for label, model in own.items()}
    contenders |= {f"peft {label}": model for label, model in peers.items()}
    for model in contenders.values():
        settle(model)
    calls = {name: _forward(m, longer if name == LONGER else inputs) for name, m in contenders.items()}
    return intervals(calls, seconds)


def _forward(model: Any, inputs: dict[str, Any]) -> Callable[[], object]:
    return lambda: model(**inputs)


def training_steps(seconds: float) -> tuple[Rows, int]:
    """Forward, backward and update of full fine-tuning (the base of these ratios) and of each method."""
    batch = _training_batch()
    contenders = {
        "base": methods.apply(fresh(), "full").model,
        "base again": methods.apply(fresh(), "full").model,
    }
    contenders |= {f"paretune {k}": m for k, m in ours().items() if not k.endswith("merged")}
    contenders["paretune head"] = methods.apply(fresh(), "head").model
    contenders |= {f"peft {label}": m for label, m in theirs().items() if label != MERGED}
    accelerator = device.accelerator()
    return intervals({name: _stepping(accelerator, m, batch) for name, m in contenders.items()}, seconds)


def half_precision_steps(seconds: float) -> tuple[Rows, int]:
    """LoRA's training step on a body in bfloat16, beside float32's (the base of these ratios)."""
    batch = _training_batch()
    accelerator = device.accelerator()

    def half() -> PreTrainedModel:
        return fresh().to(torch.bfloat16)

    contenders = {
        "base": ours(fresh, ("lora",))["lora"],
        "base again": ours(fresh, ("lora",))["lora"],
        "paretune lora, bfloat16": ours(half, ("lora",))["lora"],
        "peft lora, bfloat16": theirs(half, ("lora",))["lora"],
        "peft lora": theirs(fresh, ("lora",))["lora"],
    }
    return intervals({name: _stepping(accelerator, m, batch) for name, m in contenders.items()}, seconds)


def _training_batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(
        1000, 20000, (TRAINING_BATCH, TRAINING_LENGTH), generator=torch.Generator().manual_seed(0)
    )
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return batch | {"labels": torch.arange(TRAINING_BATCH) % 2}


def _stepping(accelerator: Any, model: Any, batch: dict[str, Any]) -> Callable[[], object]:
    """A model's training step, with an optimiser of its own."""
    settle(model)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    return _step(accelerator, model.train(), optimisation.optimizer(trained, 1e-4, 0.01), batch)


def _step(accelerator: Any, model: Any, optimiser: Any, batch: dict[str, Any]) -> Callable[[], object]:
    def step() -> object:
        with torch.inference_mode(False), torch.enable_grad():
            return optimisation.training_step(accelerator, model, optimiser, batch, 1.0)

    return step


def adapters_rows(python: Path, latency_seconds: float, training_seconds: float) -> dict[str, Rows]:
    """What `adapters` reaches, measured in its own environment; per kind of measurement, none for 0 s."""
    with tempfile.TemporaryDirectory() as folder:
        fresh().save_pretrained(folder)
        command = [str(python), str(SIDE), folder, str(latency_seconds), str(training_seconds)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rng = np.random.default_rng(0)
    found: dict[str, Rows] = {}
    for kind, times in json.loads(answer.splitlines()[-1]).items():
        base = np.array(times["base"])
        found[kind] = {}
        for name, values in times.items():
            row = timing.row(np.array(values), base, rng)
            found[kind][name] = (row.ratio, row.ratio_low, row.ratio_high)
    return found


def table(rows: Rows, peer: Rows, targets: Mapping[str, float]) -> str:
    """Markdown: a line per method."""

    def cell(found: Rows, name: str) -> str:
        if name not in found:
            return "–"
        ratio, low, high = found[name]
        return f"{ratio:.3f} ({low:.3f}–{high:.3f})"

    lines = ["| method | Paretune | peft | adapters | target |", "|---|---:|---:|---:|---:|"]
    labels = [name.removeprefix("paretune ") for name in rows if name.startswith("paretune ")]
    for label in labels:
        target = f"≤ {targets[label]:.2f}" if label in targets else ""
        cells = [cell(rows, f"paretune {label}"), cell(rows, f"peft {label}"), cell(peer, label), target]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    if LONGER in rows:
        lines.append(f"| {LONGER} | {cell(rows, LONGER)} | | | |")
    lines.append(
        f"| base against itself | {cell(rows, 'base again')} | | {cell(peer, 'base again')} | 1.00 |"
    )
    return "\n".join(lines)


def main() -> None:
    """Measure all and print Markdown."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=90.0, help="of each latency measurement")
    options.add_argument("--training-seconds", type=float, default=300.0, help="of the training steps")
    options.add_argument("--only", choices=("latency", "training"), help="leave the other out")
    options.add_argument("--adapters", type=Path, default=ADAPTERS, help="python of its environment")
    options.add_argument("--out", type=Path, help="write the tables here too")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    parts = [
        f"{torch.get_num_threads()} threads of {device.device_name('cpu')}; "
        "medians of paired ratios with 95 % intervals."
    ]
    peer = {}
    if chosen.adapters.is_file():
        latency_seconds = 0.0 if chosen.only == "training" else chosen.seconds
        training_seconds = 0.0 if chosen.only == "latency" else chosen.training_seconds
        peer = adapters_rows(chosen.adapters, latency_seconds, training_seconds)
    else:
        print(f"{chosen.adapters} is not there (make golden builds it): left out.", file=sys.stderr)
    found = []
    if chosen.only != "training":
        for length in LENGTHS:
            title = f"Latency, batch 1, {length} tokens, base = 1"
            found.append((title, latency(length, chosen.seconds), f"latency {length}", TARGETS[length]))
        title = f"GPT-2, latency, batch 1, {LENGTHS[0]} tokens, base = 1"
        found.append((title, fused(LENGTHS[0], chosen.seconds), "fused", FUSED_TARGETS))
        title = f"MiniLM-L6 in 4 bits, latency, batch 1, {LENGTHS[0]} tokens, base = 1"
        found.append((title, packed(LENGTHS[0], chosen.seconds), "packed", {}))
    if chosen.only != "latency":
        title = f"Training step, {TRAINING_BATCH} × {TRAINING_LENGTH} tokens, full fine-tuning = 1"
        found.append((title, training_steps(chosen.training_seconds), "training", {}))
        title = f"Training step, {TRAINING_BATCH} × {TRAINING_LENGTH} tokens, LoRA in float32 = 1"
        found.append((title, half_precision_steps(chosen.training_seconds / 2), "half", {}))
    for title, (rows, rounds), kind, targets in found:
        parts += [f"### {title} ({rounds} rounds)", table(rows, peer.get(kind, {}), targets)]
    print("\n\n".join(parts))
    if chosen.out:
        chosen.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Our own overhead beside the peers': latency and training step of the same methods on the same weights.

    python tests/benchmarks/peers.py [--seconds 90] [--training-seconds 300] [--only training]
                                     [--adapters .venv-adapters/bin/python] [--out FILE]

Paretune and peft are timed in one process: in every round the base, every Paretune method and every peft
method is called once, in random order. `adapters` needs another transformers and runs in its own
environment, with the same weights, inputs and rounds, against a base of its own (``adapters_side.py``). What
is compared is the median over rounds of each contender's time divided by the base's of the same round.

Methods: LoRA of rank 8 on query and value, adapters of bottleneck 64, prefixes and prompts of 20. The base on
20 tokens more is the least that a prompt of 20 can cost.
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
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import PreTrainedModel
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
    "houlsby": ("houlsby", {"bottleneck": 64, "layer_norms": False}),
    "lin": ("lin", {"bottleneck": 64}),
    "pfeiffer": ("pfeiffer", {"bottleneck": 64}),
    "prefix-20": ("prefix", {"length": 20, "hidden": None}),
    "prompt-20": ("prompt", {"length": 20}),
}
PEFT: dict[str, Any] = {
    "lora": LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]),
    "prefix-20": PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=20),
    "prompt-20": PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=20),
}
MERGED = "lora, merged"
PROMPT = 20
LONGER = f"base on {PROMPT} tokens more"
TARGETS = {
    16: {MERGED: 1.01, "lora": 1.09, "houlsby": 1.16, "lin": 1.10, "pfeiffer": 1.10}
    | {"prefix-20": 1.05, "prompt-20": 1.22},
    128: {MERGED: 1.01, "lora": 1.06, "houlsby": 1.09, "lin": 1.06, "pfeiffer": 1.06, "prefix-20": 1.06},
}
"""Ratios to the base that Paretune means to stay under."""

SIDE = Path(__file__).parent / "adapters_side.py"
ADAPTERS = Path(".venv-adapters/bin/python")

Rows = dict[str, tuple[float, float, float]]
"""Contender -> ratio and its 95 % interval."""


def fresh() -> PreTrainedModel:
    """The base, with the same head each time."""
    device.seed_everything(0)
    return models.classifier("embedded", TASK)


def ours() -> dict[str, PreTrainedModel]:
    """Paretune's contenders."""
    found = {}
    for label, (name, options) in OURS.items():
        adapted = methods.apply(fresh(), name, **options)
        found[label] = adapted.model
        if adapted.method.mergeable:
            merged = methods.apply(fresh(), name, **options)
            merged.merge()
            found[f"{label}, merged"] = merged.model
    return found


def theirs() -> dict[str, Any]:
    """peft's contenders."""
    found: dict[str, Any] = {
        label: get_peft_model(fresh(), copy.deepcopy(config)) for label, config in PEFT.items()
    }
    merged: Any = get_peft_model(fresh(), copy.deepcopy(PEFT["lora"])).merge_and_unload()
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
    """One input of ``length`` tokens."""
    ids = torch.randint(1000, 20000, (1, length + PROMPT), generator=torch.Generator().manual_seed(0))
    longer = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs = {name: tensor[:, :length] for name, tensor in longer.items()}
    contenders: dict[str, Any] = {"base": fresh(), "base again": fresh(), LONGER: fresh()}
    contenders |= {f"paretune {label}": model for label, model in ours().items()}
    contenders |= {f"peft {label}": model for label, model in theirs().items()}
    for model in contenders.values():
        settle(model)
    calls = {name: _forward(m, longer if name == LONGER else inputs) for name, m in contenders.items()}
    return intervals(calls, seconds)


def _forward(model: Any, inputs: dict[str, Any]) -> Callable[[], object]:
    return lambda: model(**inputs)


def training_steps(seconds: float) -> tuple[Rows, int]:
    """Forward, backward and update of full fine-tuning (the base of these ratios) and of each method."""
    ids = torch.randint(
        1000, 20000, (TRAINING_BATCH, TRAINING_LENGTH), generator=torch.Generator().manual_seed(0)
    )
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    batch["labels"] = torch.arange(TRAINING_BATCH) % 2
    contenders = {
        "base": methods.apply(fresh(), "full").model,
        "base again": methods.apply(fresh(), "full").model,
    }
    contenders |= {f"paretune {k}": m for k, m in ours().items() if not k.endswith("merged")}
    contenders["paretune head"] = methods.apply(fresh(), "head").model
    contenders |= {f"peft {label}": m for label, m in theirs().items() if label != MERGED}
    accelerator = device.accelerator()
    calls = {}
    for name, model in contenders.items():
        settle(model)
        trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        optimiser = optimisation.optimizer(trained, 1e-4, 0.01)
        calls[name] = _step(accelerator, model.train(), optimiser, batch)
    return intervals(calls, seconds)


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
    if chosen.only != "latency":
        title = f"Training step, {TRAINING_BATCH} × {TRAINING_LENGTH} tokens, full fine-tuning = 1"
        found.append((title, training_steps(chosen.training_seconds), "training", {}))
    for title, (rows, rounds), kind, targets in found:
        parts += [f"### {title} ({rounds} rounds)", table(rows, peer.get(kind, {}), targets)]
    print("\n\n".join(parts))
    if chosen.out:
        chosen.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Time a training step in float32, under autocast and with the frozen body in bfloat16, beside peft's.

LoRA of rank 8 on query and value, the same weights and batch for all: 32 x 32 tokens, or as asked. Steps of
all alternate; what is printed is the ratio to the first in each round: its median, and the interval in which
that lies with 95 % (of the order statistics). peft trains the plain model of transformers under autocast.

    python tests/benchmarks/step.py [--rows 32] [--tokens 32] [--rounds 40] [--threads 2]

With ``--beside FOLDER``, a checkout of another commit, it times three epochs of ``head`` there and here
instead, each in a process of its own, in turns:

    python tests/benchmarks/step.py --beside /tmp/before [--sentences 2400] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from scipy.stats import binom

MODEL, TASK = "embedded", "rotten_tomatoes"
Step = Callable[[], object]

TRIAL = """
import importlib, json, sys, time

def found(*names):
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            pass

TrialSpec = found("runners.plan.spec", "runners.spec").TrialSpec
run_trial = found("runners.trials.trial", "runners.work.trial", "runners.trial").run_trial
protocol = {"epochs": 3, "train_examples": int(sys.argv[3])}
own = {"costs": None} if "costs" in TrialSpec.model_fields else {}
spec = TrialSpec(model=sys.argv[1], task=sys.argv[2], method="head",
                 protocol=protocol if own else protocol | {"score_only": True}, **own)
began = time.perf_counter()
record = run_trial(spec)
assert record.status == "completed", record.message
print(json.dumps([time.perf_counter() - began, record.training.seconds + record.training.evaluation_seconds]))
"""
"""What is run in either checkout: prints seconds of the trial, and of its training and evaluations."""


def batch(rows: int, tokens: int) -> dict[str, torch.Tensor]:
    """Random tokens, the last few of the first row padding."""
    drawn = torch.Generator().manual_seed(0)
    mask = torch.ones(rows, tokens, dtype=torch.long)
    mask[0, -4:] = 0
    return {
        "input_ids": torch.randint(1000, 20_000, (rows, tokens), generator=drawn),
        "attention_mask": mask,
        "labels": torch.randint(0, 2, (rows,), generator=drawn),
    }


def ours(inputs: dict[str, torch.Tensor], precision: str, base: str) -> Step:
    """A step of Paretune's loop."""
    from runners import device, optimisation
    from runners.plan.spec import TrialSpec
    from runners.trials import adapting
    from tasks import get

    protocol = {"precision": precision, "base_dtype": base}
    spec = TrialSpec(model=MODEL, task=TASK, method="lora", options={"rank": 8}, protocol=protocol)
    accelerator, adapted = device.accelerator(), adapting.adapt(spec, get(TASK))
    optimiser = optimisation.optimizer(adapted.trained(), 1e-3, 0.01)
    adapted.model.train()
    return lambda: optimisation.training_step(accelerator, adapted.model, optimiser, inputs, 1.0)


def peers(inputs: dict[str, torch.Tensor]) -> Step:
    """A step of peft on the plain model, under autocast in bfloat16."""
    from peft import LoraConfig, get_peft_model

    from runners import models
    from tasks import get

    config = LoraConfig(r=8, lora_alpha=16, target_modules=["query", "value"], task_type="SEQ_CLS")
    model: Any = get_peft_model(models.classifier(MODEL, get(TASK)), config).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-3, fused=True)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()

    return step


def interval(values: list[float]) -> tuple[float, float]:
    """Where the median lies with at least 95 %: two order statistics."""
    found, count = sorted(values), len(values)
    low = max(0, int(binom.ppf(0.025, count, 0.5)) - 1)
    return found[low], found[count - 1 - low]


def tell(name: str, seconds: list[float], first: list[float]) -> None:
    """Print one row."""
    ratios = [own / other for own, other in zip(seconds, first, strict=True)]
    low, high = interval(ratios)
    print(
        f"{name:<28} {statistics.median(seconds) * 1e3:10.0f} ms   "
        f"{statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})"
    )


def steps(rows: int, tokens: int, rounds: int) -> None:
    """Alternate steps of all."""
    inputs = batch(rows, tokens)
    contenders = {
        "float32": ours(inputs, "float32", "float32"),
        "autocast": ours(inputs, "bfloat16", "float32"),
        "bfloat16 body": ours(inputs, "bfloat16", "bfloat16"),
        "peft under autocast": peers(inputs),
    }
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(-3, rounds):  # the first three warm up
        for name, step in contenders.items():
            began = time.perf_counter()
            step()
            if number >= 0:
                taken[name].append(time.perf_counter() - began)
    for name, seconds in taken.items():
        tell(name, seconds, taken["float32"])


def heads(other: Path, sentences: int, rounds: int) -> None:
    """Alternate trials of two checkouts."""
    here = Path(__file__).parents[2]
    taken: dict[Path, list[float]] = {other: [], here: []}
    for _ in range(rounds):
        for folder, seconds in taken.items():
            command = [sys.executable, "-c", TRIAL, MODEL, TASK, str(sentences)]
            own = os.environ | {"PYTHONPATH": str(folder)}
            done = subprocess.run(command, cwd=folder, env=own, check=True, stdout=subprocess.PIPE, text=True)
            whole, trained = json.loads(done.stdout.splitlines()[-1])
            print(f"{folder}: {whole:.1f} s, of them training and evaluation {trained:.1f} s")
            seconds.append(trained)
    for folder, seconds in taken.items():
        tell(str(folder), seconds, taken[other])


def main() -> None:
    """Time steps, or trials of ``head``."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=32)
    options.add_argument("--tokens", type=int, default=32)
    options.add_argument("--rounds", type=int, default=None)
    options.add_argument("--threads", type=int, default=None)
    options.add_argument("--beside", type=Path, default=None)
    options.add_argument("--sentences", type=int, default=2400)
    chosen = options.parse_args()
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    if chosen.beside:
        heads(chosen.beside.resolve(), chosen.sentences, chosen.rounds or 3)
    else:
        steps(chosen.rows, chosen.tokens, chosen.rounds or 40)


if __name__ == "__main__":
    main()

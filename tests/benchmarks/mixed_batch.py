"""Time a batch whose rows belong to different tasks: `methods.Bank` beside peft, and a loop over tasks.

One base (MiniLM, two classes) and tasks of LoRA (rank 8 on query and value). The same batch is run mixed by
the bank, under one task by the bank, by the base alone, mixed by peft's `adapter_names=`, and as a loop over
tasks: a part of the batch for each, by the bank. They take turns, round by round, so that what else the
machine does falls on all. Answers are compared first. Heads are one for all in peft's, which has no other.
With `--method` another method of the bank is timed, without peft.

    python tests/benchmarks/mixed_batch.py [--tasks 16] [--rows 32] [--length 16] [--rounds 30] [--threads 1]
        [--device cpu]
    python tests/benchmarks/mixed_batch.py --method houlsby --rounds 15
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging

import methods
import tasks
from runners import models

MODEL, TASK = "embedded", "rotten_tomatoes"
WARM = 3
MIXED, ONE, LOOP = "bank, mixed", "bank, one task", "bank, a loop over tasks"
PEFT, BASE = "peft, adapter_names", "the base alone"


def checkpoints(base: Any, method: str, number: int) -> list[methods.Checkpoint]:
    """Tasks with random tensors of about the size that training gives them, and the base's own head."""
    adapted = methods.apply(copy.deepcopy(base), method)
    made = []
    for seed in range(number):
        torch.manual_seed(seed)
        for name, parameter in adapted.trained().items():
            if name.startswith("method."):
                parameter.data.add_(0.02 * torch.randn_like(parameter))
        made.append(adapted.checkpoint())
    return made


def filled(base: Any, saved: list[methods.Checkpoint]) -> methods.Bank:
    """A bank of them, with what adding took and what they take."""
    bank, taken = methods.Bank(copy.deepcopy(base)), []
    for number, one in enumerate(saved):
        started = time.perf_counter()
        bank.add(f"t{number}", one)
        taken.append(1e3 * (time.perf_counter() - started))
    print(f"the first task is added in {taken[0]:.1f} ms, another in {spread(taken[1:])} (median, min, max)")
    print(f"a task has {saved[0].bytes:,} bytes of tensors, and takes {bank.bytes('t0'):,} in the bank")
    return bank


def in_peft(base: Any, saved: list[methods.Checkpoint], folder: Path) -> Any:
    """The same tasks in a model of peft's."""
    from peft import PeftModel

    own = copy.deepcopy(base)
    model: Any = None
    for number, one in enumerate(saved):
        path = methods.export_peft(base, one, folder / f"t{number}")
        if model is None:
            model = PeftModel.from_pretrained(own, path, adapter_name=f"t{number}")
        else:
            model.load_adapter(path, adapter_name=f"t{number}")
    return model.eval().to(base.device)


def measure(
    method: str, number: int, rows: int, length: int, rounds: int, device: torch.device, folder: Path
) -> None:
    """Time everything and print a table."""
    base = models.classifier(MODEL, tasks.get(TASK)).eval().to(device)
    saved = checkpoints(base, method, number)
    bank = filled(base, saved)
    ids = torch.randint(1000, 20_000, (rows, length), generator=torch.Generator().manual_seed(0)).to(device)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    who = [f"t{row % number}" for row in range(rows)]
    members = {name: [row for row in range(rows) if who[row] == name] for name in dict.fromkeys(who)}

    def loop() -> torch.Tensor:
        out = torch.empty(rows, 2, device=device)
        for name, own in members.items():
            part = {key: value[own] for key, value in batch.items()}
            out[own] = bank.model(**part, task=name).logits
        return out

    ways: dict[str, Callable[[], torch.Tensor]] = {
        MIXED: lambda: bank.model(**batch, task=who).logits,
        ONE: lambda: bank.model(**batch, task=who[0]).logits,
        LOOP: loop,
        BASE: lambda: base(**batch).logits,
    }
    if method == "lora":
        model = in_peft(base, saved, folder)
        ways[PEFT] = lambda: model(**batch, adapter_names=who).logits
    with torch.no_grad():
        expected = ways[MIXED]()
        for name in ways.keys() - {ONE, BASE}:
            if not torch.allclose(ways[name](), expected, atol=1e-4):
                raise RuntimeError(f"{name} does not compute what the bank does")
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(-WARM, rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                passed = 1e3 * (time.perf_counter() - started)
                if turn >= 0:
                    taken[name].append(passed)
    print(f"{method}: {rows} rows of {length} tokens, {number} tasks, {torch.get_num_threads()} thread(s)")
    for name, times in taken.items():
        print(f"{name:26}{spread(times)} ms (median, min, max)")
    for name in [name for name in ways if name != MIXED]:
        ratios = [ours / theirs for ours, theirs in zip(taken[MIXED], taken[name], strict=True)]
        print(f"{MIXED} takes {spread(ratios)} of the time of {name}")


def spread(values: list[float]) -> str:
    """Median, smallest and largest."""
    return "  ".join(f"{value:.2f}" for value in (statistics.median(values), min(values), max(values)))


def main() -> None:
    """Read the options, silence the libraries, measure."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--method", default="lora")
    options.add_argument("--tasks", type=int, default=16)
    options.add_argument("--rows", type=int, default=32)
    options.add_argument("--length", type=int, default=16)
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--device", default="cpu")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        sizes = (chosen.tasks, chosen.rows, chosen.length, chosen.rounds)
        measure(chosen.method, *sizes, torch.device(chosen.device), Path(folder))


if __name__ == "__main__":
    main()

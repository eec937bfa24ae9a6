"""Time what it takes to serve another task: `Adapted.switch` beside reloading the model.

One base (MiniLM, two classes), two tasks of LoRA (rank 8 on query and value). A switch is timed unmerged and
merged, from a checkpoint in memory and from its folder; a reload is `from_pretrained` of the other task's
merged model, or its weights alone copied into the model that is there. They take turns, round by round, and
every one is checked to end at the other task. Files are in the page cache, and `from_pretrained` maps them:
reading the pages falls to the first forward pass, which is not counted here. Bytes are those of tensors. One
thread: products this small gain nothing from a second, and wait for it where another job has the core.

    python tests/benchmarks/switch.py [--rounds 30] [--threads 1]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging

import methods
import tasks
from runners import models

MODEL, TASK = "embedded", "rotten_tomatoes"
RELOAD = "reload, from_pretrained"
WARM = 4
BATCH = {"input_ids": torch.arange(1000, 1064).view(2, 32), "attention_mask": torch.ones(2, 32).long()}


def trained(seed: int, dtype: torch.dtype = torch.float32) -> methods.Adapted:
    """A task: LoRA with random factors of about the size that training gives them."""
    torch.manual_seed(0)
    adapted = methods.apply(models.classifier(MODEL, tasks.get(TASK)).to(dtype), "lora", rank=8)
    torch.manual_seed(seed)
    for parameter in adapted.trained().values():
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    return adapted


def logits(model: Any) -> torch.Tensor:
    """On a fixed batch."""
    with torch.no_grad():
        return model(**BATCH).logits


def size(tensors: Any) -> int:
    """Bytes."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def measure(rounds: int, folder: Path) -> None:
    """Time everything and print a table."""
    checkpoints, folders, models_at, expected = [], [], [], []
    for number in range(2):
        task = trained(number + 1)
        checkpoints.append(task.checkpoint())
        folders.append(task.save(folder / f"task{number}"))
        task.merge()
        expected.append(logits(task.model))
        models_at.append(folder / f"model{number}")
        task.model.save_pretrained(models_at[-1])
    unmerged, merged = trained(1), trained(1)
    merged.merge()
    there = AutoModelForSequenceClassification.from_pretrained(models_at[0]).eval()

    def reload(number: int) -> Any:
        return AutoModelForSequenceClassification.from_pretrained(models_at[number]).eval()

    def copy_weights(number: int) -> Any:
        there.load_state_dict(load_file(models_at[number] / "model.safetensors"))
        return there

    def switching(adapted: methods.Adapted, sources: list[Any]) -> Callable[[int], Any]:
        def switch(number: int) -> Any:
            adapted.switch(sources[number])
            return adapted.model

        return switch

    task, whole = checkpoints[0].bytes, size(there.state_dict().values())
    matrices = merged.kept_bytes
    # What is timed; bytes that a switch reads, and writes into the model; bytes kept beside the base for it,
    # with both tasks in memory where they come from there.
    ways: list[tuple[str, Callable[[int], Any], int, int, int]] = [
        ("switch, unmerged, from memory", switching(unmerged, checkpoints), task, task, 3 * task),
        ("switch, unmerged, from its folder", switching(unmerged, folders), task, task, task),
        *(
            (
                f"switch, merged, {place}",
                switching(merged, sources),
                task,
                task + matrices,
                matrices + kept * task,
            )
            for place, sources, kept in (("from memory", checkpoints, 3), ("from its folder", folders, 1))
        ),
        (RELOAD, reload, whole, whole, 0),
        ("reload, weights alone", copy_weights, whole, whole, 0),
    ]
    taken: dict[str, list[float]] = {name: [] for name, *_ in ways}
    for turn in range(-WARM, rounds):
        for name, way, *_ in ways:
            started = time.perf_counter()
            model = way(turn % 2)
            passed = time.perf_counter() - started
            if turn >= 0:
                taken[name].append(1e3 * passed)
            elif not torch.allclose(logits(model), expected[turn % 2], atol=1e-5):
                raise RuntimeError(f"{name} does not end at the other task")
    print(f"{'':34}{'ms (median, min, max)':>27}{'read':>13}{'written':>13}{'kept':>13}")
    for name, _, *counted in ways:
        print(f"{name:34}{spread(taken[name]):>27}" + "".join(f"{number:13,}" for number in counted))
    for name, times in taken.items():
        ratios = [slow / fast for slow, fast in zip(taken[RELOAD], times, strict=True)]
        print(f"{RELOAD} takes {spread(ratios)} times as long as {name}")


def spread(values: list[float]) -> str:
    """Median, smallest and largest."""
    return "  ".join(f"{value:.2f}" for value in (statistics.median(values), min(values), max(values)))


def main() -> None:
    """Read the options, silence the libraries, measure."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=30)
    options.add_argument("--threads", type=int, default=1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        measure(chosen.rounds, Path(folder))
    for dtype in (torch.float32, torch.bfloat16):
        task = trained(1, dtype)
        difference, largest = task.merge_difference(**BATCH), logits(task.model).abs().max()
        print(f"merging in {dtype} moves a logit by at most {difference:.1e}; the largest is {largest:.2f}")


if __name__ == "__main__":
    main()

"""A tuned study of nine methods, whole commands side by side: this checkout, another, and Trainer with peft.

    python tests/benchmarks/throughput.py --beside FOLDER [--methods full,lora] [--bfloat16 [--both]]
    python tests/benchmarks/throughput.py --trainer [--bfloat16 [--both]]

``--beside`` is a checkout of another commit (``git worktree add FOLDER COMMIT``): either build runs
`paretune run` on rotten_tomatoes with four search trials of half the steps and three seeds of all steps,
batch 16, costs included. ``--trainer`` runs the trials of the methods that peft has, with fixed settings and
without costs, beside one script of transformers' Trainer and peft in its fastest honest setting: batches
grouped by length, ``bf16`` where the processor multiplies in it.

Methods are taken in groups, and within a group the contenders run one after another, the first of them last
in the next group. With ``--both`` this build runs in float32 as well. What is compared is the wall time of
whole commands, starts of Python included. Scores are printed beside each other: a faster study that scores
otherwise is another study.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parents[2]
NINE = ("full", "head", "bitfit", "lora", "houlsby", "lin", "pfeiffer", "prefix", "prompt")
OF_PEFT = ("full", "lora", "prefix", "prompt")
FULL = {"method": "full", "protocol": {"base_dtype": "float32"}}
"""It trains every weight of the base, in float32; what it computes with is cast."""
Scores = dict[str, list[float]]
"""Accuracies on the reported split by method, one a seed."""
Contender = Callable[[Sequence[str], Path], Scores]


def build(checkout: Path, content: dict[str, Any], arguments: Sequence[str] = ()) -> Contender:
    """`paretune run` of a checkout, on a study of some methods."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    module, function = project["project"]["scripts"]["paretune"].split(":")
    start = f"import sys; from {module} import {function}; sys.argv[0] = 'paretune'; {function}()"

    def run(chosen: Sequence[str], folder: Path) -> Scores:
        folder.mkdir()
        study = folder / "study.yaml"
        methods = [FULL if "base_dtype" in content["protocol"] and m == "full" else m for m in chosen]
        study.write_text(yaml.safe_dump(content | {"methods": methods}), encoding="utf-8")
        command = [sys.executable, "-c", start, "run", str(study), "--out", str(folder / "records")]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        _finished([*command, *arguments], environment, checkout)
        found: Scores = {}
        for path in sorted((folder / "records").glob("*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            assert record["status"] == "completed", record["message"]
            found.setdefault(record["spec"]["method"], []).append(record["scores"]["report"]["accuracy"])
        return found

    return run


def study_of(options: argparse.Namespace, **changes: Any) -> dict[str, Any]:
    """The study, as far as both builds read it alike."""
    protocol = {"steps": options.steps, "batch_size": 16, "train_examples": options.steps * 16}
    return {
        "name": "throughput",
        "models": ["embedded"],
        "tasks": ["rotten_tomatoes"],
        "seeds": list(range(options.seeds)),
        "protocol": protocol | changes.pop("protocol", {}),
        **changes,
    }


def here(options: argparse.Namespace, **changes: Any) -> dict[str, Contender]:
    """This checkout, as it would be used for speed, in the precisions asked for."""
    half = {"precision": "bfloat16", "base_dtype": "bfloat16"}
    arguments = ["--workers", str(options.workers)] if options.workers else []
    asked: dict[str, dict[str, str]] = {"here": {}} if options.both or not options.bfloat16 else {}
    asked |= {"here, bfloat16": half} if options.bfloat16 else {}
    return {
        name: build(HERE, study_of(options, protocol=numbers, **changes), arguments)
        for name, numbers in asked.items()
    }


def trainer(options: argparse.Namespace) -> Contender:
    """One process of transformers' Trainer with peft."""

    def run(chosen: Sequence[str], folder: Path) -> Scores:
        folder.mkdir()
        asked = {"methods": list(chosen), "seeds": options.seeds, "steps": options.steps}
        asked |= {"bfloat16": options.bfloat16, "folder": str(folder)}
        command = [sys.executable, str(Path(__file__).with_name("trainer_side.py")), json.dumps(asked)]
        environment = {**os.environ, "PYTHONPATH": str(HERE)}
        scores: Scores = json.loads(_finished(command, environment, HERE).splitlines()[-1])
        return scores

    return run


def _finished(command: Sequence[str], environment: dict[str, str], place: Path) -> str:
    """What a command prints; where it fails, what it complains of ends the benchmark."""
    done = subprocess.run(command, check=False, cwd=place, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def main() -> None:
    """Run the groups and print times, ratios and scores."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--beside", type=Path, help="another checkout")
    options.add_argument("--trainer", action="store_true", help="beside Trainer and peft, trials alone")
    options.add_argument("--methods", help="comma-separated; none = all nine, or those that peft has")
    options.add_argument("--group", type=int, default=3, help="methods that a command is given at once")
    options.add_argument("--steps", type=int, default=160)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--workers", type=int, default=0, help="of this checkout; 0 = none")
    options.add_argument("--bfloat16", action="store_true")
    options.add_argument("--both", action="store_true", help="float32 beside bfloat16")
    chosen = options.parse_args()
    names = chosen.methods.split(",") if chosen.methods else OF_PEFT if chosen.trainer else NINE
    if chosen.trainer:
        contenders = here(chosen, costs="none") | {"Trainer + peft": trainer(chosen)}
    elif chosen.beside is not None:
        tuning = {"trials": 4, "seed": 1000, "steps_share": 0.5}
        before = {"evaluate_every": 80, "latency_rounds": 50}
        there = study_of(chosen, protocol=before, tuning=tuning)
        ours = here(chosen, costs={"latency_rounds": 50}, tuning=tuning)
        contenders = ours | {"beside": build(chosen.beside, there)}
    else:
        options.error("expected --beside FOLDER or --trainer")
    compare(contenders, names, chosen.group)


def compare(contenders: dict[str, Contender], names: Sequence[str], size: int) -> None:
    """Run every contender on every group of methods."""
    groups = [names[start : start + size] for start in range(0, len(names), size)]
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    scores: dict[str, Scores] = {name: {} for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        for index, group in enumerate(groups):
            order = list(contenders)
            for name in order[::-1] if index % 2 else order:
                started = time.perf_counter()
                scores[name] |= contenders[name](group, Path(folder, f"{index}-{name}"))
                seconds[name].append(time.perf_counter() - started)
            told = ", ".join(f"{name} {seconds[name][-1]:.1f} s" for name in contenders)
            print(f"{', '.join(group)}: {told}", flush=True)
    other = list(contenders)[-1]
    for name in list(contenders)[:-1]:
        ratios = [a / b for a, b in zip(seconds[name], seconds[other], strict=True)]
        all_ours, theirs = sum(seconds[name]), sum(seconds[other])
        between = f"groups from {min(ratios):.3f} to {max(ratios):.3f}"
        print(f"{name} {all_ours:.0f} s, {other} {theirs:.0f} s, ratio {all_ours / theirs:.3f} ({between})")
    for method in names:
        by_contender = [f"{name} {_spread(scores[name][method])}" for name in contenders]
        print(f"{method}: accuracy {', '.join(by_contender)}")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


if __name__ == "__main__":
    main()

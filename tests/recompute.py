"""Numbers of the README and of docs/superseded.md once more, from the JSON files, with nothing of Paretune.

    python tests/recompute.py

Shares no line with the package, so that one checks the other.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

BOARDS = Path(__file__).parents[1] / "reports" / "leaderboards"
ALPHA, MARGIN = 0.05, 0.01

Runs = dict[tuple[str, str, int], dict[str, Any]]


def read(*folders: str) -> Runs:
    """Trials by method, task and seed, with the share gained and whether they learned anything."""
    files = [path for folder in folders for path in sorted((BOARDS / folder).glob("*.json"))]
    trials = [json.loads(path.read_text()) for path in files if ".search." not in path.name]
    floor: dict[str, float] = defaultdict(float)
    for trial in trials:
        if trial["task"]["metrics"][0]["unit"] != "correlation":  # a constant has none
            metric = trial["task"]["main_metric"]
            floor[trial["task"]["name"]] = max(
                floor[trial["task"]["name"]], trial["scores"]["majority"][metric]
            )
    found = {}
    for trial in trials:
        task = trial["task"]
        unit = next(m["unit"] for m in task["metrics"] if m["name"] == task["main_metric"])
        score, count, low = (
            trial["scores"]["report"][task["main_metric"]],
            task["sizes"]["report"],
            floor[task["name"]],
        )
        low = 0.0 if unit == "correlation" else low
        error = (1 - (score or 0) ** 2) / math.sqrt(count - 1)
        if unit == "fraction":
            error = math.sqrt(score * (1 - score) / count)
        learned = score is not None and score - stats.norm.ppf(0.95) * error > low
        key = trial["spec"]["method"], task["name"], trial["spec"]["seed"]
        gained = ((low if score is None else score) - low) / (1 - low)
        found[key] = {"score": low if score is None else score, "gained": gained, "learned": learned}
    return found


def bounds(
    parts: dict[str, list[float]], noise: dict[str, float], alpha: float
) -> tuple[float, float] | None:
    """Ends of the mean over tasks of the mean difference, by t; None where no task has three pairs."""
    tasks = [task for task, part in parts.items() if len(part) > 2]
    if not tasks:
        return None
    variances = [stats.sem(parts[task]) ** 2 for task in tasks]
    sizes = [len(parts[task]) for task in tasks]
    welch = sum(variances) ** 2 / sum(v**2 / (n + 1) for v, n in zip(variances, sizes, strict=True)) - 2
    shared = [noise[task] / len(parts[task]) for task in tasks]
    most = sum(shared) ** 2 / sum(v**2 / (n - 1) for v, n in zip(shared, sizes, strict=True))
    mean = sum(np.mean(parts[task]) for task in tasks) / len(tasks)
    half = stats.t.ppf(1 - alpha / 2, min(welch, most)) * math.sqrt(sum(variances)) / len(tasks)
    return mean - half, mean + half


def verdicts(runs: Runs) -> dict[tuple[str, str], str]:
    """Of every two methods ``better``, ``worse``, ``as good`` (either as the other) or ``open``."""
    methods = sorted({method for method, _, _ in runs})
    tasks = sorted({task for _, task, _ in runs})
    pairs = list(itertools.combinations(methods, 2))
    gaps: dict[tuple[str, str], dict[str, list[float]]] = {}
    for one, other in pairs:
        parts = {}
        for task in tasks:
            cells = [(runs.get((one, task, seed)), runs.get((other, task, seed))) for seed in range(10)]
            both = [(a, b) for a, b in cells if a and b and a["learned"] and b["learned"]]
            parts[task] = [a["gained"] - b["gained"] for a, b in both]
        gaps[one, other] = parts
    known = {task: [parts[task] for parts in gaps.values() if len(parts[task]) > 2] for task in tasks}
    noise = {task: float(np.mean([np.var(p, ddof=1) for p in some])) for task, some in known.items() if some}
    made = sum(any(parts.values()) for parts in gaps.values())
    found = {}
    for (one, other), parts in gaps.items():
        lost = [sum(not r["learned"] for key, r in runs.items() if key[0] == name) for name in (one, other)]
        ends = bounds(parts, noise, ALPHA / made)
        low, high = ends or (-math.inf, math.inf)
        if low > 0 and lost[0] <= lost[1]:
            found[one, other] = "better"
        elif high < 0 and lost[1] <= lost[0]:
            found[one, other] = "worse"
        elif (low > -MARGIN and lost[0] <= lost[1]) or (high < MARGIN and lost[1] <= lost[0]):
            found[one, other] = "as good"
        else:
            found[one, other] = "open"
    return found


def mean_and_interval(values: list[float]) -> str:
    """`0.208 (0.165–0.250)`."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return f"{np.mean(values):.3f} ({np.mean(values) - half:.3f}–{np.mean(values) + half:.3f})"


def d90(task: str) -> str:
    """The smallest dimension whose score is at least 90 % of full fine-tuning's, and the largest below it."""
    inside: dict[tuple[int, float], list[float]] = defaultdict(list)
    whole: list[float] = []
    for path in sorted((BOARDS / "intrinsic").glob(f"{task}--*.json")):
        if ".search." in path.name:
            continue
        trial = json.loads(path.read_text())
        score = trial["scores"]["report"][trial["task"]["main_metric"]]
        if "dimension" in trial["spec"]["options"]:
            rate = trial["spec"]["protocol"]["learning_rate"]
            inside[trial["spec"]["options"]["dimension"], rate].append(score)
        else:
            whole.append(score)
    full = float(np.mean(whole))
    # The other learning rates were tried with one seed, and lost on the selection split.
    scores = {dimension: float(np.mean(found)) for (dimension, _), found in inside.items() if len(found) > 1}
    enough = min(d for d, score in scores.items() if score >= 0.9 * full)
    below = max(d for d in scores if d < enough)
    return f"{enough:,} ({scores[enough]:.3f} against {full:.3f}), {below:,} are not ({scores[below]:.3f})"


def main() -> None:
    """Print one line for each."""
    runs = read("tuned-glue", "tuned-reviews")
    found = list(verdicts(runs).values())
    better = sum(verdict in ("better", "worse") for verdict in found)
    good, still = found.count("as good"), found.count("open")
    print(f"verdicts: of {len(found)} pairs {better} better, {good} as good, {still} not decided")
    lost = {
        name: sum(not run["learned"] for (method, _, _), run in runs.items() if method == name)
        for name in ("full", "prefix")
    }
    p = stats.binomtest(0, lost["prefix"], 0.5).pvalue * len(found)
    print(f"learned nothing: prefix {lost['prefix']} of 18 runs, full {lost['full']}; corrected p {p:.3f}")
    full = [run["score"] for (method, task, _), run in runs.items() if (method, task) == ("full", "cola")]
    print(f"full on CoLA: {mean_and_interval(full)}")
    print(f"d90 on rotten_tomatoes: {d90('rotten_tomatoes')}")


if __name__ == "__main__":
    main()

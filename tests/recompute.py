"""Numbers of the README and of docs/superseded.md once more, from the JSON files, with nothing of Paretune.

    python tests/recompute.py

Where Paretune finds the interval of a difference from the means of all subsets and reads the verdict off it,
this counts the sign patterns at 0 and at minus the margin; so one checks the other.
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


def bounds(parts: list[list[float]], alpha: float) -> tuple[bool, bool, bool]:
    """Whether the mean difference is above 0, below 0, and above minus the margin, two-sided at ``alpha``."""
    pairs = sum(map(len, parts))
    if 2 / 2**pairs > alpha:  # no pattern is rare enough: Student's t on tasks with three pairs
        parts = [part for part in parts if len(part) > 2] or parts
        pairs = sum(map(len, parts))
    if 2 / 2**pairs > alpha:
        if min(map(len, parts), default=0) < 3:
            return False, False, False
        shares = np.array([np.var(part, ddof=1) / len(part) / len(parts) ** 2 for part in parts])
        freedom = shares.sum() ** 2 / (shares**2 / np.array([len(part) - 1 for part in parts])).sum()
        half = stats.t.ppf(1 - alpha / 2, freedom) * math.sqrt(shares.sum())
        mean = np.mean([np.mean(part) for part in parts])
        return mean - half > 0, mean + half < 0, mean - half > -MARGIN
    weights = np.concatenate([np.full(len(part), 1 / len(part) / len(parts)) for part in parts])
    values = np.concatenate([np.asarray(part) for part in parts])
    numbers = np.arange(2**pairs)
    signs = 1.0 - 2.0 * ((numbers[:, None] >> np.arange(pairs)) & 1)  # (patterns, pairs)

    def rare(shift: float, side: int) -> bool:
        moved = side * weights * (values - shift)
        sums = signs @ moved
        return bool(np.mean(sums >= moved.sum() - 1e-12) <= alpha / 2)

    return rare(0.0, 1), rare(0.0, -1), rare(-MARGIN, 1)


def verdicts(runs: Runs) -> dict[tuple[str, str], str]:
    """Of every two methods ``better``, ``worse``, ``as good`` (either as the other) or ``open``."""
    methods = sorted({method for method, _, _ in runs})
    tasks = sorted({task for _, task, _ in runs})
    pairs = list(itertools.combinations(methods, 2))
    found = {}
    for one, other in pairs:
        parts = []
        for task in tasks:
            cells = [(runs.get((one, task, seed)), runs.get((other, task, seed))) for seed in range(10)]
            both = [(a, b) for a, b in cells if a and b and a["learned"] and b["learned"]]
            parts.append([a["gained"] - b["gained"] for a, b in both])
        parts = [part for part in parts if part]
        lost = [sum(not r["learned"] for key, r in runs.items() if key[0] == name) for name in (one, other)]
        above, below, good = bounds(parts, ALPHA / len(pairs))
        _, _, good_back = bounds([[-gap for gap in part] for part in parts], ALPHA / len(pairs))
        if above and lost[0] <= lost[1]:
            found[one, other] = "better"
        elif below and lost[1] <= lost[0]:
            found[one, other] = "worse"
        elif (good and lost[0] <= lost[1]) or (good_back and lost[1] <= lost[0]):
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

"""The pilot of the boards: what docs/protocol.md lets it decide, from scores of the selection split alone.

    python tests/pilot.py rates     --data GLUE --banking77 FOLDER [--out results/pilot]
    python tests/pilot.py length    --data GLUE --banking77 FOLDER --rate 0.003
    python tests/pilot.py full      --data GLUE --banking77 FOLDER --tasks banking77
    python tests/pilot.py warmup    --data GLUE --banking77 FOLDER
    python tests/pilot.py third     --data GLUE --banking77 FOLDER
    python tests/pilot.py grid      --data GLUE --banking77 FOLDER
    python tests/pilot.py pooler    --data GLUE --banking77 FOLDER --tasks stsb
    python tests/pilot.py precision --data GLUE --banking77 FOLDER --tasks stsb --model FOLDER
    python tests/pilot.py stopped   --data GLUE --banking77 FOLDER --tasks rotten_tomatoes sst2 stsb

`full`, `pooler` and `stopped` decide nothing. The first tells whether full fine-tuning was held back by the
rates it was searched at; the second how far LoRA is behind it, in the score that is reported, where a head
trains what is the frozen pooler else; the last what the second board's search lost by its stop at step 40.
Each part is one study or several, run by `paretune run` into folders of their own; it goes on where it was.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))  # else `reports` is the tests' folder of that name

from reports.records.schema import Record
from reports.records.store import read_records, read_searches
from reports.stats.estimate import mean_interval
from tests import dense_head
from tests.pilot_scores import by_rate, constant, learned, mean, paired, reported, selection

RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
FULL_RATES = (0.0001, 0.0003, 0.001, 0.003)
"""Of full fine-tuning, which is searched from 0.00001 to 0.0005."""
UNSTEADY: dict[str, list[tuple[str, dict[str, int], float]]] = {
    "stsb": [
        ("lin", {"bottleneck": 16}, 0.00732),
        ("houlsby", {"bottleneck": 64}, 0.00361),
    ],
    "rotten_tomatoes": [("lora", {"rank": 16}, 0.01084)],
    "sst2": [("houlsby", {"bottleneck": 256}, 0.00209)],
}
"""Settings that board-minilm reports and that failed in 18 of 30 runs: the method, its size, its rate."""
STOPPED, SEARCH_SEEDS = ("full", "prompt"), (2000, 2001)
"""Of part `stopped`: methods whose stopped rates are trained whole, with the seeds of the search."""
MOST_FAILED = 1
"""Of 20 runs."""
PRECISION_SEEDS, PRECISION_MARGIN = 3, 0.01
"""Of bfloat16 beside float32: it is used where the interval of what it changes lies within the margin."""
EMBEDDED = "embedded"
LENGTHS = (160, 320, 640, 1280)
SEEDS = (100, 101, 102, 103, 104)
OUTSIDE_SEEDS = (40, 41, 42, 43, 44, 45)
"""Those of claim 17."""
TASKS = ("rotten_tomatoes", "imdb", "sst2", "mrpc", "stsb", "cola", "banking77")
LONG = {"imdb": {"max_length": 128}}
BATCH = 32


def ran(
    name: str, tasks: Iterable[Any], methods: Sequence[Any], asked: argparse.Namespace, **more: Any
) -> list[Record]:
    """Run a study, or what is missing of it, and read its records."""
    if asked.model != EMBEDDED:
        name = f"{Path(asked.model).name}-{name}"
        more = {"models": [asked.model], **more}
    folder = asked.out / name
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "name": f"pilot-{name}",
        "tasks": list(tasks),
        "methods": list(methods),
        "costs": "none",
        **more,
    }
    with (
        tempfile.TemporaryDirectory() as scratch
    ):  # it names this machine's paths, and stays out of the records
        file = Path(scratch) / "study.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "paretune", "run", str(file), "--out", str(folder)]
        subprocess.run([*command, "--data", asked.data, "--workers", str(asked.workers)], check=True)
    return read_records(folder)


def entry(name: str, asked: argparse.Namespace, **protocol: Any) -> Any:
    """A task as a study has it."""
    protocol = LONG.get(name, {}) | protocol
    if name != "banking77":
        return {name: protocol}
    files = {
        "train": str(asked.banking77.resolve() / "train.csv"),
        "report": str(asked.banking77.resolve() / "test.csv"),
    }
    return {"name": "intents", **files, "text": "text", "label": "category", "protocol": protocol}


def rates(asked: argparse.Namespace) -> None:
    """Part 1: the best rate of each method on each task, by its mean over two seeds."""
    for method, best in best_rates(
        "rates", ("rotten_tomatoes", "stsb", "banking77"), ("lora", "bitfit"), RATES, asked
    ).items():
        print(f"{method}: searched from {min(best) / 3:.2g} to {max(best) * 3:.2g}, papers' rates included")


def full(asked: argparse.Namespace) -> None:
    """Full fine-tuning at rates of its space and above, for a task on which it is behind."""
    best_rates("full-rates", asked.tasks, ("full",), FULL_RATES, asked)


def best_rates(
    name: str,
    tasks: Sequence[str],
    methods: Sequence[str],
    tried: Sequence[float],
    asked: argparse.Namespace,
) -> dict[str, list[float]]:
    """Train every method at every rate on every task, say how it went, and give the best of each task."""
    settings = [
        {"method": method, "protocol": {"learning_rate": rate}} for method in methods for rate in tried
    ]
    entries = [entry(task, asked) for task in tasks]
    records = ran(name, entries, settings, asked, seeds=list(SEEDS[:2]), protocol=training(LENGTHS[0]))
    scores: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        key = record.spec["method"], record.spec["task"]
        score = selection(record)
        scores[key][record.spec["protocol"]["learning_rate"]].append(-1.0 if score is None else score)
    best: dict[str, list[float]] = {method: [] for method in methods}
    for (method, task), found in sorted(scores.items()):
        means = {rate: float(np.mean(values)) for rate, values in sorted(found.items())}
        best[method].append(max(means, key=lambda rate: means[rate]))
        told = ", ".join(f"{rate:g}: {mean:.3f}" for rate, mean in means.items())
        print(f"{method} on {task}: {told}; best {best[method][-1]:g}")
    return best


def length(asked: argparse.Namespace) -> None:
    """Part 2: the first length at which both methods learn with every seed, task by task.

    One seed more at a time: where one fails the length is not the task's, and the others are not trained.
    """
    for name in asked.tasks:
        for steps in LENGTHS:
            for number in range(1, len(SEEDS) + 1):
                records = full_and_lora(name, steps, number, asked.precision, asked)
                failed = [
                    f"{one.spec['method']} with seed {one.spec['seed']}"
                    for one in records
                    if not learned(one)
                ]
                if failed or len(records) != 2 * number:
                    break
            done = not failed and len(records) == 2 * len(SEEDS)
            told = f"learned nothing: {', '.join(failed)}" if failed else "every seed of both learned"
            taken = "; taken" if done or steps == LENGTHS[-1] else ""
            print(f"{name}, {steps} steps: {told}{taken}", flush=True)
            if done:
                break


def precision(asked: argparse.Namespace) -> None:
    """Part 3: full fine-tuning and LoRA in float32 and in bfloat16, paired by method and seed.

    The part `length` goes on from these runs, in the precision that is taken.
    """
    apart = []
    for name in asked.tasks:
        scores: dict[str, dict[tuple[str, int], float | None]] = {}
        for number in range(1, PRECISION_SEEDS + 1):
            for kind in ("float32", "bfloat16"):
                records = full_and_lora(name, LENGTHS[0], number, kind, asked)
                scores[kind] = {(one.spec["method"], one.spec["seed"]): selection(one) for one in records}
        for which, score in scores["float32"].items():
            other = scores["bfloat16"][which]
            assert score is not None
            assert other is not None
            apart.append(other - score)
            print(f"{name}, {which[0]} with seed {which[1]}: {score:.4f}, {other:.4f} in bfloat16")
    told = mean_interval(apart)
    assert told.interval is not None
    low, high = told.interval.low, told.interval.high
    taken = "bfloat16" if max(-low, high) <= PRECISION_MARGIN else "float32"
    print(f"in bfloat16 {told.value:.4f} more ({low:.4f} to {high:.4f}): {taken} is taken", flush=True)


def full_and_lora(task: str, steps: int, seeds: int, kind: str, asked: argparse.Namespace) -> list[Record]:
    """Full fine-tuning at its default and LoRA at the rate of part 1, with so many seeds of the pilot."""
    methods = ["full", {"method": "lora", "protocol": {"learning_rate": asked.rate}}]
    name, protocol = f"length-{task}-{steps}", training(steps)
    if kind != "float32":
        name, protocol = f"{name}-{kind}", protocol | {"precision": kind}
    return ran(name, [entry(task, asked)], methods, asked, seeds=list(SEEDS[:seeds]), protocol=protocol)


def warmup(asked: argparse.Namespace) -> None:
    """Settings that failed with a warm-up over 6 % of the steps, over 20 %."""
    retried("warmup", asked, warmup_share=0.2)


def third(asked: argparse.Namespace) -> None:
    """The same at a third of their rates."""
    retried("third", asked, factor=1 / 3)


def retried(part: str, asked: argparse.Namespace, factor: float = 1.0, **more: Any) -> None:
    """Settings that failed, trained otherwise, until it is decided whether they hold.

    A run fails that does not get half way from the best constant answer to the best run of its setting.
    """
    failed = runs = 0
    for task, settings in UNSTEADY.items():
        methods = [
            {
                "method": method,
                "options": options,
                "protocol": {"learning_rate": float(f"{rate * factor:.3g}")},
            }
            for method, options, rate in settings
        ]
        protocol = training(LENGTHS[0]) | more
        records = ran(
            f"{part}-{task}", [entry(task, asked)], methods, asked, seeds=list(SEEDS), protocol=protocol
        )
        for method, *_ in settings:
            mine = [one for one in records if one.spec["method"] == method]
            scores = [-1.0 if (score := selection(one)) is None else score for one in mine]
            bound = (constant(mine[0]) + max(scores)) / 2
            lost = sum(score < bound for score in scores)
            failed, runs = failed + lost, runs + len(mine)
            told = ", ".join(f"{score:.3f}" for score in sorted(scores))
            print(f"{part}, {method} on {task}: {told}; {lost} of {len(mine)} failed", flush=True)
        if failed > MOST_FAILED:
            break
    print(f"{part}: {failed} of {runs} failed, at most {MOST_FAILED} would hold", flush=True)


def grid(asked: argparse.Namespace) -> None:
    """The rates of the second board: half decades around what the search of `board-minilm` chose.

    The one nearest to the geometric mean over the tasks, two below and one above it. Of full fine-tuning on
    banking77 the best rate of the part `full` is taken, as the search could not go so far.
    """
    chosen: dict[str, dict[str, float]] = defaultdict(dict)
    for record in read_records(Path(__file__).parents[1] / "reports" / "leaderboards" / "board-minilm"):
        if record.tuning is not None:
            chosen[record.spec["method"]][record.spec["task"]] = record.tuning.chosen["learning_rate"]
    (chosen["full"]["banking77"],) = best_rates("full-rates", ["banking77"], ["full"], FULL_RATES, asked)[
        "full"
    ]
    for method, found in chosen.items():
        middle = round(2 * float(np.mean(np.log10([*found.values()]))))
        rates = [float(f"{10 ** (half / 2):.1g}") for half in range(middle - 2, middle + 2)]
        print(f"{method}: {rates}, from {', '.join(f'{rate:.2g}' for rate in found.values())}")


def pooler(asked: argparse.Namespace) -> None:
    """LoRA and the blocks alone beside full fine-tuning, as in claim 17, under `dense_head.py`'s head."""
    model = dense_head.build(Path("results") / "dense-head")
    every = ["query", "key", "value", "output", "up", "down"]
    methods = [
        {"method": "full", "protocol": {"learning_rate": 0.0001}},
        {"method": "top_layers", "options": {"layers": 6}, "protocol": {"learning_rate": 0.0001}},
        {"method": "lora", "options": {"rank": 8}, "protocol": {"learning_rate": 0.003}},
        {"method": "lora", "options": {"rank": 8, "target": every}, "protocol": {"learning_rate": 0.001}},
    ]
    published = Path(__file__).parents[1] / "reports" / "leaderboards" / "claim-outside-blocks"
    frozen = reported(read_records(published))
    for name in asked.tasks:
        more = {"models": [model], "seeds": list(OUTSIDE_SEEDS), "protocol": training(LENGTHS[0])}
        scores = reported(ran(f"pooler-{name}", [entry(name, asked)], methods, asked, **more))
        for setting, found in scores.items():
            print(f"{name}, {' '.join(map(str, setting))}: {np.mean([*found.values()]):.4f}")
            paired(scores["full", "0.0001"], found, "behind full fine-tuning")
            if name == "stsb" and setting in frozen:
                paired(found, frozen[setting], "more than with the frozen pooler (claim 17)")


def stopped(asked: argparse.Namespace) -> None:
    """Rates that the second board's search stopped above the chosen one: trained whole, beside the best."""
    folder = Path(__file__).parents[1] / "reports" / "leaderboards" / "board-minilm-2"
    chosen = by_rate(read_records(folder))
    searched = by_rate(read_searches(folder))
    for task in asked.tasks:
        settings = [
            {"method": method, "protocol": {"learning_rate": rate}}
            for method in STOPPED
            for rate in sorted(searched[task, method])
            if rate > min(chosen[task, method], default=math.inf)
            and math.isnan(mean(searched[task, method][rate]))
        ]
        if not settings:
            continue  # the search stopped none above the chosen one
        more = {"seeds": list(SEARCH_SEEDS), "protocol": training(LENGTHS[0])}
        for (_, method), rates in by_rate(
            ran(f"stopped-{task}", [entry(task, asked)], settings, asked, **more)
        ).items():
            best = np.nanmax([mean(records) for records in searched[task, method].values()])
            told = ", ".join(f"{rate:g}: {mean(records):.3f}" for rate, records in sorted(rates.items()))
            print(f"{method} on {task}: {told}; best that the search trained whole {best:.3f}", flush=True)


def training(steps: int) -> dict[str, Any]:
    """The protocol of every part."""
    return {"steps": steps, "batch_size": BATCH}


PARTS = {
    "rates": rates,
    "length": length,
    "full": full,
    "warmup": warmup,
    "third": third,
    "grid": grid,
    "pooler": pooler,
    "precision": precision,
    "stopped": stopped,
}


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", required=True, help="folder of nyu-mll/glue")
    parser.add_argument("--banking77", type=Path, required=True, help="folder with train.csv and test.csv")
    parser.add_argument("--out", type=Path, default=Path("results/pilot"))
    parser.add_argument("--rate", type=float, default=0.001, help="of lora, from part 1")
    parser.add_argument(
        "--tasks", nargs="+", choices=TASKS, default=TASKS, help="of length, full, pooler, precision, stopped"
    )
    parser.add_argument("--model", default=EMBEDDED, help="of length and precision")
    parser.add_argument("--precision", default="float32", help="of length")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    PARTS[asked.part](asked)


if __name__ == "__main__":
    main()

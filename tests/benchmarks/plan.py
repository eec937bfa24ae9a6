"""How long a study takes beside what ``paretune plan`` says. Run by hand, on a quiet machine.

    python tests/benchmarks/plan.py            # wall time
    python tests/benchmarks/plan.py --busy     # processor time of one thread, where others use the machine

Three small studies are planned and then run for real: the demo's nine methods, four on long inputs, and one
with a search. Told are predicted and measured seconds of each method and in total; the total is to be within
30 %.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from reports.records.schema import Record
from runners.plan.spec import TrialSpec
from runners.plan.study import Study, parse_study
from runners.trials.loop import Progress
from runners.work import execute, forecast, search

NINE: list[Any] = ["full", "head", "bitfit", "lora", "houlsby", "lin", "pfeiffer", {"prefix": {"length": 20}}]
NINE.append({"prompt": {"length": 20}})

STUDIES: list[dict[str, Any]] = [
    {
        "name": "demo-like",
        "methods": NINE,
        "protocol": {"steps": 10, "batch_size": 16, "evaluate_every": 10, "scored_examples": 128},
        "costs": {"latency_rounds": 20},
    },
    {
        "name": "long-inputs",
        "tasks": ["imdb"],
        "methods": ["full", "lora", "houlsby", "prompt"],
        "protocol": {"steps": 8, "batch_size": 8, "evaluate_every": 4, "scored_examples": 64},
        "costs": "none",
    },
    {
        "name": "searched",
        "methods": ["full", "lora"],
        "seeds": [0, 1],
        "protocol": {"steps": 12, "batch_size": 16, "evaluate_every": 6, "scored_examples": 128},
        "costs": {"latency_rounds": 20},
        "tuning": {"trials": 3, "seed": 1000, "steps_share": 0.5},
    },
]


class Watch:
    """Times trials, each with the clock that the forecast has."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.since = clock, 0.0
        self.seconds: dict[str, float] = defaultdict(float)

    def started(self, spec: TrialSpec) -> None:
        self.since = self.clock()

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        pass

    def finished(self, spec: TrialSpec, record: Record) -> None:
        self.seconds[spec.method] += self.clock() - self.since
        assert record.status in ("completed", "pruned"), record.message
        assert not record.gaps, record.gaps


def main() -> None:
    """Plan and run the studies."""
    busy = "--busy" in sys.argv
    clock = time.process_time if busy else time.perf_counter
    if busy:
        torch.set_num_threads(1)
    names = [name for name in sys.argv[1:] if not name.startswith("-")]
    for content in STUDIES:
        if not names or content["name"] in names:
            compare({"models": ["embedded"], "tasks": ["rotten_tomatoes"], **content}, clock)


def compare(content: dict[str, Any], clock: Callable[[], float]) -> None:
    """One study."""
    study: Study = parse_study(content)
    with tempfile.TemporaryDirectory(prefix="paretune-") as folder:
        began = clock()
        planned = forecast.forecast(study, Path(folder), clock=clock)
        print(f"\n{study.name}: planned in {clock() - began:.1f} s", planned.assumed[0], flush=True)
        print("  predicted", {name: round(value, 1) for name, value in planned.stages().items()}, flush=True)
        watch = Watch(clock)
        if study.searches:
            study = search.run_searches(study, Path(folder), [watch])
        execute.run_study(study, Path(folder), [watch])
    predicted: dict[str, float] = defaultdict(float)
    for row in planned.rows:
        predicted[row.method.split()[0]] += row.total
    for method, seconds in watch.seconds.items():
        told(method, predicted[method], seconds)
    told("total", sum(predicted.values()), sum(watch.seconds.values()))


def told(name: str, predicted: float, measured: float) -> None:
    """One line."""
    off = predicted / measured - 1
    print(f"  {name:10} {predicted:8.1f} s predicted {measured:8.1f} s measured {off:+8.0%}", flush=True)


if __name__ == "__main__":
    main()

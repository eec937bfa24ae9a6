"""What a trial costs beside its training, by where it is run: 200 trials of 2 steps on a tiny model.

Every executor does the same study in a folder of its own, after a few trials that load libraries, data and
tokens in every process. Printed are seconds per trial from the first to the last, of the clock and of the
processors of all processes, and the latter without the steps themselves, which the records tell: what is left
is loading the model, putting the method in, evaluating, and what an executor adds.

    python tests/benchmarks/overhead.py [--executor local|workers|ray] [--trials 200] [--workers 2]
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil


@contextlib.contextmanager
def executor(name: str, workers: int) -> Iterator[Any]:
    """Where trials are run."""
    if name == "local":
        from runners.executors.local import Local

        yield Local()
    elif name == "ray":
        from runners.executors.on_ray import Ray

        with Ray() as found:
            yield found
    else:
        from runners.executors.workers import Workers

        with Workers(workers, threads=1) as pool:
            yield pool


def processor_seconds() -> float:
    """Of this process and those below it that are there."""
    own = psutil.Process()
    times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def main() -> None:
    """Run the study and print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executor", choices=("local", "workers", "ray"), default="local")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()

    import torch

    from runners import device
    from runners.plan import study
    from runners.work import execute
    from tests.runners.conftest import save_tiny_model

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="paretune-") as folder:
        content = {
            "name": "overhead",
            "models": [save_tiny_model(Path(folder, "model"))],
            "tasks": ["rotten_tomatoes"],
            "methods": ["lora"],
            "seeds": list(range(4 + asked.trials)),
            "protocol": {"steps": 2, "batch_size": 8, "train_examples": 64, "scored_examples": 64},
            "costs": "none",
        }
        made, out = study.parse_study(content), Path(folder, "out")
        with executor(asked.executor, asked.workers) as where:
            device.settle()  # as the command does
            execute.run_study(replace(made, specs=made.specs[:4]), out, [], executor=where)
            clock, processor = time.perf_counter(), processor_seconds()
            records = execute.run_study(replace(made, specs=made.specs[4:]), out, [], executor=where)
            clock, processor = time.perf_counter() - clock, processor_seconds() - processor
    steps = sum(r.training.seconds * (r.training.cpu_share or 0) for r in records if r.training)  # one thread
    print(
        f"{asked.executor}: {clock / asked.trials:.3f} s a trial, {processor / asked.trials:.3f} s of "
        f"processors, {(processor - steps) / asked.trials:.3f} s of them beside the steps "
        f"({len(records)} trials)"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()

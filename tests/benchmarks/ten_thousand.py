"""What a study of ten thousand trials costs the process that runs it, by simulation.

    python tests/benchmarks/ten_thousand.py [--trials 10000] [--executors local ray]

The trials are stood in for by a function that sleeps a few milliseconds and gives back a record of the size
of a real one. All else is real: `run_study` submits them to the executor, takes the records, and writes each
to a folder. Ray runs on this machine. What is told is of the process that runs the study: its own processor
time, its memory, and what comes and goes. What Ray's other processes take is not in it.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from reports import read_records
from reports.records.schema import Record
from runners.executors.local import Local
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials.jobs import Executor
from runners.trials.loop import Progress
from runners.work.execute import run_study

SECONDS = 0.005
"""That a trial takes: so little that the executor is what is measured."""

REAL = Path(__file__).parents[2] / "reports" / "leaderboards" / "rotten-tomatoes"


@cache
def real() -> Record:
    """A published record of a trial that a search chose the settings of."""
    return read_records(REAL)[0]


def stand_in(spec: TrialSpec, *, watch: Any, keeping: Any, **rest: Any) -> Record:
    """Tell what a trial tells, and give back a record as large as a real one."""
    for phase in ("loading", "training", "scoring"):
        watch(Progress(phase))
    time.sleep(SECONDS)
    changed = {"trial_id": spec.trial_id, "spec": spec.model_dump(mode="json"), "gaps": {}, "tuning": None}
    made = real().model_copy(update=changed)
    keeping.record(made)
    return made


@contextmanager
def executor(name: str) -> Iterator[Executor]:
    """Who runs trials."""
    from ten_thousand import stand_in as run  # by its module's name, by which other processes find it

    if name == "local":
        yield Local(run)
        return
    from runners.executors.on_ray import Ray

    with Ray(run=run) as found:
        yield found


def main() -> None:
    """Run one study by each executor; print a row each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--executors", nargs="+", default=["local", "ray"])
    given = parser.parse_args()
    protocol = {"steps": 160, "batch_size": 16}
    specs = tuple(
        TrialSpec(
            model="embedded", task="rotten_tomatoes", method="head", seed=i, protocol=protocol, costs=None
        )
        for i in range(given.trials)
    )
    size = len(pickle.dumps(real()))
    print(f"{given.trials:,} trials of {1000 * SECONDS:g} ms; a record is {size / 1000:.0f} kB on its way")
    print("| executor | seconds | driver's CPU, ms a trial | driver's memory, MB more | written, MB |")
    print("|---|---|---|---|---|")
    for name in given.executors:
        with tempfile.TemporaryDirectory() as folder, executor(name) as found:
            study = Study(name, name, "", specs)
            began, cpu, memory = time.perf_counter(), time.process_time(), peak()
            records = run_study(study, Path(folder), [], executor=found)
            took, used = time.perf_counter() - began, time.process_time() - cpu
            assert len(records) == len({record.trial_id for record in records}) == given.trials
            written = sum(path.stat().st_size for path in Path(folder).glob("*.json")) / 1e6
            each = 1000 * used / given.trials
            print(
                f"| {name} | {took:.0f} | {each:.1f} | {(peak() - memory) / 1e6:.0f} | {written:.0f} |",
                flush=True,
            )


def peak() -> int:
    """The most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()

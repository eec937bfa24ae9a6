"""Processes that work together, started as a launcher starts them, but forked from one that has imported.

    python tests/runners/work/forked.py CONTENT

CONTENT is a JSON file with the studies to run, see :func:`main`. What a process comes to is written beside it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from runners.plan import study
from runners.work import adapting, costing, execute, kept, loading, loop, scoring, trial

PLACES: dict[str, tuple[Any, str, int]] = {
    "loading": (loading, "load", 1),
    "adapting": (adapting, "adapt", 1),
    "tokens": (loading, "splits", 1),
    "memory": (trial.step_memory, "measure", 1),
    "second step": (loop, "training_step", 2),
    "update": (torch.optim.AdamW, "step", 2),
    "evaluation": (loop._Loop, "_evaluate", 2),
    "snapshot": (loop._Loop, "_state", 1),
    "reported tokens": (loading, "reported", 1),
    "answers": (scoring, "predict", 3),
    "keeping": (kept, "content_hash", 1),
    "costs": (costing, "_measured", 1),
}
"""Where a process is made to fail: the function, and at which call of it."""

ERRORS = {"memory": lambda: torch.OutOfMemoryError("no room"), "value": lambda: ValueError("broken")}


def fail(place: str, error: str) -> None:
    """Let the next trial of this process fail once."""
    owner, name, at = PLACES[place]
    real, calls = getattr(owner, name), 0

    def failing(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            setattr(owner, name, real)
            raise ERRORS[error]()
        return real(*arguments, **more)

    setattr(owner, name, failing)


def one(job: dict[str, Any], rank: int) -> None:
    """What one process does: every study of a job, one after the other."""
    told = []
    for number, item in enumerate(job["studies"]):
        if rank == item.get("rank"):
            fail(item["place"], item["error"])
        how = execute.How(checkpoint_every=2, keep_models=True)
        folder = Path(job["folder"]) / str(number)
        records = execute.run_study(study.parse_study(item["study"]), folder, [], how=how)
        told.append([record.model_dump(mode="json") for record in records])
    Path(job["folder"], f"{rank}.json").write_text(json.dumps(told))


def start(count: int, call: Callable[[int], None], seconds: float) -> list[int]:
    """Fork so many processes and wait for them; their exit codes, -9 for what did not come to its end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = []
    for rank in range(count):
        if (child := os.fork()) == 0:
            where = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            where |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.environ |= {name: str(value) for name, value in where.items()}
            try:
                call(rank)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        children.append(child)
    deadline, codes = time.monotonic() + seconds, dict.fromkeys(children, -9)
    running = set(children)
    while running and time.monotonic() < deadline:
        for child in list(running):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                running.discard(child)
                codes[child] = os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    for child in running:
        os.kill(child, 9)
    return list(codes.values())


def main() -> None:
    """Do the jobs of a file: ``{"processes": N, "folder": PATH, "studies": [{"study": ..}, ..]}`` each."""
    torch.set_num_threads(1)
    jobs = json.loads(Path(sys.argv[1]).read_text())
    for item in jobs[0]["studies"]:
        execute.check(study.parse_study(item["study"]))  # data and tokenizers are read once for all
    for job in jobs:
        Path(job["folder"]).mkdir(parents=True)
        codes = start(job["processes"], lambda rank, job=job: one(job, rank), 100.0)
        if any(codes):
            sys.exit(f"{job['processes']} processes ended with {codes}")


if __name__ == "__main__":
    main()

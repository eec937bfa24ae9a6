"""Processes that work together, as a launcher starts them, but forked from one that has imported everything.

    python tests/runners/work/forked.py JOBS

JOBS is a JSON file with what to do, see :func:`main`; every process writes into the folder of its job.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from methods import Adapted
from runners import processes
from runners.cli import app
from runners.measure import deployment, machine
from runners.plan import study
from runners.trials import adapting, costing, loading, loop, scoring, trial
from runners.work import checking, execute

PLACES: dict[str, tuple[Any, str, int]] = {
    "loading": (loading, "load", 1),
    "adapting": (adapting, "adapt", 1),
    "tokens": (loading, "splits", 1),
    "memory": (trial.step_memory, "measure", 1),
    "step": (loop, "training_step", 2),
    "update": (torch.optim.AdamW, "step", 2),
    "evaluation": (loop._Loop, "_evaluate", 1),
    "snapshot": (loop._Loop, "_state", 1),
    "reported": (loading, "reported", 1),
    "answers": (scoring, "predict", 3),
    "keeping": (Adapted, "save", 1),
    "costs": (costing, "_measured", 1),
}
"""Where a process is made to fail: a function, and which call of it."""


def _out_of_memory() -> None:
    raise torch.OutOfMemoryError("no room")


def _broken() -> None:
    raise ValueError("broken")


def _full() -> None:
    raise OSError(28, "No space left on device")


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


FAULTS: dict[str, Callable[[], None]] = {
    "out_of_memory": _out_of_memory,
    "failed": _broken,
    "full": _full,
    "killed": _killed,
}


def fail(place: str, fault: str) -> None:
    """Let this process fail once where it next comes to a place."""
    owner, name, at = PLACES[place]
    real, calls = getattr(owner, name), 0

    def failing(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            setattr(owner, name, real)
            FAULTS[fault]()
        return real(*given, **more)

    setattr(owner, name, failing)


def studies(job: dict[str, Any], rank: int) -> None:
    """Run studies, one after the other, and write the records that this process was given.

    Beside them: what the generator that each study's last training drew from was seeded with.
    """
    told, seeds = [], []
    for number, item in enumerate(job["studies"]):
        if rank == item.get("rank"):
            fail(item["place"], item["fault"])
        folder, how = Path(job["folder"], str(number)), execute.How(checkpoint_every=2, keep_models=True)
        records = execute.run_study(study.parse_study(item["study"]), folder, [], how=how)
        told.append([record.model_dump(mode="json") for record in records])
        seeds.append(torch.initial_seed())
    Path(job["folder"], f"{rank}.json").write_text(json.dumps(told))
    Path(job["folder"], f"{rank}.seeds").write_text(json.dumps(seeds))


def command(job: dict[str, Any], rank: int) -> None:
    """Run the command, and write what this process prints."""
    sys.argv = ["paretune", *job["arguments"]]
    with Path(job["folder"], f"{rank}.out").open("w") as sys.stdout:
        app.main()


def average(job: dict[str, Any], rank: int) -> None:
    """Average gradients of two rows, and write how far they are from those of the rows in one process."""
    processes.BUCKET = 7  # several buckets, and tensors that fill more than one
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    unused = nn.Parameter(torch.ones(3, dtype=torch.float64))
    rows, labels = torch.randn(2, 5, dtype=torch.float64), torch.tensor([2, 0])
    parameters = [unused, *model.parameters()]

    def loss(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(model(rows), labels)

    one = loss(rows, labels)
    expected = torch.autograd.grad(one, list(model.parameters()))
    own = [processes.share(each) for each in (rows, labels)]
    mine = loss(*own) if len(own[0]) else None
    if mine is not None:
        mine.backward()
    mean = processes.averaged(parameters, None if mine is None else mine.detach(), len(own[0]))
    off = [float((p.grad - e).abs().max()) for p, e in zip(model.parameters(), expected, strict=True)]
    found = {"off": [*off, float(mean - one)], "unused": unused.grad is None}
    Path(job["folder"], f"{rank}.json").write_text(json.dumps(found))


def start(count: int, call: Callable[[int], None], seconds: float = 100.0) -> list[int]:
    """Fork so many processes, wait for them, and kill what does not end; their exit codes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    codes: dict[int, int] = {}
    for rank in range(count):
        if (child := os.fork()) == 0:
            where = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            where |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.environ |= {name: str(value) for name, value in where.items()}
            try:
                call(rank)
            except SystemExit as end:
                os._exit(int(end.code or 0))
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        codes[child] = -signal.SIGKILL
    running, deadline = set(codes), time.monotonic() + seconds
    while running and time.monotonic() < deadline:
        for child in list(running):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                running.discard(child)
                codes[child] = os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    for child in running:
        os.kill(child, signal.SIGKILL)
    return list(codes.values())


DO = {"studies": studies, "command": command, "average": average}


def main() -> None:
    """Do the jobs of a file, each a mapping with what to ``do``, how many ``processes``, and a ``folder``."""
    torch.set_num_threads(1)
    for module in (deployment, machine):
        module.measure = partial(module.measure, seconds=0.03)
    jobs = json.loads(Path(sys.argv[1]).read_text())
    for item in (item for job in jobs for item in job.get("studies", ())):
        checking.check(study.parse_study(item["study"]))  # data and tokenizers are read once for all
    processes.device.accelerate.PartialState._reset_state()
    gc.freeze()
    for job in jobs:
        Path(job["folder"]).mkdir(parents=True)
        codes = start(job["processes"], partial(DO[job["do"]], job))
        Path(job["folder"], "codes.json").write_text(json.dumps(codes))


if __name__ == "__main__":
    main()

"""What a busy neighbour costs a training step, by how the threads of OpenMP wait for each other.

Every contender is a process of its own, with environment variables that OpenMP reads when torch is imported,
and takes a few training steps when it is asked to. The neighbours are `while True: pass`, stopped (SIGSTOP)
and let go on (SIGCONT) from round to round. In every round each contender is asked once without and once
beside them, in an order shuffled anew. Printed are medians over rounds with 95 % bootstrap intervals: the
time beside the neighbours over the time without, both times over those of the first contender, the share of
time that the process computed (of wall time x threads) and the share that its threads waited for a core.

A visit during which anything else took more than ``--others`` of the machine is repeated, so that the machine
need not be idle all the time; after ``--minutes`` the rounds that are whole are all there are.

    python tests/benchmarks/neighbour.py [--rounds 20] [--neighbours 1] [--steps 5] [--method full]
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CONTENDERS: dict[str, dict[str, str]] = {
    "as torch is": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spin 1 000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10 000": {"GOMP_SPINCOUNT": "10000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
OPENMP = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "MKL_NUM_THREADS")
BUSY = "while True: pass"
IDLE, LOADED = 0, 1
TIME, CPU, WAITED = 0, 1, 2


def work(method: str, rows: int) -> None:
    """Take as many steps as each line of input says; answer seconds, processor and waiting seconds."""
    import torch
    from transformers.utils import logging

    import methods
    import tasks
    from runners import device, models
    from runners.optimisation import optimizer, training_step
    from runners.trials import batches

    logging.set_verbosity_error()
    device.seed_everything(0)
    accelerator = device.accelerator()
    adapted = methods.apply(models.classifier("embedded", tasks.get("rotten_tomatoes")), method)
    split = batches.encode("embedded", "rotten_tomatoes", None, "selection", 128)
    batch = batches.Collator(batches.tokenizer("embedded"))([split[i] for i in range(rows)])
    model, made = accelerator.prepare(adapted.model, optimizer(adapted.trained(), 1e-3, 0.01))
    model.train()
    print(torch.get_num_threads(), batch["input_ids"].shape[1], flush=True)
    for line in sys.stdin:
        waited, cpu, started = waiting(), time.process_time(), time.perf_counter()
        for _ in range(int(line)):
            training_step(accelerator, model, made, batch, 1.0)
        seconds = time.perf_counter() - started
        print(seconds, time.process_time() - cpu, waiting() - waited, flush=True)


def waiting() -> float:
    """Seconds that the threads of this process wanted a core and had none, where the kernel tells."""
    files = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[1]) for file in files) / 1e9


class Contender:
    """A process that takes training steps on request."""

    def __init__(self, variables: dict[str, str], method: str, rows: int) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in OPENMP}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--work", "--method", method, "--rows", str(rows)],
            env=inherited | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.threads, self.length = map(int, self._answer())

    def take(self, steps: int) -> tuple[float, float, float]:
        """Seconds, processor seconds and waiting seconds of so many steps."""
        assert self.process.stdin
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        seconds, cpu, waited = map(float, self._answer())
        return seconds, cpu, waited

    def _answer(self) -> list[str]:
        assert self.process.stdout
        return self.process.stdout.readline().split()


class Others:
    """What computes beside ``known`` processes: read from ``/proc``, in ticks of the kernel."""

    def __init__(self, known: list[subprocess.Popen[bytes]] | list[subprocess.Popen[str]]) -> None:
        self.known = [process.pid for process in known]
        self.tick = os.sysconf("SC_CLK_TCK")

    def seconds(self) -> float:
        """Processor seconds of everything else since the machine started."""
        first = Path("/proc/stat").read_text().split("\n")[0]
        user, nice, system, _, _, *interrupts = map(int, first.split()[1:9])
        busy = user + nice + system + sum(interrupts)
        for pid in self.known:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            busy -= int(fields[11]) + int(fields[12])
        return busy / self.tick

    def share(self, of: Callable[[], None]) -> float:
        """The share of the machine that they took during a call."""
        before, started = self.seconds(), time.perf_counter()
        of()
        taken, passed = self.seconds() - before, time.perf_counter() - started
        return taken / (passed * (os.cpu_count() or 1))


def measure(
    contenders: list[Contender], neighbours: list[subprocess.Popen[bytes]], chosen: argparse.Namespace
) -> NDArray[np.float64]:
    """Rounds x (idle, loaded) x contenders x (seconds, processor, waiting)."""
    until = time.monotonic() + 60 * chosen.minutes
    others = Others([*neighbours, *(contender.process for contender in contenders)])
    rng = np.random.default_rng(0)
    for contender in contenders:
        contender.take(2 * chosen.steps)
    rounds: list[NDArray[np.float64]] = []
    while len(rounds) < chosen.rounds:
        one = np.zeros((2, len(contenders), 3))
        for load, which in itertools.product(rng.permutation(2), rng.permutation(len(contenders))):

            def visit(load: int = load, which: int = which, one: NDArray[np.float64] = one) -> None:
                one[load, which] = contenders[which].take(chosen.steps)

            while time.monotonic() < until:
                tell(neighbours, signal.SIGSTOP)
                if others.share(lambda: time.sleep(0.1)) <= chosen.others:
                    tell(neighbours, signal.SIGCONT if load == LOADED else signal.SIGSTOP)
                    if others.share(visit) <= chosen.others:
                        break
                    one[load, which] = 0
        if not one[:, :, TIME].all():
            break
        rounds.append(one)
        print(f"round {len(rounds)}", one[:, :, TIME].round(3).tolist(), file=sys.stderr, flush=True)
    tell(neighbours, signal.SIGSTOP)
    return np.array(rounds).reshape(len(rounds), 2, len(contenders), 3)


def tell(processes: list[subprocess.Popen[bytes]], what: signal.Signals) -> None:
    """Stop the neighbours, or let them go on."""
    for process in processes:
        process.send_signal(what)


def told(values: NDArray[np.float64]) -> str:
    """The median over rounds with its interval."""
    from runners.measure.timing import median_interval

    low, high = median_interval(values, np.random.default_rng(0))
    return f"{np.median(values):.2f} ({low:.2f}-{high:.2f})"


def main() -> None:
    """Measure and print a line for each contender."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--neighbours", type=int, default=1)
    options.add_argument("--steps", type=int, default=5, help="in a visit")
    options.add_argument("--method", default="full")
    options.add_argument("--rows", type=int, default=32, help="in the batch")
    options.add_argument("--others", type=float, default=0.1, help="share of the machine they may take")
    options.add_argument("--minutes", type=float, default=10.0, help="time limit")
    options.add_argument("--only", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    options.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    if chosen.work:
        return work(chosen.method, chosen.rows)
    contenders = [Contender(CONTENDERS[name], chosen.method, chosen.rows) for name in chosen.only]
    neighbours = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(chosen.neighbours)]
    try:
        found = measure(contenders, neighbours, chosen)
    finally:
        for process in (*neighbours, *(contender.process for contender in contenders)):
            process.kill()
            process.wait()
    if not len(found):
        raise SystemExit(f"Others took more than {chosen.others:.0%} of the machine all the time.")
    print(
        f"{chosen.method}, batch {chosen.rows} x {contenders[0].length}, {chosen.neighbours} neighbours, "
        f"{os.cpu_count()} cores, {len(found)} rounds of {chosen.steps} steps"
    )
    for i, name in enumerate(chosen.only):
        threads = contenders[i].threads
        idle, loaded = found[:, IDLE, i], found[:, LOADED, i]
        first = found[:, :, 0, TIME]
        print(
            f"{name:12s} {1e3 * np.median(idle[:, TIME]) / chosen.steps:7.1f} ms a step; "
            f"loaded / idle {told(loaded[:, TIME] / idle[:, TIME])}; "
            f"idle / first's {told(idle[:, TIME] / first[:, IDLE])}; "
            f"loaded / first's {told(loaded[:, TIME] / first[:, LOADED])}; "
            f"computed idle {told(idle[:, CPU] / idle[:, TIME] / threads)}, "
            f"loaded {told(loaded[:, CPU] / loaded[:, TIME] / threads)}; "
            f"waited idle {told(idle[:, WAITED] / idle[:, TIME] / threads)}, "
            f"loaded {told(loaded[:, WAITED] / loaded[:, TIME] / threads)}"
        )


if __name__ == "__main__":
    main()

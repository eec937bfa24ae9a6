"""How much more work one-thread processes do side by side than one process with all the cores.

    python tests/benchmarks/side_by_side.py [--rounds 5] [--steps 20] [--rows 16] [--tokens 27]

The work is steps of LoRA in float32. In every round one process with a thread for each core takes the steps,
then as many processes as there are cores take as many each, with one thread; starts are not counted. What is
printed is the ratio of steps a second, its median and range. `paretune plan` takes its 1.11 from two cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path


def steps(rows: int, tokens: int, number: int) -> None:
    """Take the steps when a line comes in; say when ready and when done."""
    from step import batch, ours

    step = ours(batch(rows, tokens), "float32", "float32")
    step()
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(number):
        step()
    print("done", flush=True)


def seconds(processes: int, threads: int, arguments: list[str]) -> float:
    """From the moment when all processes begin until the last is done."""
    own = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-W", "ignore", __file__, "--take", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    there = [subprocess.Popen(command, env=own, **pipes) for _ in range(processes)]
    for one in there:
        assert one.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for one in there:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in there:
        assert one.stdout.readline() == "done\n"
    taken = time.perf_counter() - began
    for one in there:
        one.communicate()
    return taken


def main() -> None:
    """Alternate and print the ratios."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--rows", type=int, default=16)
    options.add_argument("--tokens", type=int, default=27)
    options.add_argument("--take", action="store_true", help="be one of the processes")
    chosen = options.parse_args()
    if chosen.take:
        steps(chosen.rows, chosen.tokens, chosen.steps)
        return
    arguments = [f"--{name}={getattr(chosen, name)}" for name in ("steps", "rows", "tokens")]
    cores, ratios = len(os.sched_getaffinity(0)), []
    for number in range(chosen.rounds):
        whole, parts = seconds(1, cores, arguments), seconds(cores, 1, arguments)
        ratios.append(cores * whole / parts)
        print(f"round {number + 1}: one {whole:.2f} s, {cores} {parts:.2f} s: {ratios[-1]:.2f}", flush=True)
    print(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times the work")


if __name__ == "__main__":
    main()

"""What `paretune choose` predicts beside what is measured: memory, time of a step, latency, for ten settings.

    OMP_NUM_THREADS=1 python tests/benchmarks/predictions.py [--model embedded] [--rounds 2]

Predicted and measured times are taken in turns, round by round, and the median of their ratios over rounds is
told; with one thread times are processor time, so that other jobs on the machine are no part of them.
"""

from __future__ import annotations

import argparse
import copy
import random
import statistics
from collections import defaultdict

import torch

import methods
from runners.choosing.predicted import Sizes, predict
from runners.measure import pace
from runners.measure.footprint import Setting, Workbench
from runners.measure.forecast import Asks
from runners.plan.contenders import Choice

SETTINGS = (
    (16, 32, ("full", "lora", "prefix")),
    (4, 128, ("houlsby", "dora", "prompt")),
    (1, 64, ("pfeiffer", "vera", "ia3", "bitfit")),
)
ENDS = ("full", "bitfit")
"""The methods whose steps tell the rates."""
CALLS = 15
TRIES = 5
"""So many times the rounds, until as many are left in which the machine was not busy."""


def deployed(base, name):
    """A copy of the model with a method in it, as a checkpoint would bring it."""
    adapted = methods.apply(base, name)
    options = adapted.stored_options.model_dump()
    adapted.remove()
    return methods.apply(copy.deepcopy(base), name, **options).model.eval()


def latencies(track, names, rows, length):
    """The median time of a pass with each method, as a multiple of the base's of the same round."""
    inputs = track.inputs(rows, length)
    models = {"": copy.deepcopy(track.model).eval()} | {name: deployed(track.model, name) for name in names}
    found, order, rng = defaultdict(list), list(models), random.Random(0)
    with torch.inference_mode():
        for _ in range(CALLS):
            rng.shuffle(order)
            times = {}
            for name in order:
                models[name](**inputs)
                started = track.clock()
                models[name](**inputs)
                times[name] = track.clock() - started
            for name in names:
                found[name].append(times[name] / times[""])
    return {name: statistics.median(many) for name, many in found.items()}


def step(track, name, rows, length):
    """Seconds of a real step."""
    timed = track.timed(Choice(name, name, {}), Asks(0), rows, length)
    return statistics.median(one.forward + one.backward + one.update + one.batch for one in timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    head = (
        "method",
        "batch",
        "predicted",
        "memory",
        "off",
        "predicted",
        "step",
        "off",
        "pred.",
        "latency",
        "off",
    )
    print(("{:10}{:>9}" + "{:>11}{:>9}{:>8}" * 2 + "{:>8}{:>8}{:>7}").format(*head))
    worst = [0.0, 0.0, 0.0]
    for rows, length, names in SETTINGS:
        everyone = list(dict.fromkeys((*names, *ENDS)))
        sizes = Sizes(asked.model, rows, length, served=rows)
        measured = Workbench(Setting(asked.model, rows, length), "measured")
        memory = {name: measured.footprint(name, {}).peak_training_bytes for name in names}
        del measured
        track = pace.Track(asked.model, 2)
        told, steps, ratios = {}, defaultdict(list), defaultdict(list)
        for _ in range(TRIES * asked.rounds):
            if ratios and all(len(ratios[name]) >= asked.rounds for name in names):
                break
            found = {p.choice.label: p for p in predict(sizes, [Choice(n, n, {}) for n in everyone])}
            told = told or found
            real = latencies(track, names, rows, length)
            for name in names:
                steps[name].append((found[name].step_seconds, step(track, name, rows, length)))
                if found[name].latency is not None:  # not told where the machine was busy
                    ratios[name].append((found[name].latency, real[name]))
        for name in names:
            bytes_ = told[name].memory.peak_training_bytes
            off = bytes_ / memory[name] - 1
            late = statistics.median(p / m for p, m in steps[name]) - 1
            slow = statistics.median(p - m for p, m in ratios[name])
            worst = [max(a, abs(b)) for a, b in zip(worst, (off, late, slow), strict=True)]
            print(
                f"{name:10}{rows:>5}x{length:<3}{bytes_ / 1e6:>8.1f} MB{memory[name] / 1e6:>6.1f} MB"
                f"{off:>+8.2%}"
                f"{1e3 * steps[name][-1][0]:>8.1f} ms{1e3 * steps[name][-1][1]:>6.1f} ms{late:>+8.1%}"
                f"{ratios[name][-1][0]:>8.3f}{ratios[name][-1][1]:>8.3f}{slow:>+7.3f}",
                flush=True,
            )
    print(f"largest: memory {worst[0]:.2%}, step {worst[1]:.1%}, latency {100 * worst[2]:.1f} points")


if __name__ == "__main__":
    main()

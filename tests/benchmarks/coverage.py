"""How often the intervals hold the truth and the verdicts are wrong, by simulation; a quarter of an hour.

    python tests/benchmarks/coverage.py [--runs 1000] [--only failing]

Every line prints a share with its own 95 % interval (Clopper & Pearson): how far so many
runs tell. The truth of each regime is known by construction. All of it goes through the functions that the
pages use; nothing of them is repeated here.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import reports
from reports.records.latency_files import read_latencies
from reports.records.store import read_records
from reports.stats.difference import Stratum, difference
from reports.stats.estimate import mean_interval
from reports.stats.grid import Grid
from reports.stats.latency import between, ratio
from reports.stats.learning import Risk, exact_share
from reports.stats.p_values import sign_flip_test
from reports.stats.sections import sections
from reports.stats.standing import standings
from reports.stats.verdict import verdicts

Array = NDArray[np.float64]
EXAMPLES = 872
"""Of SST-2's validation set, the smallest common one of which the answers matter."""


def grid(scores: Array, learned: NDArray[np.bool_] | None = None, **changes: object) -> Grid:
    """From scores of shape [methods, tasks, seeds] between a floor of 0 and a top of 1."""
    count, tasks, seeds = scores.shape
    values = {
        "methods": tuple(f"method {number}" for number in range(count)),
        "tasks": tuple(f"task {number}" for number in range(tasks)),
        "seeds": tuple(range(seeds)),
        "scores": scores,
        "learned": np.ones(scores.shape, dtype=bool) if learned is None else learned,
        "higher_is_better": (True,) * tasks,
        "floors": (0.0,) * tasks,
        "tops": (1.0,) * tasks,
    }
    return Grid(**values | changes)  # type: ignore[arg-type]


def told(what: str, held: int, of: int, wanted: str) -> None:
    """Print one line."""
    low, high = exact_share(held, of)
    print(f"{what:<74} {held / of:.3f} ({low:.3f}-{high:.3f}; {of})  wanted {wanted}", flush=True)


def normal(runs: int, rng: np.random.Generator) -> None:
    """Seeds that vary normally."""
    for seeds in (3, 5, 10):
        found = [mean_interval(rng.normal(0.8, 0.01, seeds)).interval for _ in range(runs)]
        held = sum(ends is not None and ends.low <= 0.8 <= ends.high for ends in found)
        told(f"coverage, {seeds} normal seeds", held, runs, "0.94 to 0.97")


def failing(runs: int, rng: np.random.Generator) -> None:
    """Some seeds stay at the floor. Printed are the mean of those that learned and the share that did not."""
    for rate, seeds in itertools.product((0.05, 0.1, 0.2, 0.33), (3, 5, 10)):
        held = printed = shares = 0
        for _ in range(runs):
            lost = rng.random(seeds) < rate
            ends = mean_interval(rng.normal(0.8, 0.01, seeds)[~lost]).interval
            if ends is not None:
                printed, held = printed + 1, held + (ends.low <= 0.8 <= ends.high)
            share = Risk(seeds, int(lost.sum())).interval
            shares += share is not None and share.low <= rate <= share.high
        told(
            f"coverage, {rate:.0%} of {seeds} seeds fail: the mean of those that learned",
            held,
            printed,
            ">= 0.93",
        )
        told(f"coverage, {rate:.0%} of {seeds} seeds fail: the share that failed", shares, runs, ">= 0.93")


def answers(
    ease: Array, own: Array, hard: Array, rng: np.random.Generator, *, seeds: int, sd: float
) -> Array:
    """Which examples each seed of a method has right, (seeds, examples), by a probit model.

    An example is as hard as ``hard`` for every method, ``own`` more for this one, and a seed shifts them all
    by a normal number of ``sd``; the rest is drawn for seed and example.
    """
    shift = rng.normal(0, sd, (seeds, 1))
    return ((hard + own)[None] + rng.normal(0, 1, (seeds, len(hard))) < ease + shift).astype(float)


def new_examples(runs: int, rng: np.random.Generator) -> None:
    """The accuracy on all examples that could have been drawn, of a model whose seeds err alike."""
    for seeds in (3, 5, 10):
        held = 0
        truth = float(stats.norm.cdf(2.0 / math.sqrt(1 + 4 + 0.05**2)))
        for _ in range(runs):
            hard = rng.normal(0, 2, EXAMPLES)  # shared by the seeds
            right = answers(np.array(2.0), np.zeros(EXAMPLES), hard, rng, seeds=seeds, sd=0.05)
            scores = right.mean(axis=1)
            ends = mean_interval(scores, examples=right - scores[:, None]).interval
            held += ends is not None and ends.low <= truth <= ends.high
        told(f"coverage for new examples, {EXAMPLES} and shared errors, {seeds} seeds", held, runs, ">= 0.93")


def wrong(found: Grid) -> bool:
    """Whether any two methods, which are equal, are told apart."""
    return any(verdict.sign for verdict in verdicts(found))


def equal_means(runs: int, rng: np.random.Generator) -> None:
    """Methods that score alike where they learn and fail at different rates."""
    for rates in ([0.0] * 5, [0.0, 0.05, 0.1, 0.2, 0.33], [0.0, 0.2, 0.2, 0.2, 0.2], [0.33] * 5):
        false = 0
        for _ in range(runs):
            lost = rng.random((5, 6, 3)) < np.array(rates)[:, None, None]
            scores = np.where(lost, 0.0, rng.normal(0.3, 0.01, lost.shape))
            false += wrong(grid(scores, ~lost))
        told(f"family-wise error, equal where they learn, failing {rates}", false, runs, "<= 0.05")


def equal_expected(runs: int, rng: np.random.Generator) -> None:
    """Methods of equal expected score: who fails more scores more where it learns.

    No rule that sees 18 runs can know both: a method that fails in 5 % and did not in these 18 looks like one
    that never fails and is better. This is printed to be known, and has no target.
    """
    for rates in ([0.0, 0.05, 0.05, 0.05, 0.05], [0.0, 0.2, 0.2, 0.2, 0.2], [0.0, 0.05, 0.1, 0.2, 0.33]):
        false = 0
        for _ in range(runs):
            lost = rng.random((5, 6, 3)) < np.array(rates)[:, None, None]
            level = 0.3 / (1 - np.array(rates))[:, None, None]
            scores = np.where(lost, 0.0, rng.normal(level, 0.01, lost.shape))
            false += wrong(grid(scores, ~lost))
        told(f"the same, equal in expectation, failing {rates}", false, runs, "(no target)")


def fixed_test_sets(runs: int, rng: np.random.Generator) -> None:
    """Methods of one accuracy in the population, each better at examples of its own, on given test sets."""
    for own in (0.3, 0.6):
        false = 0
        ease = np.array(1.0) * math.sqrt(1 + 1 + own**2)
        for _ in range(runs):
            scores, table = np.zeros((5, 6, 3)), {}
            for task in range(6):
                hard = rng.normal(0, 1, EXAMPLES)
                for method in range(5):
                    right = answers(ease, rng.normal(0, own, EXAMPLES), hard, rng, seeds=3, sd=0.02)
                    scores[method, task] = right.mean(axis=1)
                    table[f"method {method}", f"task {task}"] = right - right.mean(axis=1, keepdims=True)
            false += wrong(grid(scores, examples=table))
        told(f"family-wise error, equal in the population, own examples of sd {own}", false, runs, "<= 0.06")


def apart_by_task(runs: int, rng: np.random.Generator) -> None:
    """Nine methods of one mean over the tasks, each better on some; 36 comparisons.

    Told is how often any pair is told apart, and how often a method that is 0.02 better on average is told
    from another. A method's score is by 0.05 (sd) other on each task, and varies by 0.01 over seeds; or by
    what differs with method and task, and leans to one side as well; or ten times as much on the first task.
    """
    noises: dict[str, Callable[[tuple[int, ...]], Array]] = {
        "alike": lambda shape: rng.normal(0, 0.01, shape),
        "of log-normal sd (1)": lambda shape: (
            rng.normal(0, 0.01, shape) * np.exp(rng.normal(0, 1, (*shape[:2], 1)))
        ),
        "one task ten times": lambda shape: (
            rng.normal(0, 0.01, shape) * np.where(np.arange(shape[1]) == 0, 10, 1)[None, :, None]
        ),
        "skewed, log-normal sd": lambda shape: (
            (0.01 - rng.exponential(0.01, shape)) * np.exp(rng.normal(0, 1, (*shape[:2], 1)))
        ),
    }
    for (name, noise), (tasks, seeds) in itertools.product(noises.items(), ((1, 5), (3, 5), (7, 5), (6, 3))):
        false = found = 0
        for _ in range(runs):
            of_tasks = rng.normal(0, 0.05, (9, tasks, 1))
            scores = 0.5 + of_tasks - of_tasks.mean(axis=1, keepdims=True) + noise((9, tasks, seeds))
            false += wrong(grid(scores))
            scores[0] += 0.02
            told_apart = {(v.first, v.second): v.sign for v in verdicts(grid(scores))}
            found += told_apart["method 0", "method 1"] == 1
        design = f"9 methods, {tasks} tasks x {seeds} seeds, noise {name}"
        told(f"family-wise error, {design}", false, runs, "<= 0.05")
        told(f"power at 0.02, {design}", found, runs, "(no target)")


def other_rules(runs: int, rng: np.random.Generator) -> None:
    """What the two rules that are not taken would do where tasks differ: why they are not.

    A pair's own degrees of freedom, where the first task is ten times as noisy; and sign flips, where a
    method's score is by 0.05 (sd) other on each task and where it is not.
    """
    alpha = 0.05 / 36
    for tasks, seeds in ((3, 5), (7, 5), (6, 3)):
        false = 0
        for _ in range(runs):
            scores = rng.normal(0, 1, (9, tasks, seeds)) * np.where(np.arange(tasks) == 0, 10, 1)[:, None]
            for one, other in itertools.combinations(scores, 2):
                strata = {str(task): Stratum(gaps) for task, gaps in enumerate(one - other)}
                found = difference(strata, alpha)
                if found and found.interval and not found.interval.low <= 0 <= found.interval.high:
                    false += 1
                    break
        told(
            f"family-wise error, {tasks} tasks x {seeds} seeds, own degrees of freedom",
            false,
            runs,
            "(no target)",
        )
    for (tasks, seeds), apart in itertools.product(((3, 5), (6, 3)), (0.0, 0.05)):
        few = max(runs // 5, 1)
        seen = 0
        for _ in range(few):
            of_tasks = rng.normal(0, apart, (2, tasks, 1))
            scores = of_tasks - of_tasks.mean(axis=1, keepdims=True) + rng.normal(0, 0.01, (2, tasks, seeds))
            seen += sign_flip_test(list(scores[0] - scores[1] + 0.02)) <= alpha
        told(f"power at 0.02, {tasks} x {seeds}, tasks {apart} apart, sign flips", seen, few, "(no target)")


def power(runs: int, rng: np.random.Generator) -> None:
    """Two methods 0.02 apart on six tasks with three seeds, whose scores vary by 0.01."""
    found = 0
    for _ in range(runs):
        scores = rng.normal(0.3, 0.01, (2, 6, 3)) + np.array([0.02, 0.0])[:, None, None]
        found += verdicts(grid(scores))[0].sign == 1
    told("power at 0.02, 6 tasks x 3 seeds, sd 0.01, one comparison", found, runs, ">= 0.95")
    found = 0
    for _ in range(runs):
        scores = rng.normal(0.3, 0.01, (9, 6, 3))
        scores[0] += 0.02
        found += {(v.first, v.second): v.sign for v in verdicts(grid(scores))}["method 0", "method 1"] == 1
    told("the same as one of the 36 comparisons of nine methods", found, runs, ">= 0.95")


def latency(runs: int, rng: np.random.Generator) -> None:
    """The published comparisons of a base with itself, each judged by the others."""
    del runs, rng
    board = Path(reports.__file__).parent / "leaderboards"
    found = [r.control for r in read_latencies(board)]
    for folder in sorted(board.iterdir()):
        found += [r.latency.control for r in read_records(folder) if r.latency]
    over_rounds = sum(row.ratio_low <= 1 <= row.ratio_high for row in found)
    told("A/A intervals over rounds alone that hold 1", over_rounds, len(found), "(before)")
    held = 0
    for index, row in enumerate(found):
        ends = ratio([row], between([*found[:index], *found[index + 1 :]]))
        held += ends.low <= 1 <= ends.high
    told("A/A intervals over rounds and processes that hold 1", held, len(found), ">= 0.94")
    print(f"{'what a process adds to the half width':<74} {between(found):.4f}")


def speed(runs: int, rng: np.random.Generator) -> None:
    """The whole standing of the published board: nine methods on six tasks."""
    del runs, rng
    board = Path(reports.__file__).parent / "leaderboards"
    records = read_records([board / "tuned-glue", board / "tuned-reviews"])
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        found = sections(records)
        between_them = time.perf_counter()
        standings(found)
        seconds.append((time.perf_counter() - between_them, time.perf_counter() - start))
    standing, whole = (min(part) for part in zip(*seconds, strict=True))
    print(f"{'standing of 9 methods on 6 tasks, 36 pairs; with the rows':<74} {standing:.2f} s; {whole:.2f} s"
          "  wanted <= 1.0 s")  # fmt: skip


REGIMES: dict[str, Callable[[int, np.random.Generator], None]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(normal, failing, new_examples, equal_means, equal_expected),
        *(apart_by_task, other_rules, fixed_test_sets, power, latency, speed),
    )
}


def chosen() -> Iterator[tuple[int, Callable[[int, np.random.Generator], None]]]:
    """What the command line asks for."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=1000)
    options.add_argument("--only", choices=REGIMES)
    asked = options.parse_args()
    for name, regime in REGIMES.items():
        if asked.only in (None, name):
            yield asked.runs, regime


def main() -> None:
    """Print the table."""
    for runs, regime in chosen():
        regime(runs, np.random.default_rng(0))


if __name__ == "__main__":
    main()

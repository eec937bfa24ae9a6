"""Search the settings of some methods with and without halving, and train what each search chose.

Both searches begin with the same three settings; then one suggests what the scores so far make likely, and
the other stops some. What is compared: the examples of training, the seconds, the score of the chosen setting
on the selection split, where both score at the same steps, and on the reported split after the whole training
with fresh seeds. What a search chooses by one seed is luck in part: look at several methods and search seeds.

    python tests/benchmarks/search.py [--methods lora head ...] [--task rotten_tomatoes] [--trials 4]
                                      [--steps 80] [--searches 1] [--seeds 3] [--out FOLDER]

The reported trials are twice as long as those of a search. With ``--out`` records are kept, and a run that
was stopped goes on. Exit code 1 where a method was given other examples than the others, or halving more than
0.6 of the examples without it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.records.schema import Record, Tuning
from runners.plan.study import parse_study
from runners.work.execute import run_study
from runners.work.search import run_searches

WANTED = 0.6


@dataclass(frozen=True)
class Outcome:
    """What one search found."""

    tuning: Tuning
    reported: list[float]

    @property
    def chosen(self) -> float:
        """The chosen setting's score on the selection split, in the search."""
        scores = [
            s.score for s in self.tuning.history if s.values == self.tuning.chosen and s.score is not None
        ]
        return (max if self.tuning.higher_is_better else min)(scores)

    @property
    def mean(self) -> float:
        """Of the reported scores."""
        return statistics.mean(self.reported)

    def __str__(self) -> str:
        each = ", ".join(f"{score:.4f}" for score in self.reported)
        setting = ", ".join(f"{name} {value:.2g}" for name, value in self.tuning.chosen.items())
        spent = f"{self.tuning.examples:6,d}, {self.tuning.seconds:6.1f} s"
        return f"{spent}, {self.chosen:.4f}, {self.mean:.4f} ({each}), {setting}"


def outcomes(asked: argparse.Namespace, seed: int, folder: Path, halving: bool) -> dict[str, Outcome]:
    """Search, train what was found; by method."""
    content: dict[str, Any] = {
        "name": "searched",
        "tasks": [asked.task],
        "methods": asked.methods,
        "seeds": list(range(asked.seeds)),
        "protocol": {"steps": 2 * asked.steps, "batch_size": 16, "evaluate_every": max(1, asked.steps // 4)},
        "costs": "none",
        "tuning": {"trials": asked.trials, "seed": seed, "steps_share": 0.5, "halving": halving},
    }
    study = run_searches(parse_study(content), folder, [])
    records = run_study(study, folder, [])
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(str(record.spec["method"]), []).append(record)
    return {method: outcome(own) for method, own in found.items()}


def outcome(records: list[Record]) -> Outcome:
    """What a method's trials tell."""
    scores = [r.scores.report[r.task.main_metric] for r in records if r.scores and r.task]
    assert records[0].tuning is not None
    return Outcome(records[0].tuning, [score for score in scores if score is not None])


def main() -> int:
    """Run the searches and print a row for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", default=["full", "head", "lora", "houlsby", "prefix"])
    parser.add_argument("--task", default="rotten_tomatoes")
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--steps", type=int, default=80, help="of a trial of a search")
    parser.add_argument("--searches", type=int, default=1, help="how many search seeds, from 1000")
    parser.add_argument("--seeds", type=int, default=3, help="of the reported trials")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    faults = 0
    lost: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory(prefix="search-") as temporary:
        root = asked.out or Path(temporary)
        print(
            "search seed, method, halving: examples, seconds, selection score, reported mean (seeds), setting"
        )
        for seed in range(1000, 1000 + asked.searches):
            whole, halved = (
                outcomes(asked, seed, root / f"{seed}-{name}", halving)
                for name, halving in (("whole", False), ("halved", True))
            )
            faults += len({one.tuning.examples for one in halved.values()}) != 1
            for method, one in whole.items():
                other = halved[method]
                print(f"{seed} {method:10s} whole : {one}")
                print(f"{seed} {method:10s} halved: {other}")
                share = other.tuning.examples / one.tuning.examples
                faults += share > WANTED
                seconds = other.tuning.seconds / one.tuning.seconds
                print(
                    f"{seed} {method:10s} halved / whole: {share:.2f} of examples, {seconds:.2f} of the time"
                )
                lost.append((other.chosen - one.chosen, other.mean - one.mean))
    selection, reported = (statistics.mean(column) for column in zip(*lost, strict=True))
    print(f"halved - whole, mean of {len(lost)}: selection {selection:+.4f}, reported {reported:+.4f}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

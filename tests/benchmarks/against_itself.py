"""Ten A/A runs: how often the interval of the base against itself contains 1, and how wide it is.

    python tests/benchmarks/against_itself.py [--runs 10] [--seconds 20] [--length 16]

Each run is what `paretune latency embedded --method lora` does, models built anew. An interval of 95 % should
miss 1 in one run of twenty.
"""

from __future__ import annotations

import argparse
import statistics

from runners.measure.comparison import Comparison
from runners.plan.contenders import parse_contender


def main() -> None:
    """Run them and print a line each."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--runs", type=int, default=10)
    options.add_argument("--seconds", type=float, default=20.0, help="time limit of each run")
    options.add_argument("--width", type=float, default=0.01)
    options.add_argument("--length", type=int, default=16)
    chosen = options.parse_args()
    contains, widths = 0, []
    for run in range(chosen.runs):
        comparison = Comparison("embedded", [parse_contender("lora")], seed=run)
        (cell,) = comparison.cells([1], [chosen.length])
        record = comparison.measure(cell, width=chosen.width, seconds=chosen.seconds)
        control = record.control
        contains += record.trusted
        widths.append(control.ratio_high - control.ratio_low)
        interval = f"{control.ratio_low:.4f}-{control.ratio_high:.4f}"
        print(
            f"run {run + 1}: {control.ratio:.4f} ({interval}), {record.rounds} rounds, "
            f"{'contains' if record.trusted else 'misses'} 1",
            flush=True,
        )
    print(f"{contains} of {chosen.runs} contain 1; median width {statistics.median(widths):.4f}")


if __name__ == "__main__":
    main()

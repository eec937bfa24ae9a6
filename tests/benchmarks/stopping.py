"""Simulate how often the intervals hold the true ratio where rounds of decoding end once these are narrow.

Three contenders beside a base that takes as long; times differ by noise of which the spread is told. The rule
is that of :func:`runners.measure.timing.measure_until` as `runners/measure/decoding.py` asks for it, on a
clock that is simulated.

    python tests/benchmarks/stopping.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runners.measure import timing
from runners.measure.decoding import LEAST_ROUNDS
from runners.plan.costs import CostSettings

EXPERIMENTS, SLOWER = 100, ("control", "unmerged", "merged")


class Simulated:
    """A clock that calls move; it stands in for the module ``time`` of what measures."""

    now = 0

    def perf_counter_ns(self) -> int:
        """What it shows."""
        return self.now

    def call(self, draw: Callable[[], float]) -> Callable[[], None]:
        """A call that takes a millisecond, but for noise."""

        def run() -> None:
            self.now += round(1e6 * np.exp(draw()))

        return run


def rounds_until_narrow(draw: Callable[[], float], seed: int, width: float) -> timing.Measured:
    """One measurement."""
    clock: Any = Simulated()
    timing.time = clock
    calls: Mapping[str, Any] = {name: clock.call(draw) for name in ("base", *SLOWER)}
    most = CostSettings().decoding_rounds
    options: dict[str, Any] = {"least": LEAST_ROUNDS, "most": most, "warmup": 0, "seconds": float("inf")}
    return timing.measure_until(calls, reference="base", device="cpu", width=width, seed=seed, **options)


def main() -> None:
    """Print rounds, coverage and bias for some kinds of noise, with the rule and without."""
    rng = np.random.default_rng(0)
    noises: dict[str, Callable[[], float]] = {
        f"normal, {spread:.1%}": lambda spread=spread: rng.normal(0, spread) for spread in (0.01, 0.02)
    }
    for name, draw in noises.items():
        for width in (CostSettings().decoding_width, 0.0):
            found = [rounds_until_narrow(draw, seed, width) for seed in range(EXPERIMENTS)]
            rows = [one.rows[slower] for one in found for slower in SLOWER]
            held = np.mean([row.ratio_low <= 1 <= row.ratio_high for row in rows])
            bias = np.mean([row.ratio for row in rows]) - 1
            rounds = np.mean([one.rounds for one in found])
            print(
                f"{name}, width {width:g}: {rounds:.1f} rounds, held in {held:.3f}, bias {bias:+.5f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

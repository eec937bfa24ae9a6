"""Which task each row of a batch belongs to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reports.records.serving_schema import Mix

EXPONENT = 1.0
"""Of Zipf's law where batches are mixed by it."""


def zipf(tasks: int, exponent: float) -> NDArray[np.float64]:
    """Probabilities of so many tasks, shape (tasks,): that of rank k is proportional to 1 / k^exponent."""
    weights = np.arange(1, tasks + 1, dtype=np.float64) ** -exponent
    return np.asarray(weights / weights.sum())


class Draws:
    """Batches drawn one after another; two of them with the same arguments draw the same.

    Args:
        mix: how rows draw: ``uniform``, ``zipf``, or ``one`` task for all rows of a batch.
        tasks: how many there are.
        rows: of a batch.
        seed: of the draws.
    """

    def __init__(self, mix: Mix, tasks: int, rows: int, seed: int) -> None:
        self._mix, self._tasks, self._rows = mix, tasks, rows
        self._rng = np.random.default_rng(seed)
        self._chances = zipf(tasks, EXPONENT) if mix == "zipf" else None

    def batch(self) -> NDArray[np.int64]:
        """The task of every row, shape (rows,)."""
        if self._mix == "one":
            return np.full(self._rows, self._rng.integers(self._tasks))
        if self._chances is None:
            return self._rng.integers(self._tasks, size=self._rows)
        return self._rng.choice(self._tasks, size=self._rows, p=self._chances)


def groups(who: NDArray[np.int64]) -> dict[int, list[int]]:
    """The rows of each task, in the order in which the tasks come."""
    found: dict[int, list[int]] = {}
    for row, task in enumerate(who.tolist()):
        found.setdefault(task, []).append(row)
    return found

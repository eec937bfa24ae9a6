"""Grids from plain tables, for tests of what is computed from one."""

from __future__ import annotations

from typing import Any

import numpy as np

from reports.stats.grid import Grid


def table(
    scores: Any, learned: Any = None, *, methods: str = "abcdefghi", higher: bool = True, **changes: Any
) -> Grid:
    """From scores of shape [methods, tasks, seeds]; all of them learned unless it is said."""
    scores = np.array(scores, dtype=float)
    count, tasks, seeds = scores.shape
    return Grid(
        methods=tuple(methods[:count]),
        tasks=tuple(f"task {number}" for number in range(tasks)),
        seeds=tuple(range(seeds)),
        scores=scores,
        learned=~np.isnan(scores) if learned is None else np.array(learned, dtype=bool),
        higher_is_better=(higher,) * tasks,
        floors=(0.0,) * tasks,
        tops=(1.0,) * tasks,
        **changes,
    )

"""Which rows of a comparison no other row beats in score and in a cost, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from reports.stats.aggregate import Row
from reports.stats.estimate import NORMAL
from reports.stats.grid import make_grid
from reports.stats.pareto import front_membership, marks, pareto_front
from reports.stats.section import Section

PARAMETERS: Final = "parameters"
COSTS: Final[Mapping[str, Callable[[Row], float | None]]] = {
    PARAMETERS: lambda row: row.trainable_parameters,
    "memory": lambda row: row.peak_training_bytes,
    "storage": lambda row: row.checkpoint_bytes,
}
TIMES: Final[Mapping[str, Callable[[Row], float | None]]] = {
    "seconds": lambda row: row.training_seconds,
    "latency": lambda row: row.slower.value if row.slower else None,
    "merged": lambda row: ratio.value if (ratio := row.slower_merged or row.slower) else None,
}
"""Compared among the rows that were measured on one machine alone."""


def spread_of(name: str, row: Row) -> float:
    """The standard error of the logarithm of a measured time; 0 where it is unknown."""
    if name == "seconds":
        times = [r.training.seconds for r in row.records if r.training and r.training.seconds > 0]
        logs = np.log(times)
        return float(logs.std(ddof=1) / math.sqrt(len(logs))) if len(logs) > 1 else 0.0
    ratio = (row.slower_merged or row.slower) if name == "merged" else row.slower
    return 0.0 if ratio is None else math.log(ratio.high / ratio.low) / (2 * NORMAL)


def marked(section: Section) -> tuple[Row, ...]:
    """The ranked rows with their marks for every cost; the first is trainable parameters, method and head."""
    rows = section.rows
    costs = {name: [pick(row) for row in rows] for name, pick in COSTS.items()}
    costs |= {
        name: [pick(row) if section.timed(row) else None for row in rows] for name, pick in TIMES.items()
    }
    grid = make_grid([section])
    known = bool(grid.tasks) and len(grid.methods) == len(rows)
    noise = grid.noise[:, :, 0] if known and grid.noise is not None else None
    scores = [row.score.mean for row in rows]
    found = {}
    for name, values in costs.items():
        points = list(zip(values, scores, strict=True))
        on_front = pareto_front(points, higher_is_better=section.higher_is_better)
        shares: list[float | None] = [None] * len(rows)
        if known:
            spread = [spread_of(name, row) for row in rows] if name in TIMES else None
            shares = front_membership(values, grid.signed[:, 0, :], noise=noise, spread=spread)
        found[name] = on_front, marks(on_front, shares), shares
    flags, _, resampled = found[PARAMETERS]
    return tuple(
        replace(
            row,
            on_front=flags[index],
            marks={name: marks[index] for name, (_, marks, _) in found.items()},
            front_share=resampled[index],
        )
        for index, row in enumerate(rows)
    )

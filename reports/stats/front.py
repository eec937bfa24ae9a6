"""Which rows of a comparison no other row beats in score and in a cost, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from reports.stats.aggregate import Row
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
    "latency": lambda row: row.unmerged.value if row.unmerged else None,
    "merged": lambda row: ratio.value if (ratio := row.merged or row.unmerged) else None,
}
"""Compared among the rows that were measured on one machine alone."""


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
            shares = front_membership(values, grid.signed[:, 0, :], noise=noise)
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

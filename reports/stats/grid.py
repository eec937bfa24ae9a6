"""Scores by method, task and seed: the one array that every comparison of methods is computed from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reports.errors import RecordError
from reports.stats.sections import Section


@dataclass(frozen=True)
class Grid:
    """Scores of methods on tasks; where a method was not scored with a seed the score is NaN."""

    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: NDArray[np.float64]
    """Shape [methods, tasks, seeds]."""
    higher_is_better: tuple[bool, ...]
    """Of each task's metric."""
    floors: tuple[float | None, ...]
    """What the majority answer scores on each task."""
    tops: tuple[float | None, ...]
    """The best possible score of each task."""

    @cached_property
    def signed(self) -> NDArray[np.float64]:
        """The scores with their sign changed where lower is better, so that more is always better."""
        signs = np.where(self.higher_is_better, 1.0, -1.0)
        return self.scores * signs[None, :, None]

    def gained(self) -> Grid:
        """The scores on one scale for all tasks: 0 is the majority answer's score, 1 the best possible.

        Both ends are constants of the task, so that the scale adds no noise of its own. A task of which an
        end is unknown is left out.
        """
        ends = list(zip(self.floors, self.tops, strict=True))
        kept = [
            index
            for index, (low, high) in enumerate(ends)
            if low is not None and high is not None and low != high
        ]
        low, high = (np.array([ends[index][end] for index in kept], dtype=float) for end in (0, 1))
        scaled = (self.scores[:, kept, :] - low[None, :, None]) / (high - low)[None, :, None]
        return replace(
            self,
            tasks=tuple(self.tasks[index] for index in kept),
            scores=scaled,
            higher_is_better=(True,) * len(kept),
            floors=(0.0,) * len(kept),
            tops=(1.0,) * len(kept),
        )


def make_grid(sections: Sequence[Section]) -> Grid:
    """The grid of sections that share a model; methods are told apart by their labels.

    A method that one task lacks is NaN there, and so is a seed. Seeds that diverged count as
    ``statistics.seed_score`` says.

    Raises:
        RecordError: when the sections are of several models.
    """
    models = list(dict.fromkeys(section.model for section in sections))
    if len(models) > 1:
        raise RecordError(
            f"scores on {models[0]:.60} and on {models[1]:.60} cannot be put in one comparison: "
            "expected the tasks of one model."
        )
    known = [section for section in sections if section.info]
    rows = [row for section in known for row in section.rows]
    methods = tuple(dict.fromkeys(row.label for row in rows))
    seeds = tuple(sorted({seed for row in rows for seed in row.seed_scores}))
    scores = np.full((len(methods), len(known), len(seeds)), math.nan)
    for task, section in enumerate(known):
        for row in section.rows:
            for seed, score in row.seed_scores.items():
                if score is not None:
                    scores[methods.index(row.label), task, seeds.index(seed)] = score
    return Grid(
        methods=methods,
        tasks=tuple(section.task for section in known),
        seeds=seeds,
        scores=scores,
        higher_is_better=tuple(section.higher_is_better for section in known),
        floors=tuple(section.majority for section in known),
        tops=tuple(section.top for section in known),
    )

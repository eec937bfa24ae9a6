"""Scores by method, task and seed: the one table that every comparison of methods is computed from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reports.errors import RecordError
from reports.records.answers import same_examples, unpacked
from reports.records.metrics import influence
from reports.records.schema import Answers
from reports.stats.aggregate import Row
from reports.stats.section import Section

SCORE = "score"
NOISE_DRAWS = 1000
GAINED = "share of the way from the best constant answer to a perfect score"


@dataclass(frozen=True)
class Grid:
    """Scores of methods on tasks; where a method was not scored with a seed the score is NaN."""

    methods: tuple[str, ...]
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    scores: NDArray[np.float64]
    """Shape [methods, tasks, seeds]."""
    learned: NDArray[np.bool_]
    """Whether a run learned anything, of the same shape."""
    higher_is_better: tuple[bool, ...]
    """Of each task's metric."""
    floors: tuple[float | None, ...]
    """What the best constant answer scores on each task."""
    tops: tuple[float | None, ...]
    """The best possible score of each task."""
    examples: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    """By method and task the influences of the examples, [seeds, examples], where the answers were kept."""
    unit: str = SCORE

    @cached_property
    def signed(self) -> NDArray[np.float64]:
        """The scores with their sign changed where lower is better, so that more is always better."""
        signs = np.where(self.higher_is_better, 1.0, -1.0)
        return self.scores * signs[None, :, None]

    @cached_property
    def noise(self) -> NDArray[np.float64] | None:
        """What other samples of examples would add to the signed scores, (draws, methods, tasks).

        To first order these additions are normal, and as alike between two methods as their answers are. None
        where some method's answers on some task were not kept.
        """
        if not self.methods or not self.tasks:
            return None
        found = np.zeros((NOISE_DRAWS, len(self.methods), len(self.tasks)))
        draws = np.random.default_rng(0)
        for index, task in enumerate(self.tasks):
            tables = [self.examples.get((method, task)) for method in self.methods]
            means = [np.nanmean(table, axis=0) for table in tables if table is not None]
            if len(means) < len(self.methods) or len({len(mean) for mean in means}) > 1:
                return None
            among = np.atleast_2d(np.cov(means)) / len(means[0])
            found[:, :, index] = draws.multivariate_normal(
                np.zeros(len(means)), among, size=NOISE_DRAWS, method="eigh"
            )
        return found

    def gained(self) -> Grid:
        """The scores on one scale for all tasks: 0 is the best constant answer's score, 1 a perfect one.

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
        spans = dict(zip([self.tasks[index] for index in kept], high - low, strict=True))
        return replace(
            self,
            tasks=tuple(self.tasks[index] for index in kept),
            scores=(self.scores[:, kept, :] - low[None, :, None]) / (high - low)[None, :, None],
            learned=self.learned[:, kept, :],
            higher_is_better=(True,) * len(kept),
            floors=(0.0,) * len(kept),
            tops=(1.0,) * len(kept),
            examples={
                (method, task): found / spans[task]
                for (method, task), found in self.examples.items()
                if task in spans
            },
            unit=GAINED,
        )


def make_grid(sections: Sequence[Section]) -> Grid:
    """The grid of sections that share a model; methods are told apart by their labels.

    A method that one task lacks is NaN there, and so is a seed. A seed that diverged has the floor's score.

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
    seeds = tuple(sorted({seed for row in rows for seed in row.outcomes}))
    scores = np.full((len(methods), len(known), len(seeds)), math.nan)
    learned = np.zeros(scores.shape, dtype=bool)
    examples = {}
    for task, section in enumerate(known):
        asked = next((r.answers for row in section.rows for r in row.records if r.answers), None)
        for row in section.rows:
            method = methods.index(row.label)
            for seed, outcome in row.outcomes.items():
                if outcome.score is not None:
                    scores[method, task, seeds.index(seed)] = outcome.score
                    learned[method, task, seeds.index(seed)] = outcome.learned is not False
            found = _examples(section, row, seeds, asked)
            if found is not None:
                examples[row.label, section.task] = found
    return Grid(
        methods=methods,
        tasks=tuple(section.task for section in known),
        seeds=seeds,
        scores=scores,
        learned=learned,
        higher_is_better=tuple(section.higher_is_better for section in known),
        floors=tuple(section.floor for section in known),
        tops=tuple(section.top for section in known),
        examples=examples,
    )


def _examples(
    section: Section, row: Row, seeds: Sequence[int], asked: Answers | None
) -> NDArray[np.float64] | None:
    """The influences of the examples on the main metric, (seeds, examples).

    They are signed so that more is better; NaN where a seed is missing.
    """
    if section.info is None or asked is None:
        return None
    sign = 1.0 if section.higher_is_better else -1.0
    found: NDArray[np.float64] | None = None
    for seed, outcome in row.outcomes.items():
        answers = outcome.record.answers
        if answers is None or not same_examples(answers, asked):
            continue  # other examples, which cannot be paired with these
        values = influence(section.info.main_metric, *unpacked(answers))
        if values is not None:
            if found is None:
                found = np.full((len(seeds), answers.count), math.nan)
            found[seeds.index(seed)] = sign * values
    return found

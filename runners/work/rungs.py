"""The rungs of a search as its records tell them: how far a trial is, what it scored there, who goes on.

What is decided at a rung depends on nothing that came after it: a trial that is further on, since a search of
another size asked for it, is read at the rung.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from reports.records.schema import Record, SearchStep, Status
from runners.plan.halving import Bracket
from runners.plan.spec import TrialSpec
from tasks.spec import MetricSpec

SOUND: Final = ("pruned", "completed")
"""How a trial ends that nothing is wrong with."""

WORDS: Final[Mapping[Status, str]] = {"out_of_memory": "ran out of memory"}
"""How others are told, where their name is no verb."""


@dataclass(frozen=True)
class Asked:
    """A trial that a search waits for, trained to a step or further."""

    spec: TrialSpec
    until: int

    def met(self, record: Record | None) -> bool:
        """Whether a record is all that was asked for; one of a trial that failed is, whatever the step."""
        return record is not None and (record.status != "pruned" or reached(record, self.until))


@dataclass(frozen=True)
class Stopped:
    """A trial that goes no further than a step."""

    spec: TrialSpec
    at: int
    why: str


@dataclass(frozen=True)
class Wanted:
    """What a search waits for, and which trials it has done with before their end."""

    asked: Sequence[Asked] = ()
    stopped: Sequence[Stopped] = ()


@dataclass(eq=False)
class Tried:
    """A setting of a bracket, and how far it is."""

    values: dict[str, Any]
    specs: tuple[TrialSpec, ...]
    """Its trials, one a seed."""
    metric: MetricSpec
    curve: dict[int, float | None] = field(default_factory=dict)
    """Its score at each rung that it reached: the mean over its seeds, undefined where one of them is."""
    scores: tuple[float | None, ...] = ()
    """Of each seed, at the last of them."""
    status: Status = "completed"

    def take(self, records: Sequence[Record], rung: int, last: bool) -> None:
        """Read the records, one a seed, at a rung that was asked for; one that failed fails the setting."""
        lost = [one.status for one in records if not (one.status in SOUND or reached(one, rung))]
        if lost:
            self.status = lost[0]
            return
        self.scores = tuple(score_at(one, rung, self.metric) for one in records)
        known = [score for score in self.scores if score is not None]
        self.curve[rung] = statistics.fmean(known) if len(known) == len(records) else None
        self.status = "completed" if last else "pruned"

    @property
    def failed(self) -> bool:
        """Whether it can go no further."""
        return self.status not in SOUND

    @property
    def step(self) -> SearchStep:
        """What the search keeps of it."""
        if self.failed or not self.curve:
            return SearchStep(values=self.values, score=None, status=self.status)
        steps = max(self.curve)
        return SearchStep(
            values=self.values,
            score=self.curve[steps],
            status=self.status,
            steps=steps,
            scores=self.scores if len(self.specs) > 1 else (),
        )


def reached(record: Record, step: int) -> bool:
    """Whether the trial was scored after a step."""
    return any(point.step == step for point in record.curve)


def score_at(record: Record, step: int, metric: MetricSpec) -> float | None:
    """The score of the best checkpoint up to a step: by it settings are compared, at a rung as at the end."""
    values = [point.selection.get(metric.name) for point in record.curve if point.step <= step]
    known = [value for value in values if value is not None]
    return (max if metric.higher_is_better else min)(known, default=None)


def promoted(alive: Sequence[Tried], bracket: Bracket, rung: int) -> tuple[list[Tried], list[Stopped]]:
    """Who of a bracket's settings goes on from a rung, in their order, and who stops there: at the last none.

    The best by their scores, among equals the earlier, those whose score is undefined last. One that failed
    takes no place, and neither does one that repeats another.
    """
    at, whole = bracket.rungs[rung], bracket.rungs[-1]
    if at == whole:
        return [], []
    places = bracket.settings[rung + 1]
    standing: dict[str, Tried] = {}
    for tried in alive:
        if not tried.failed:
            standing.setdefault(tried.specs[0].trial_id, tried)
    order = sorted(standing.values(), key=lambda tried: _rank(tried.curve[at], tried.metric))
    on = [tried for tried in standing.values() if tried in order[:places]]
    stopped = [
        Stopped(
            spec,
            at,
            f"stopped after step {at} of {whole}: number {place} of {bracket.settings[rung]} settings.",
        )
        for place, one in enumerate(order, start=1)
        if place > places
        for spec in one.specs
    ]
    stopped += [
        Stopped(spec, at, f"stopped after step {at} of {whole}: another seed of its setting {told}.")
        for one in alive
        if one.failed and (told := WORDS.get(one.status, one.status))
        for spec in one.specs
    ]
    return on, stopped


def joined(record: Record, before: Record | None) -> Record:
    """The record of a trial that went on from a rung, with what came before.

    Its time is that of all its jobs. One that failed keeps the curve up to its last rung, so that what was
    decided there is decided again.
    """
    if before is None or before.status != "pruned":
        return record
    return record.model_copy(
        update={
            "started_at": before.started_at,
            "wall_seconds": before.wall_seconds + record.wall_seconds,
            "curve": record.curve or before.curve,
        }
    )


def _rank(score: float | None, metric: MetricSpec) -> tuple[bool, float]:
    sign = -1 if metric.higher_is_better else 1
    return score is None, sign * (score or 0.0)

"""Intrinsic dimension from records: how many dimensions of a random subspace are enough.

d90 is the smallest d whose score reaches 90 % of full fine-tuning's (arXiv 1804.08838, section 2;
2012.13255), on the raw metric. Where always answering the majority class already scores high, that asks for
little: beside it stands the d that reaches 90 % of the gain over that class. Scores are means over seeds; a
seed that diverged counts as the majority answer. d90 is a step in noise: what is reported is the smallest d
tested that passes, and the largest below it, which does not.

Nothing here knows a method: full fine-tuning is a trial that trained as many parameters as the base has,
and a trial in a subspace has an option ``dimension``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reports import text
from reports.records.checks import RANGES
from reports.records.identity import Identity, identity
from reports.records.schema import Record, TaskInfo
from reports.stats.estimate import Estimate, mean_interval, seed_score

SHARE = 0.9
ROUNDING = 1e-9
DIMENSION = "dimension"
RATE = "learning_rate"

Of = Literal["score", "gain"]
THRESHOLDS: Mapping[Of, str] = {
    "score": "full fine-tuning's score",
    "gain": "the gain over the majority class",
}
"""Of what 90 % is asked: the papers' threshold first."""


@dataclass(frozen=True)
class Reference:
    """What a search for d90 is held against."""

    full: Estimate
    """Full fine-tuning."""
    majority: float | None
    """Always the majority class; None where that has no score."""

    def threshold(self, of: Of) -> float | None:
        """90 % of the score, or of the gain over the majority class; None where there is none."""
        full, floor = self.full.value, 0.0 if of == "score" else self.majority
        if full is None or floor is None or full <= floor:
            return None
        return floor + SHARE * (full - floor)


@dataclass(frozen=True)
class Point:
    """One dimension that was tried."""

    dimension: int
    score: Estimate
    seeds: Mapping[int, float | None]
    learning_rate: float | None


@dataclass(frozen=True)
class Found:
    """Where a threshold is reached."""

    of: Of
    threshold: float
    reached: int | None
    """The smallest d tested that passes; None where none does."""
    missed: int | None
    """The largest d tested below that, which does not pass; or the largest of all."""


@dataclass(frozen=True)
class Curve:
    """Score against d: one model, task, method and setting."""

    model: str
    task: str
    method: str
    options: Mapping[str, Any]
    """The method's, the dimension apart."""
    metric: str
    head_inside: bool
    """Whether the task head lies inside the subspace; else it trains beside it."""
    head_parameters: int
    """What trains beside the subspace."""
    reference: Reference
    points: tuple[Point, ...]
    """By dimension."""

    def found(self, of: Of) -> Found | None:
        """d90, or the same of the gain; None where there is no threshold or no point."""
        threshold = self.reference.threshold(of)
        scored = [point for point in self.points if point.score.value is not None]
        if threshold is None or not scored:
            return None
        reached = next((p.dimension for p in scored if passes(p.score, threshold)), None)
        below = [p.dimension for p in scored if reached is None or p.dimension < reached]
        return Found(of, threshold, reached, below[-1] if below else None)


@dataclass(frozen=True)
class Line:
    """One dimension in the table, and which thresholds it passes."""

    point: Point
    score_passes: bool | None
    gain_passes: bool | None


def passes(score: Estimate, threshold: float) -> bool:
    """Whether a mean over seeds reaches a threshold, rounding aside."""
    return score.value is not None and score.value >= threshold - ROUNDING


def reference(records: Sequence[Record]) -> Reference:
    """What the trials of full fine-tuning say; higher scores are better in every metric that has a d90."""
    majority = _majority(records)
    return Reference(_mean(records, majority), majority)


def point(dimension: int, records: Sequence[Record], majority: float | None) -> Point:
    """What the trials of one dimension say; a seed that diverged scores as the majority class."""
    rate = identity(records[0]).settings.get(RATE) if records else None
    return Point(dimension, _mean(records, majority), _by_seed(records, majority), rate)


def best_rate(records: Sequence[Record]) -> list[Record]:
    """The trials of one dimension with the learning rate that does best on the selection split.

    It is judged on the seeds that every rate was tried with; the reported split has no part in it. Of equal
    ones the lowest rate is taken; a trial without a score is the worst.
    """
    rates: dict[float, list[Record]] = {}
    for record in records:
        rates.setdefault(identity(record).settings.get(RATE) or 0.0, []).append(record)
    shared = set.intersection(*({identity(r).seed for r in trials} for trials in rates.values()))

    def judged(rate: float) -> float:
        scores = [_selection(record) for record in rates[rate] if identity(record).seed in shared]
        return sum(scores) / len(scores) if scores else -math.inf

    return rates[max(sorted(rates), key=judged)] if rates else []


def _selection(record: Record) -> float:
    value = record.scores.selection.get(record.task.main_metric) if record.scores and record.task else None
    return -math.inf if value is None else value


def curves(records: Sequence[Record]) -> list[Curve]:
    """Every curve of at least two dimensions with full fine-tuning on the same model and task beside it."""
    whole: dict[tuple[str, ...], dict[str, list[Record]]] = {}
    inside: dict[tuple[tuple[str, ...], str], dict[int, list[Record]]] = {}
    for record in records:
        which = identity(record)
        dimension = which.options.get(DIMENSION)
        if isinstance(dimension, int):
            inside.setdefault((which.section, _setting(which)), {}).setdefault(dimension, []).append(record)
        elif record.parameters and record.parameters.method == record.parameters.base:
            whole.setdefault(which.section, {}).setdefault(which.variant, []).append(record)
    found = []
    for (section, _), by_dimension in inside.items():
        if len(by_dimension) > 1 and section in whole:
            found.append(_curve(by_dimension, list(whole[section].values())))
    return sorted((curve for curve in found if curve), key=lambda c: (c.model, c.task, c.method))


def _curve(
    by_dimension: Mapping[int, Sequence[Record]], references: Sequence[Sequence[Record]]
) -> Curve | None:
    some = next((r for rs in by_dimension.values() for r in rs if r.task and r.parameters), None)
    if some is None or some.task is None or some.parameters is None:
        return None
    which = identity(some)

    def shared(trials: Sequence[Record]) -> int:
        settings = identity(trials[0]).settings
        return sum(settings.get(name) == value for name, value in which.settings.items())

    base = reference(max(references, key=shared))
    return Curve(
        model=which.model,
        task=which.task,
        method=which.method,
        options={name: value for name, value in which.options.items() if name != DIMENSION},
        metric=some.task.main_metric,
        head_inside=some.parameters.head == 0,
        head_parameters=some.parameters.head,
        reference=base,
        points=tuple(point(d, best_rate(by_dimension[d]), base.majority) for d in sorted(by_dimension)),
    )


def lines(curve: Curve) -> list[Line]:
    """The table, by dimension."""

    def verdict(point: Point, found: Found | None) -> bool | None:
        return None if found is None or point.score.value is None else passes(point.score, found.threshold)

    score, gain = curve.found("score"), curve.found("gain")
    return [Line(point, verdict(point, score), verdict(point, gain)) for point in curve.points]


def sentences(curve: Curve) -> list[str]:
    """The answer in words."""
    full, majority = curve.reference.full, curve.reference.majority
    told = [
        f"Full fine-tuning scores {text.score(full.value)} ({curve.metric}, {text.plural(full.n, 'seed')}), "
        f"always answering the majority class {text.score(majority)}.",
        "The task head lies inside the subspace, as in the papers."
        if curve.head_inside
        else f"The task head trains beside the subspace: its {text.count(curve.head_parameters)} parameters "
        "come on top of d.",
    ]
    for of, what in THRESHOLDS.items():
        found = curve.found(of)
        if found is None:
            told.append(f"90 % of {what}: there is none to speak of.")
            continue
        told.append(f"90 % of {what} is {text.score(found.threshold)}: {_where(found)}.")
        if of == "score" and majority is not None:
            told.append(_beside_majority(found.threshold - majority))
    return told


def _beside_majority(margin: float) -> str:
    """How much learning the papers' threshold asks for."""
    if margin <= 0:
        return "The majority class alone reaches that: it says nothing about learning."
    return f"That asks for {text.score(margin)} more than the majority class has."


def _where(found: Found) -> str:
    if found.reached is None:
        return f"not reached at any d that was tried, the largest {text.count(found.missed)}"
    if found.missed is None:
        return f"reached at d = {text.count(found.reached)}, the smallest that was tried"
    return f"reached at d = {text.count(found.reached)}, not at {text.count(found.missed)}"


def _setting(which: Identity) -> str:
    """Equal for trials that differ in seed, dimension and learning rate only."""
    options = {name: value for name, value in which.options.items() if name != DIMENSION}
    settings = {name: value for name, value in which.settings.items() if name != RATE}
    return repr((which.method, sorted(options.items()), sorted(settings.items())))


def _info(records: Sequence[Record]) -> TaskInfo | None:
    return next((record.task for record in records if record.task), None)


def _majority(records: Sequence[Record]) -> float | None:
    info = _info(records)
    scored = [record.scores for record in records if record.scores]
    return scored[0].majority.get(info.main_metric) if info and scored else None


def _by_seed(records: Sequence[Record], floor: float | None) -> dict[int, float | None]:
    info = _info(records)
    return {
        identity(r).seed: seed_score(
            r.status, r.scores.report.get(info.main_metric) if r.scores and info else None, floor
        )
        for r in records
    }


def _mean(records: Sequence[Record], floor: float | None) -> Estimate:
    info = _info(records)
    units = {metric.name: metric.unit for metric in info.metrics} if info else {}
    bounds = RANGES.get(units[info.main_metric]) if info else None
    known = [score for score in _by_seed(records, floor).values() if score is not None]
    if not known:
        return Estimate(None, None, 0, "no trial has a score")
    return mean_interval(known, bounds=bounds)

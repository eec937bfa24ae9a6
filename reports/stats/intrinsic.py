"""Intrinsic dimension from records: how many dimensions of a random subspace are enough.

d90 is the smallest d whose score reaches 90 % of full fine-tuning's (arXiv 1804.08838, section 2;
2012.13255), on the raw metric. Where one answer to every example already scores high, that asks for little:
beside it stands the d that reaches 90 % of the gain over that answer. Scores are paired with full
fine-tuning's by seed; a seed that diverged counts as that answer. d90 is a step in noise: what is reported is
the smallest d tested that passes, the largest below it, which does not, and the range in which the seeds say
that it lies (``reach.smallest``, which decides the claim on it as well).

Nothing here knows a method: full fine-tuning is a trial that trained as many parameters as the base has,
and a trial in a subspace has an option ``dimension``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from reports import text
from reports.records.identity import Identity, identity
from reports.records.origins import UNKNOWN, Origin, Origins, origin_of, trusted
from reports.records.schema import Record, TaskInfo
from reports.records.searches import RATE
from reports.stats.estimate import Estimate, Interval, mean_interval, seed_score
from reports.stats.learning import floors, learned
from reports.stats.reach import shortfall, smallest, suffices

SHARE = 0.9
DIMENSION = "dimension"

Of = Literal["score", "gain"]
THRESHOLDS: Mapping[Of, str] = {
    "score": "full fine-tuning's score",
    "gain": "the gain over the best constant answer",
}
"""Of what 90 % is asked: the papers' threshold first."""


@dataclass(frozen=True)
class Reference:
    """What a search for d90 is held against."""

    full: Estimate
    """Full fine-tuning."""
    seeds: Mapping[int, float | None]
    """Its score by seed."""
    floor: float | None
    """The best constant answer; None where that has no score."""

    def threshold(self, of: Of) -> float | None:
        """90 % of the score, or of the gain over the best constant answer; None where there is none."""
        full, floor = self.full.value, 0.0 if of == "score" else self.floor
        if full is None or floor is None or full <= floor:
            return None
        return floor + SHARE * (full - floor)

    def gap(self, point: Point, of: Of) -> Estimate:
        """By how much a dimension misses the threshold, paired by seed; a miss is below 0."""
        floor = 0.0 if of == "score" else self.floor or 0.0
        pairs = [
            (score, full)
            for seed, score in point.seeds.items()
            if score is not None and (full := self.seeds.get(seed)) is not None
        ]
        found = shortfall({"": pairs}, SHARE, floor)
        return replace(found, interval=None, note=_unsteady(point)) if point.lost else found


@dataclass(frozen=True)
class Point:
    """One dimension that was tried."""

    dimension: int
    score: Estimate
    seeds: Mapping[int, float | None]
    learning_rate: float | None
    lost: int = 0
    """Runs that learned nothing: no t interval stands over their scores."""


def _unsteady(point: Point) -> str:
    return f"no interval: {point.lost} of {text.plural(len(point.seeds), 'run')} learned nothing"


@dataclass(frozen=True)
class Found:
    """Where a threshold is reached."""

    of: Of
    threshold: float
    reached: int | None
    """The smallest d tested that passes; None where none does."""
    missed: int | None
    """The largest d tested below that, which does not pass; or the largest of all."""
    range: Interval | None
    """Where it lies as far as the seeds show; open above where no dimension surely suffices."""


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
    origin: Origin = UNKNOWN
    """Who measured it."""

    def found(self, of: Of) -> Found | None:
        """d90, or the same of the gain; None where there is no threshold or no point."""
        threshold = self.reference.threshold(of)
        scored = [point for point in self.points if point.score.value is not None]
        if threshold is None or not scored:
            return None
        found = smallest({p.dimension: self.reference.gap(p, of) for p in scored})
        reached = None if found.value is None else int(found.value)
        below = [p.dimension for p in scored if reached is None or p.dimension < reached]
        return Found(of, threshold, reached, below[-1] if below else None, found.interval)


@dataclass(frozen=True)
class Line:
    """One dimension in the table, and which thresholds it passes."""

    point: Point
    score_passes: bool | None
    gain_passes: bool | None


def reference(records: Sequence[Record]) -> Reference:
    """What the trials of full fine-tuning say; higher scores are better in every metric that has a d90."""
    floor = _floor(records)
    return Reference(_mean(records, floor), _by_seed(records, floor), floor)


def point(dimension: int, records: Sequence[Record], floor: float | None) -> Point:
    """What the trials of one dimension say; a seed that diverged scores as the best constant answer."""
    rate = _rate(records[0]) if records else None
    return Point(dimension, _mean(records, floor), _by_seed(records, floor), rate, _lost(records, floor))


def best_rate(records: Sequence[Record]) -> list[Record]:
    """The trials of one dimension with the learning rate that does best on the selection split.

    It is judged on the seeds that every rate was tried with; the reported split has no part in it. Of equal
    ones the lowest rate is taken; a trial without a score is the worst.
    """
    rates: dict[float, list[Record]] = {}
    for record in records:
        rates.setdefault(_rate(record) or 0.0, []).append(record)
    shared = set.intersection(*({identity(r).seed for r in trials} for trials in rates.values()))

    def judged(rate: float) -> float:
        scores = [_selection(record) for record in rates[rate] if identity(record).seed in shared]
        return sum(scores) / len(scores) if scores else -math.inf

    return rates[max(sorted(rates), key=judged)] if rates else []


def _rate(record: Record) -> float | None:
    """The learning rate; None where what a record says is no number."""
    rate = identity(record).settings.get(RATE)
    return float(rate) if isinstance(rate, (int, float)) and not isinstance(rate, bool) else None


def _lost(records: Sequence[Record], floor: float | None) -> int:
    """How many runs learned nothing."""
    info = _info(records)
    metric = next((m for m in info.metrics if m.name == info.main_metric), None) if info else None
    return sum(metric is not None and learned(record, metric, floor) is False for record in records)


def _selection(record: Record) -> float:
    value = record.scores.selection.get(record.task.main_metric) if record.scores and record.task else None
    return -math.inf if value is None else value


def curves(records: Sequence[Record], origins: Origins | None = None) -> list[Curve]:
    """Every curve of at least two dimensions with full fine-tuning on the same model and task beside it.

    A curve and its reference are one origin's; where the maintainers searched a task, only theirs is there.
    What others searched comes last.
    """
    by_origin: dict[tuple[tuple[str, ...], Origin], list[Record]] = {}
    for record in records:
        key = identity(record).section, origin_of(record, origins)
        by_origin.setdefault(key, []).append(record)
    found = [
        (section, who, replace(curve, origin=who))
        for (section, who), group in by_origin.items()
        for curve in _curves(group)
    ]
    ours = {section for section, who, _ in found if trusted(who)}
    kept = [curve for section, who, curve in found if trusted(who) or section not in ours]
    return sorted(kept, key=lambda c: (bool(ours) and not trusted(c.origin), c.model, c.task, c.method))


def _curves(records: Sequence[Record]) -> list[Curve]:
    """Those of one model and task."""
    whole: dict[str, list[Record]] = {}
    inside: dict[str, dict[int, list[Record]]] = {}
    for record in records:
        which = identity(record)
        dimension = which.options.get(DIMENSION)
        if isinstance(dimension, int) and dimension > 0:
            inside.setdefault(_setting(which), {}).setdefault(dimension, []).append(record)
        elif record.parameters and record.parameters.method == record.parameters.base:
            whole.setdefault(which.variant, []).append(record)
    several = [by_dimension for by_dimension in inside.values() if len(by_dimension) > 1 and whole]
    found = [_curve(by_dimension, list(whole.values())) for by_dimension in several]
    return [curve for curve in found if curve]


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
        points=tuple(point(d, best_rate(by_dimension[d]), base.floor) for d in sorted(by_dimension)),
    )


def lines(curve: Curve) -> list[Line]:
    """The table, by dimension."""

    def verdict(point: Point, of: Of) -> bool | None:
        asked = curve.found(of) is not None and point.score.value is not None
        return suffices(curve.reference.gap(point, of)) if asked else None

    return [Line(point, verdict(point, "score"), verdict(point, "gain")) for point in curve.points]


def sentences(curve: Curve) -> list[str]:
    """The answer in words."""
    full, floor = curve.reference.full, curve.reference.floor
    told = [
        f"Full fine-tuning scores {text.score(full.value)} ({curve.metric}, {text.plural(full.n, 'seed')}), "
        f"the best constant answer {text.score(floor)}.",
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
        if of == "score" and floor is not None:
            told.append(_beside_floor(found.threshold - floor))
    return told


def _beside_floor(margin: float) -> str:
    """How much learning the papers' threshold asks for."""
    if margin <= 0:
        return "The best constant answer alone reaches that: it says nothing about learning."
    return f"That asks for {text.score(margin)} more than the best constant answer has."


def _where(found: Found) -> str:
    if found.reached is None:
        said = f"not reached at any d that was tried, the largest {text.count(found.missed)}"
    elif found.missed is None:
        said = f"reached at d = {text.count(found.reached)}, the smallest that was tried"
    else:
        said = f"reached at d = {text.count(found.reached)}, not at {text.count(found.missed)}"
    return f"{said}; {_range(found.range)}"


def _range(ends: Interval | None) -> str:
    if ends is None:
        return "so few seeds do not say how sure that is"
    above = f"above {text.count(int(ends.low))}" if ends.low else ""
    up_to = f"at most {text.count(int(ends.high))}" if math.isfinite(ends.high) else ""
    known = " and ".join(filter(None, (above, up_to)))
    return f"as far as the seeds show it is {known}" if known else "the seeds do not settle where it lies"


def _setting(which: Identity) -> str:
    """Equal for trials that differ in seed, dimension and learning rate only."""
    options = {name: value for name, value in which.options.items() if name != DIMENSION}
    settings = {name: value for name, value in which.settings.items() if name != RATE}
    return repr((which.method, sorted(options.items()), sorted(settings.items())))


def _info(records: Sequence[Record]) -> TaskInfo | None:
    return next((record.task for record in records if record.task), None)


def _floor(records: Sequence[Record]) -> float | None:
    info = _info(records)
    return floors(info, records).get(info.main_metric) if info else None


def _by_seed(records: Sequence[Record], floor: float | None) -> dict[int, float | None]:
    info = _info(records)
    return {
        identity(r).seed: seed_score(
            r.status, r.scores.report.get(info.main_metric) if r.scores and info else None, floor
        )
        for r in records
    }


def _mean(records: Sequence[Record], floor: float | None) -> Estimate:
    known = [score for score in _by_seed(records, floor).values() if score is not None]
    if not known:
        return Estimate(None, None, 0, "no trial has a score")
    found = mean_interval(known)
    if lost := _lost(records, floor):
        note = f"no interval: {lost} of {text.plural(len(records), 'run')} learned nothing"
        return replace(found, interval=None, note=note)
    return found

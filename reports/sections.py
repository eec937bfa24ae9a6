"""Records grouped into comparisons: one section per model and task, one row per method and setting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from reports.aggregate import Row, make_row
from reports.checks import RANGES
from reports.errors import RecordError
from reports.identity import Identity, identity, trial_key
from reports.pareto import pareto_front
from reports.schema import MetricInfo, Record, TaskInfo


@dataclass(frozen=True)
class Section:
    """All that was measured with one model on one task; rows are sorted, the best first."""

    model: str
    task: str
    info: TaskInfo | None
    """Null when no trial got as far as loading the task."""
    rows: tuple[Row, ...]

    @property
    def records(self) -> list[Record]:
        """Every trial of the section, row by row."""
        return [record for row in self.rows for record in row.records]

    @property
    def metric(self) -> MetricInfo | None:
        """The main metric, by which the rows are sorted."""
        return (
            next((m for m in self.info.metrics if m.name == self.info.main_metric), None)
            if self.info
            else None
        )

    @property
    def higher_is_better(self) -> bool:
        """Direction of the main metric."""
        return self.metric.higher_is_better if self.metric else True

    @property
    def majority(self) -> float | None:
        """What always predicting the majority (or mean) gives, where it was recorded."""
        if self.info is None:
            return None
        found = [
            record.scores.majority.get(self.info.main_metric) for record in self.records if record.scores
        ]
        return next((value for value in found if value is not None), None)

    @property
    def floor(self) -> float | None:
        """What a model that learned nothing scores: `majority`, or 0 for a correlation without one."""
        return floors(self.info, self.records).get(self.info.main_metric) if self.info else None

    @property
    def top(self) -> float | None:
        """The best score that the main metric's unit allows, where that is known."""
        ends = RANGES.get(self.metric.unit) if self.metric else None
        return (ends[1] if self.higher_is_better else ends[0]) if ends else None


def floors(info: TaskInfo | None, records: Sequence[Record]) -> dict[str, float]:
    """What a model that learned nothing scores by each metric of a task, where that is known.

    It is the majority answer's score; a constant answer has no correlation, which counts as 0.
    """
    known: dict[str, float] = {}
    for metric in info.metrics if info else ():
        found = [record.scores.majority.get(metric.name) for record in records if record.scores]
        value = next((value for value in found if value is not None), None)
        if value is not None or metric.unit == "correlation":
            known[metric.name] = value or 0.0
    return known


def sections(records: Sequence[Record]) -> list[Section]:
    """Group, aggregate, label, mark the Pareto front and sort; sections come in the order of their names."""
    refuse_duplicates(records)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[identity(record).section].append(record)
    return [_section(model, task, groups[model, task]) for model, task in sorted(groups)]


def refuse_duplicates(records: Sequence[Record]) -> None:
    """Raise when a trial is given twice: the same seed twice is not two seeds."""
    repeated = [key for key, count in Counter(trial_key(record) for record in records).items() if count > 1]
    if repeated:
        raise RecordError(f"trial {repeated[0][0]:.80} is given more than once, and a trial counts once.")
    cells: set[tuple[Any, ...]] = set()
    for record in records:
        which = identity(record)
        cell = (which.section, which.variant, which.seed)
        if cell in cells:
            raise RecordError(
                f"two records hold {which.method:.60} on {which.task:.60} with seed {which.seed} and the "
                "same settings, and a trial counts once."
            )
        cells.add(cell)


def _section(model: str, task: str, records: list[Record]) -> Section:
    info = _common_task(model, task, records)
    variants: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        variants[identity(record).variant].append(record)
    groups = [sorted(group, key=lambda record: identity(record).seed) for group in variants.values()]
    names = labels([identity(group[0]) for group in groups])
    floor = floors(info, records)
    rows = [make_row(name, group, info, floor) for name, group in zip(names, groups, strict=True)]
    section = Section(model, task, info, tuple(rows))
    points = [(row.trainable_parameters, row.score.mean) for row in rows]
    front = pareto_front(points, higher_is_better=section.higher_is_better)
    rows = [replace(row, on_front=flag) for row, flag in zip(rows, front, strict=True)]
    return replace(section, rows=tuple(sorted(rows, key=lambda row: _rank(row, section.higher_is_better))))


def _common_task(model: str, task: str, records: list[Record]) -> TaskInfo | None:
    """The task as the records describe it; they must agree on what is compared."""
    infos = [record.task for record in records if record.task]
    for info in infos[1:]:
        if (info.version, info.main_metric, info.metrics) != (
            infos[0].version,
            infos[0].main_metric,
            infos[0].metrics,
        ):
            raise RecordError(
                f"the records of {task:.60} on {model:.60} disagree on the task's version or metrics, "
                "so their scores cannot be compared."
            )
    return infos[0] if infos else None


def _rank(row: Row, higher_is_better: bool) -> tuple[Any, ...]:
    """Best score first, then the cheaper, then by name; rows without a score come last."""
    score = row.score.mean
    cost = row.trainable_parameters
    signed = 0.0 if score is None else (-score if higher_is_better else score)
    return score is None, signed, cost is None, cost or 0, row.label


def labels(identities: Sequence[Identity]) -> list[str]:
    """The method's name, with the options and settings in which rows of that method differ."""
    by_method: dict[str, list[Identity]] = defaultdict(list)
    for which in identities:
        by_method[which.method].append(which)
    names = []
    for which in identities:
        twins = by_method[which.method]
        parts = [
            f"{key}={_short(values[key])}"
            for values, others in (
                (which.options, [twin.options for twin in twins]),
                (which.settings, [twin.settings for twin in twins]),
            )
            for key in sorted({key for other in others for key in other})
            if key in values and any(key not in other or other[key] != values[key] for other in others)
        ]
        names.append(f"{which.method} ({', '.join(parts)})" if parts else which.method)
    return names


def _short(value: Any) -> str:
    """An option's value as a person would type it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "+".join(_short(item) for item in value)
    return "none" if value is None else str(value)

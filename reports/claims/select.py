"""Which records a rule speaks of, and the number it reads from each."""

from __future__ import annotations

import math
import re
import types
import typing
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from reports import text
from reports.records.checks import RANGES
from reports.records.identity import identity
from reports.records.schema import MetricInfo, Record
from reports.stats.estimate import Estimate, mean_interval, seed_score
from reports.stats.learning import floors, learned

SCORES = {"score": "score", "gained": "share gained from the majority answer to the best score"}
"""Measures that count a diverged run as the majority answer; more is always better."""

SETTINGS = ("options", "protocol")
_OPERATORS = re.compile(r"\s*([*/])\s*")

Key = tuple[str, int]
"""Task and seed: what two records must share to be a pair."""


class Where(BaseModel):
    """Picks records by method, task, options and protocol; a list allows any of its values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str | list[str] | None = None
    task: str | list[str] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    protocol: dict[str, Any] = Field(default_factory=dict)

    def matches(self, record: Record) -> bool:
        """Whether a record is one of them."""
        which = identity(record)
        names = ((self.method, which.method), (self.task, which.task))
        settings = [(value, which.options.get(key)) for key, value in self.options.items()]
        settings += [(value, which.settings.get(key)) for key, value in self.protocol.items()]
        return all(_allows(asked, found) for asked, found in names if asked is not None) and all(
            _allows(asked, found) for asked, found in settings
        )

    @property
    def label(self) -> str:
        """For people: `lora, rank 8`."""
        names = [_told(self.method)] if self.method is not None else []
        names += [
            f"{key.replace('_', ' ')} {_told(v)}" for key, v in {**self.options, **self.protocol}.items()
        ]
        names += [_told(self.task)] if self.task is not None else []
        return ", ".join(names) or "every record"


class Group(BaseModel):
    """Records with a name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    label: str = ""
    where: Where

    @property
    def name(self) -> str:
        """Its label, or what it picks."""
        return self.label or self.where.label


class Term(Group):
    """A group with its weight in a sum."""

    weight: float = 1.0


@dataclass(frozen=True)
class Choice:
    """The values of a setting that one was chosen from by the selection split, on one task."""

    setting: str
    ranked: tuple[tuple[float | None, tuple[Record, ...]], ...]
    """Each with its records, the chosen one first."""

    @property
    def trials(self) -> tuple[tuple[str, ...], ...]:
        """The ids of its records: what makes it another choice than the next."""
        return tuple(tuple(record.trial_id for record in records) for _, records in self.ranked)


class Pool:
    """The records of a study, and what their tasks give to a model that learned nothing."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = tuple(records)
        self.choices: list[Choice] = []
        """What :meth:`chosen` chose so far, where there was more than one value."""
        self._floors: dict[str, float | None] = {}
        by_task: dict[str, list[Record]] = defaultdict(list)
        for record in self.records:
            by_task[identity(record).task].append(record)
        for task, members in by_task.items():
            info = next((record.task for record in members if record.task), None)
            self._floors[task] = floors(info, members).get(info.main_metric) if info else None

    def pick(self, where: Where, choose: str | None = None) -> list[Record]:
        """The records that match; see :meth:`chosen` for ``choose``."""
        return self.chosen([record for record in self.records if where.matches(record)], choose)

    def chosen(self, records: Sequence[Record], setting: str | None) -> list[Record]:
        """Of records that differ in a setting, such as ``protocol.learning_rate``, those with its best value.

        The value with the best mean score on the selection split is taken for each task, so that what is
        reported took no part in the choice.
        """
        if setting is None:
            return list(records)
        groups: dict[str, dict[float | None, list[Record]]] = defaultdict(lambda: defaultdict(list))
        for record in records:
            groups[identity(record).task][number_of(record, setting)].append(record)
        best = []
        for by_value in groups.values():
            ranked = sorted(by_value.items(), key=lambda item: self.selected(item[1]), reverse=True)
            best += ranked[0][1]
            if len(ranked) > 1:
                self.choices.append(Choice(setting, tuple((value, tuple(found)) for value, found in ranked)))
        return best

    def selected(self, records: Sequence[Record]) -> float:
        """Mean score on the selection split; diverged runs count as the majority answer."""
        scores = [self.score(record, "selection") for record in records]
        known = [score for score in scores if score is not None]
        return sum(known) / len(known) if known else -math.inf

    def values(self, records: Iterable[Record], measure: str) -> dict[Key, float]:
        """The measure by task and seed; records that share both are averaged, unknown ones left out."""
        found: dict[Key, list[float]] = defaultdict(list)
        for record in records:
            value = self.measure(record, measure)
            if value is not None:
                which = identity(record)
                found[which.task, which.seed].append(value)
        return {key: sum(values) / len(values) for key, values in sorted(found.items())}

    def measure(self, record: Record, measure: str) -> float | None:
        """What a rule reads from a record; None where it was not measured."""
        if measure not in SCORES:
            return number_of(record, measure) if record.status == "completed" else None
        score = self.score(record, "report")
        if measure == "score" or score is None:
            return score
        floor, metric = self._floors.get(identity(record).task), _metric(record)
        ends = RANGES.get(metric.unit) if metric else None
        if floor is None or metric is None or ends is None:
            return None
        sign, top = (1, ends[1]) if metric.higher_is_better else (-1, ends[0])
        return (score - sign * floor) / (sign * top - sign * floor) if top != floor else None

    def mean(self, records: Sequence[Record], measure: str) -> Estimate:
        """The mean of the measure over seeds, as a figure shows it."""
        return self.steady(mean_interval(list(self.values(records, measure).values())), records, measure)

    def steady(self, estimate: Estimate, records: Iterable[Record], measure: str) -> Estimate:
        """The estimate, without its interval where one of the runs learned nothing.

        Student's t takes scores to vary normally, and those of which some are a constant answer do not.
        """
        if measure not in SCORES or estimate.interval is None:
            return estimate
        every = {record.trial_id: record for record in records}.values()
        lost = sum(self._learned(record) is False for record in every)
        if not lost:
            return estimate
        said = f"{lost} of {text.plural(len(every), 'run')} learned nothing"
        return replace(estimate, interval=None, note=f"no interval: {said}")

    def _learned(self, record: Record) -> bool | None:
        metric = _metric(record)
        if metric is None:
            return False if record.status == "diverged" else None
        return learned(record, metric, self._floors.get(identity(record).task))

    def score(self, record: Record, split: str) -> float | None:
        """The main metric, its sign changed where lower is better."""
        metric = _metric(record)
        values = getattr(record.scores, split) if record.scores else {}
        measured = values.get(metric.name) if metric else None
        score = seed_score(record.status, measured, self._floors.get(identity(record).task))
        return score if score is None or metric is None or metric.higher_is_better else -score


def number_of(record: Record, expression: str) -> float | None:
    """Read `part.field`, or a product or quotient of several; None where a part is missing.

    Paths begin with a part of the record, or with ``options`` or ``protocol`` for the trial's settings.
    """
    total: float | None = None
    operator = "*"
    for token in _OPERATORS.split(expression.strip()):
        if token in ("*", "/"):
            operator = token
            continue
        value = _read(record, token)
        if value is None or (operator == "/" and value == 0):
            return None
        total = value if total is None else total * value if operator == "*" else total / value
    return total


def told(expression: str) -> str:
    """An expression without the parts of the record: `alpha × learning rate`."""
    tokens = [token.split(".")[-1].replace("_", " ") for token in _OPERATORS.split(expression.strip())]
    return " ".join("×" if token == "*" else token for token in tokens)


def check_expression(expression: str) -> str:
    """Return an expression that :func:`number_of` can read; a wrong name is a ValueError."""
    for token in _OPERATORS.split(expression.strip()):
        head, *rest = token.split(".")
        if token in ("*", "/") or (head in SETTINGS and len(rest) == 1):
            continue
        model: Any = Record
        for name in (head, *rest):
            fields: Mapping[str, Any] = getattr(model, "model_fields", {})
            if name not in fields:
                valid = ", ".join(fields) or "nothing"
                raise ValueError(f"{token!r} is no number of a record: {name!r} is not among {valid}")
            model = _inner(fields[name].annotation)
        if model not in (int, float):
            raise ValueError(f"{token!r} is a part of a record, expected one of its numbers")
    return expression


def _read(record: Record, path: str) -> float | None:
    head, *rest = path.split(".")
    value: Any = record.spec.get(head, {}) if head in SETTINGS else getattr(record, head)
    for name in rest:
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return float(value) if isinstance(value, (int, float)) else None


def _inner(annotation: Any) -> Any:
    """The type behind `X | None`."""
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _metric(record: Record) -> MetricInfo | None:
    if record.task is None:
        return None
    return next((m for m in record.task.metrics if m.name == record.task.main_metric), None)


def _allows(asked: Any, found: Any) -> bool:
    """Whether a setting is what was asked for, or one of a list of it."""
    if isinstance(asked, list) and not isinstance(found, (list, tuple)):
        return any(_allows(one, found) for one in asked)
    if isinstance(asked, (int, float)) and isinstance(found, (int, float)):
        return math.isclose(asked, found, rel_tol=1e-9)
    return list(asked) == list(found) if isinstance(asked, list) else bool(asked == found)


def _told(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(_told(one) for one in value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

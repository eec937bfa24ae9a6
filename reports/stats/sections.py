"""Records grouped into comparisons: one section per model and task, one row per method and setting.

What other suites measured makes sections of its own. A row whose code is not known, or with fewer seeds
than the others, is shown apart and never ranked; who measured a row is told by `reports/records/origins.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from reports.errors import RecordError
from reports.records.checks import RANGES
from reports.records.identity import identity, is_for_dimensions, trial_key
from reports.records.origins import UNKNOWN, Origin, Origins, origin_of, trusted
from reports.records.schema import MetricInfo, Record, TaskInfo
from reports.stats.aggregate import Row, make_row
from reports.stats.estimate import MIN_SEEDS
from reports.stats.labels import labels, seen_as
from reports.stats.pareto import pareto_front


@dataclass(frozen=True)
class Section:
    """All that one suite measured with one model on one task; rows are sorted, the best first."""

    model: str
    task: str
    info: TaskInfo | None
    """Null when no trial got as far as loading the task."""
    rows: tuple[Row, ...]
    """What is ranked and compared."""
    apart: tuple[Row, ...] = ()
    """What is only shown, each row with its reason."""
    suite: str | None = None
    """Who measured it, where that is not Paretune."""

    @property
    def every_row(self) -> tuple[Row, ...]:
        """Ranked rows, then those apart."""
        return self.rows + self.apart

    @property
    def records(self) -> list[Record]:
        """Every trial of the section, row by row."""
        return [record for row in self.every_row for record in row.records]

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


def by_model(found: Sequence[Section]) -> list[list[Section]]:
    """The sections of each model that one suite measured: what may be averaged over tasks; in order."""
    groups: dict[tuple[str | None, str], list[Section]] = defaultdict(list)
    for section in found:
        groups[section.suite, section.model].append(section)
    return list(groups.values())


def sections(records: Sequence[Record], origins: Origins | None = None) -> list[Section]:
    """Group, aggregate, label, set apart, mark the Pareto front and sort; sections in order of their names.

    Args:
        records: trials, each once.
        origins: who measured a trial; what is not in it is self-reported.
    """
    refuse_duplicates(records)
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        groups[identity(record).section].append(record)
    several = len({origin_of(record, origins) for record in records if record.suite is None}) > 1
    return [_section(key, groups[key], origins, several) for key in sorted(groups)]


def measured_by(found: Iterable[Section]) -> list[Origin]:
    """Whoever measured the ranked rows, each once; empty among one's own results alone."""
    known = list(dict.fromkeys(row.origin for section in found for row in section.rows))
    return [] if known == [UNKNOWN] else known


def refuse_duplicates(records: Sequence[Record]) -> None:
    """Raise when a trial is given twice: the same seed twice is not two seeds."""
    repeated = [key for key, count in Counter(trial_key(record) for record in records).items() if count > 1]
    if repeated:
        raise RecordError(f"trial {repeated[0][0]:.80} is given more than once, and a trial counts once.")
    cells: set[tuple[Any, ...]] = set()
    for record in records:
        which = identity(record)
        cell = (which.section, which.variant, which.seed, is_for_dimensions(record))
        if cell in cells:
            raise RecordError(
                f"two records hold {which.method:.60} on {which.task:.60} with seed {which.seed} and the "
                "same settings, and a trial counts once."
            )
        cells.add(cell)


def _section(
    key: tuple[str, str, str], records: list[Record], origins: Origins | None, several: bool
) -> Section:
    suite, model, task = key

    def origin(record: Record) -> Origin:
        return Origin("another suite", suite) if suite else origin_of(record, origins)

    # The maintainers' first: what the task is and what the majority answer scores is taken from them.
    records = sorted(records, key=lambda record: not trusted(origin(record)))
    info = _common_task(model, task, records)
    variants: dict[tuple[Origin, str, bool], list[Record]] = defaultdict(list)
    for record in records:  # by origin as well: nobody's trial enters the mean of another's
        variants[origin(record), identity(record).variant, is_for_dimensions(record)].append(record)
    groups = [sorted(group, key=lambda record: identity(record).seed) for group in variants.values()]
    known = [who for who, *_ in variants]
    names = labels([identity(group[0]) for group in groups], known, told=several and not suite)
    floor = floors(info, records)
    rows = [
        replace(make_row(name, group, info, floor), origin=who)
        for name, group, who in zip(names, groups, known, strict=True)
    ]
    ranked, apart = _split(rows)
    # What is only shown must not lengthen the names of what is compared; its own tell it from all.
    which = [identity(row.records[0]) for row in ranked]
    short = labels(which, [row.origin for row in ranked], told=several and not suite)
    if not {seen_as(name) for name in short} & {seen_as(row.label) for row in apart}:
        ranked = [replace(row, label=name) for row, name in zip(ranked, short, strict=True)]
    section = Section(model, task, info, tuple(ranked), suite=suite or None)
    points = [(row.trainable_parameters, row.score.mean) for row in ranked]
    front = pareto_front(points, higher_is_better=section.higher_is_better)
    ranked = [replace(row, on_front=flag) for row, flag in zip(ranked, front, strict=True)]

    def in_order(rows: list[Row]) -> tuple[Row, ...]:
        return tuple(sorted(rows, key=lambda row: _rank(row, section.higher_is_better)))

    return replace(section, rows=in_order(ranked), apart=in_order(apart))


SEARCHED: Final = "of a search for the intrinsic dimension, which has a page of its own"


def _split(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """The rows that can be ranked, and the others with the reason why not.

    Where the maintainers ran enough seeds for an interval, or anyone where they ran none, every row is asked
    for as many. Searches for an intrinsic dimension are ranked with nothing else, and told of where they are.
    """
    compared = [row for row in rows if not is_for_dimensions(row.records[0])] or rows
    ours = [row for row in compared if trusted(row.origin)]
    most = max((len(row.records) for row in ours or compared), default=0)
    asked = MIN_SEEDS if most >= MIN_SEEDS else 1
    told = [replace(row, apart=_reason(row, ours, asked) if row in compared else SEARCHED) for row in rows]
    return [row for row in told if not row.apart], [row for row in told if row.apart]


def _reason(row: Row, ours: Sequence[Row], asked: int) -> str:
    """Why a row cannot be ranked beside the others; empty where it can."""
    others = bool(ours) and not trusted(row.origin)
    # Beside the maintainers' rows a seed that "failed" is none: else the bad ones would be called that.
    seeds = row.seeds_run if others else len(row.records)
    if any(record.environment.tree_clean is False for record in row.records):
        return "measured from a checkout with uncommitted changes: the commit does not say which code ran"
    if seeds < asked:
        return f"{seeds} of the {asked} seeds that the protocol asks for"
    if others:
        theirs, known = _inputs([row]), _inputs(ours)
        for index, what in enumerate(("data", "weights of the model")):
            if known[index] and not theirs[index] <= known[index]:
                return f"other {what} than the maintainers’"
    return ""


def _inputs(rows: Sequence[Row]) -> tuple[set[str | None], set[str | None]]:
    """The hashes of the data and the revisions of the model that rows were measured with."""
    records = [record for row in rows for record in row.records]
    return (
        {record.task.data_sha256 for record in records if record.task},
        {record.model.revision for record in records if record.model},
    )


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

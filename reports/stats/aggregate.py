"""One row of a comparison: the trials of one method and setting, aggregated over seeds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reports.records.checks import RANGES
from reports.records.identity import Identity, identity
from reports.records.origins import UNKNOWN, Origin
from reports.records.schema import LatencyRow, Record, TaskInfo
from reports.stats.estimate import Instability, Interval, instability, mean_interval, seed_score


@dataclass(frozen=True)
class Spread:
    """A mean over seeds, its 95 % interval (from three seeds on) and their standard deviation (from two).

    Seeds that diverged are in it, as ``statistics.seed_score`` says.
    """

    mean: float | None
    sd: float | None
    n: int
    interval: Interval | None = None


@dataclass(frozen=True)
class Ratio:
    """Time relative to the untouched base.

    The median over seeds; the interval is that of the seed when there is one, and otherwise reaches from
    the lowest lower end to the highest upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What a method scored and cost. Costs are medians over completed seeds; unknown is None."""

    label: str
    identity: Identity
    records: tuple[Record, ...]
    statuses: Counter[str]
    score: Spread
    metrics: dict[str, Spread]
    """Every metric of the reported split."""
    method_parameters: int | None
    head_parameters: int | None
    stored_parameters: int | None
    trainable_share: float | None
    peak_training_bytes: int | None
    training_seconds: float | None
    examples_per_second: float | None
    unmerged: Ratio | None
    merged: Ratio | None
    control: Ratio | None
    checkpoint_bytes: int | None
    seed_scores: Mapping[int, float | None]
    """The main metric by seed; one that diverged has the majority answer's score, a missing one None."""
    instability: Instability
    on_front: bool = False
    origin: Origin = UNKNOWN
    apart: str = ""
    """Why it is shown apart and not ranked; empty for a ranked row."""

    @property
    def trainable_parameters(self) -> int | None:
        """Method and head together: what the optimiser updates."""
        if self.method_parameters is None or self.head_parameters is None:
            return None
        return self.method_parameters + self.head_parameters

    @property
    def sample(self) -> Record | None:
        """A completed trial: what does not depend on the seed can be read off it."""
        return next((record for record in self.records if record.status == "completed"), None)

    @property
    def seeds_run(self) -> int:
        """Seeds with an outcome: completed, or diverged."""
        return self.statuses["completed"] + self.statuses["diverged"]

    @property
    def failures(self) -> list[Record]:
        """Trials that did not complete."""
        return [record for record in self.records if record.status != "completed"]


def make_row(
    label: str, records: Sequence[Record], info: TaskInfo | None, floors: Mapping[str, float]
) -> Row:
    """Aggregate the trials of one method and setting, which differ in their seed only.

    ``floors`` is what the majority answer scores by each metric, where that is known.
    """
    done = [record for record in records if record.status == "completed"]
    counts = [record.parameters for record in records if record.parameters]
    latencies = [record.latency for record in done if record.latency]
    memories = [record.memory for record in done if record.memory]
    trainings = [record.training for record in done if record.training]
    names = dict.fromkeys(name for record in done if record.scores for name in record.scores.report)
    declared = {metric.name: metric for metric in info.metrics} if info else {}
    ranges = {name: RANGES.get(metric.unit) for name, metric in declared.items()}
    metrics = {name: _spread(records, name, floors.get(name), ranges.get(name)) for name in names}
    main = info.main_metric if info else ""
    return Row(
        label=label,
        identity=identity(records[0]),
        records=tuple(records),
        statuses=Counter(record.status for record in records),
        score=metrics.get(main, Spread(None, None, 0)),
        metrics=metrics,
        method_parameters=_whole([part.method for part in counts]),
        head_parameters=_whole([part.head for part in counts]),
        stored_parameters=_whole([part.stored for part in counts]),
        trainable_share=_median([part.trainable_share for part in counts]),
        peak_training_bytes=_whole([memory.peak_training_bytes for memory in memories]),
        training_seconds=_median([training.seconds for training in trainings]),
        examples_per_second=_median([training.examples_per_second for training in trainings]),
        unmerged=_ratio([latency.unmerged for latency in latencies]),
        merged=_ratio([latency.merged for latency in latencies]),
        control=_ratio([latency.control for latency in latencies]),
        checkpoint_bytes=_whole([record.checkpoint_bytes for record in done]),
        seed_scores={
            identity(record).seed: seed_score(record.status, _measured(record, main), floors.get(main))
            for record in records
        },
        instability=instability(
            [(record.status, _measured(record, main)) for record in records],
            floors.get(main),
            higher_is_better=main not in declared or declared[main].higher_is_better,
        ),
    )


def _measured(record: Record, metric: str) -> float | None:
    return record.scores.report.get(metric) if record.scores else None


def _spread(
    records: Sequence[Record], metric: str, floor: float | None, bounds: tuple[float, float] | None
) -> Spread:
    """Over seeds; a row without any measured score has none, whatever its seeds count for."""
    if all(_measured(record, metric) is None for record in records):
        return Spread(None, None, 0)
    found = [seed_score(record.status, _measured(record, metric), floor) for record in records]
    values = [value for value in found if value is not None]
    estimate = mean_interval(values, bounds=bounds)
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Spread(estimate.value, sd, len(values), estimate.interval)


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _whole(values: Sequence[int | None]) -> int | None:
    """A median that stays an integer."""
    middle = _median(values)
    return None if middle is None else round(middle)


def _ratio(rows: Sequence[LatencyRow | None]) -> Ratio | None:
    known = [row for row in rows if row is not None]
    if not known:
        return None

    def over(pick: Callable[[Sequence[float]], float], name: str) -> float:
        return pick([getattr(row, name) for row in known])

    return Ratio(over(statistics.median, "ratio"), over(min, "ratio_low"), over(max, "ratio_high"))

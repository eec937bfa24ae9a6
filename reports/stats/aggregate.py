"""One row of a comparison: the trials of one method and setting, aggregated over seeds."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from reports.records.answers import same_examples, unpacked
from reports.records.cost_parts import LatencyRow
from reports.records.further import read_as
from reports.records.identity import Identity, identity
from reports.records.machine import Machine, machine
from reports.records.metrics import influence
from reports.records.origins import UNKNOWN, Origin
from reports.records.schema import FurtherReport, MetricInfo, Record, TaskInfo
from reports.stats import learning
from reports.stats.busy import busy
from reports.stats.decoding import Written, controls, written
from reports.stats.estimate import Interval, mean_interval, seed_score
from reports.stats.forgetting import Forgotten, forgotten
from reports.stats.latency import Ratio, ratio
from reports.stats.learning import Risk, learned
from reports.stats.pareto import Mark


@dataclass(frozen=True)
class Outcome:
    """What one seed gave."""

    score: float | None
    """The main metric; the floor's where the run diverged, None where it says nothing of the seed."""
    learned: bool | None
    """Whether it is above the best constant answer; None where that cannot be told."""
    record: Record


@dataclass(frozen=True)
class Spread:
    """A mean over seeds, its 95 % interval (from three seeds on) and their standard deviation (from two).

    Seeds that diverged are in the mean, as ``estimate.seed_score`` says.
    """

    mean: float | None
    sd: float | None
    n: int
    interval: Interval | None = None
    """None where a seed learned nothing: such scores do not vary normally."""
    over_examples: bool = False
    """Whether the interval is for new examples as well as for new seeds."""


@dataclass(frozen=True)
class Row:
    """What a method scored and cost. Costs are medians over completed seeds; unknown is None."""

    label: str
    identity: Identity
    records: tuple[Record, ...]
    statuses: Counter[str]
    outcomes: Mapping[int, Outcome]
    """By seed."""
    risk: Risk
    """How many seeds learned nothing."""
    score: Spread
    """The main metric over all seeds."""
    learned: Spread | None
    """The same over the seeds that learned, where some did not; None where all did, or it is unknown."""
    metrics: dict[str, Spread]
    """Every metric of the reported split."""
    further: dict[str, dict[str, Spread]]
    """By further report split, every metric of it."""
    method_parameters: int | None
    head_parameters: int | None
    stored_parameters: int | None
    trainable_share: float | None
    peak_training_bytes: int | None
    machine: Machine | None
    """Where the times were measured: that of most seeds; the times of the others are in no number."""
    timed_seeds: tuple[int, ...]
    """The seeds of that machine."""
    busy_seeds: tuple[int, ...]
    """Those of them that were trained while others took its cores."""
    training_seconds: float | None
    examples_per_second: float | None
    unmerged: Ratio | None
    merged: Ratio | None
    control: Ratio | None
    checkpoint_bytes: int | None
    decoding: Written | None = None
    """Where the model writes."""
    forgetting: Forgotten | None = None
    """What of other abilities is left, where it was asked for."""
    on_front: bool = False
    """Whether no other row trains fewer parameters and scores as well on average."""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """By cost, see ``front.py``, whether it is on the front of score against it, and how sure that is."""
    front_share: float | None = None
    """Share of resamples in which it is; None with fewer than three shared seeds."""
    origin: Origin = UNKNOWN
    apart: str = ""
    """Why it is shown apart and not ranked; empty for a ranked row."""

    @property
    def mark(self) -> Mark:
        """Whether it is on the front of score against trainable parameters, and how sure that is."""
        return self.marks.get("parameters", "dominated")

    @property
    def trainable_parameters(self) -> int | None:
        """Method and head together: what the optimiser updates."""
        if self.method_parameters is None or self.head_parameters is None:
            return None
        return self.method_parameters + self.head_parameters

    @property
    def slower(self) -> Ratio | None:
        """Latency beside the base: of a pass, or where the model writes of each token behind the first."""
        return self.decoding.following.unmerged if self.decoding else self.unmerged

    @property
    def slower_merged(self) -> Ratio | None:
        """The same of the merged model."""
        return self.decoding.following.merged if self.decoding else self.merged

    @property
    def side_by_side(self) -> int:
        """How many trials its machine trained at once while its times were measured."""
        return self.machine.side_by_side if self.machine else 1

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
    label: str,
    records: Sequence[Record],
    info: TaskInfo | None,
    floors: Mapping[str, float],
    further: Mapping[str, FurtherReport] | None = None,
) -> Row:
    """Aggregate the trials of one method and setting, which differ in their seed only.

    ``floors`` is what the best constant answer scores by each metric, where that is known, and ``further``
    which further report splits are compared: another content under the same name is none of them.
    """
    done = [record for record in records if record.status == "completed"]
    counts = [record.parameters for record in records if record.parameters]
    memories = [record.memory for record in done if record.memory]
    main = info.main_metric if info else ""
    metrics = {m.name: m for m in info.metrics} if info else {}
    outcomes = _outcomes(records, metrics.get(main), floors)
    seeds = outcomes(main)
    place, timed = _one_machine(done)
    return Row(
        label=label,
        identity=identity(records[0]),
        records=tuple(records),
        statuses=Counter(record.status for record in records),
        outcomes=seeds,
        risk=_risk(list(seeds.values())),
        score=_over_all(list(seeds.values()), metrics.get(main)),
        learned=_over_learned(list(seeds.values()), metrics.get(main)),
        metrics=_of_metrics(records, metrics, outcomes),
        further=_of_further(records, info, further or {}),
        method_parameters=_whole([part.method for part in counts]),
        head_parameters=_whole([part.head for part in counts]),
        stored_parameters=_whole([part.stored for part in counts]),
        trainable_share=_median([part.trainable_share for part in counts]),
        peak_training_bytes=_whole([memory.peak_training_bytes for memory in memories]),
        machine=place,
        timed_seeds=tuple(identity(record).seed for record in timed),
        busy_seeds=tuple(identity(record).seed for record in timed if busy(record)),
        training_seconds=_median([r.training.seconds for r in timed if r.training]),
        examples_per_second=_median([r.training.examples_per_second for r in timed if r.training]),
        unmerged=_ratio([r.latency.unmerged for r in timed if r.latency]),
        merged=_ratio([r.latency.merged for r in timed if r.latency]),
        control=_ratio([control for r in timed for control in controls(r)[-1:]]),
        checkpoint_bytes=_whole([record.checkpoint_bytes for record in done]),
        decoding=written([r.decoding for r in timed if r.decoding]),
        forgetting=forgotten([record.forgetting for record in done if record.forgetting]),
    )


_Outcomes = Callable[[str], dict[int, Outcome]]
"""What every seed gave, by the name of a metric."""


def _outcomes(records: Sequence[Record], main: MetricInfo | None, floors: Mapping[str, float]) -> _Outcomes:
    """What every seed gave; whether it learned is told by the main metric."""
    above = {
        identity(record).seed: learned(record, main, floors.get(main.name)) if main else None
        for record in records
    }

    def outcomes(name: str) -> dict[int, Outcome]:
        return {
            seed: Outcome(_counted(record, name, floors.get(name)), above[seed], record)
            for record in records
            for seed in [identity(record).seed]
        }

    return outcomes


def _of_metrics(
    records: Sequence[Record], metrics: Mapping[str, MetricInfo], outcomes: _Outcomes
) -> dict[str, Spread]:
    """Every metric that was measured, over all seeds."""
    done = [record for record in records if record.status == "completed"]
    measured = dict.fromkeys(name for record in done if record.scores for name in record.scores.report)
    return {name: _over_all(list(outcomes(name).values()), metrics.get(name)) for name in measured}


def _of_further(
    records: Sequence[Record], info: TaskInfo | None, further: Mapping[str, FurtherReport]
) -> dict[str, dict[str, Spread]]:
    """The same of every further report split, each with its own floor."""
    found: dict[str, dict[str, Spread]] = {}
    metrics = {m.name: m for m in info.metrics} if info else {}
    main = metrics.get(info.main_metric) if info else None
    for name, split in further.items():
        told = [(record, record.further_reports.get(name)) for record in records]
        scored = [of is not None and of.data_sha256 == split.data_sha256 for _, of in told]
        # A seed that diverged is the floor there too.
        some = [
            one for one, counts in zip(records, scored, strict=True) if counts or one.status == "diverged"
        ]
        if any(scored):
            read = [read_as(record, name) for record in some]
            found[name] = _of_metrics(read, metrics, _outcomes(read, main, learning.floors(info, read)))
    return found


def _counted(record: Record, metric: str, floor: float | None) -> float | None:
    return seed_score(record.status, record.scores.report.get(metric) if record.scores else None, floor)


def _risk(outcomes: Sequence[Outcome]) -> Risk:
    run = [one for one in outcomes if one.record.status in ("completed", "diverged")]
    unknown = any(one.learned is None for one in run)
    return Risk(
        seeds=len(run),
        lost=None if unknown else sum(one.learned is False for one in run),
        diverged=sum(one.record.status == "diverged" for one in run),
    )


def _over_all(outcomes: Sequence[Outcome], metric: MetricInfo | None) -> Spread:
    """Over all seeds; a row without any measured score has none, whatever its seeds count for."""
    known = [one for one in outcomes if one.score is not None]
    if not any(one.record.status == "completed" and one.record.scores for one in known):
        return Spread(None, None, 0)
    found = _spread(known, metric)
    lost = any(one.learned is False for one in outcomes)
    return replace(found, interval=None, over_examples=False) if lost else found


def _over_learned(outcomes: Sequence[Outcome], metric: MetricInfo | None) -> Spread | None:
    some = [one for one in outcomes if one.learned and one.score is not None]
    lost = any(one.learned is False for one in outcomes)
    return _spread(some, metric) if lost and some else None


def _spread(outcomes: Sequence[Outcome], metric: MetricInfo | None) -> Spread:
    values = [one.score for one in outcomes if one.score is not None]
    found = mean_interval(values, examples=_influences(outcomes, metric))
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Spread(found.value, sd, len(values), found.interval, found.over_examples)


def _influences(outcomes: Sequence[Outcome], metric: MetricInfo | None) -> NDArray[np.float64] | None:
    """Of every example on the score of every seed, (seeds, examples); None where some seed's are unknown."""
    kept = [one.record.answers for one in outcomes]
    first = kept[0]
    if metric is None or first is None:
        return None
    found = []
    for answers in kept:
        if answers is None or not same_examples(answers, first):
            return None
        values = influence(metric.name, *unpacked(answers))
        if values is None:
            return None
        found.append(values)
    return np.array(found)


def _one_machine(records: Sequence[Record]) -> tuple[Machine | None, list[Record]]:
    """The machine of most seeds, the first of equals, and the records of it."""
    by_machine: dict[Machine, list[Record]] = defaultdict(list)
    for record in records:
        by_machine[machine(record.environment)].append(record)
    if not by_machine:
        return None, []
    return max(by_machine.items(), key=lambda item: len(item[1]))


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _whole(values: Sequence[int | None]) -> int | None:
    """A median that stays an integer."""
    middle = _median(values)
    return None if middle is None else round(middle)


def _ratio(rows: Sequence[LatencyRow | None]) -> Ratio | None:
    known = [row for row in rows if row is not None]
    return ratio(known) if known else None

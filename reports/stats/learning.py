"""Whether a run learned anything, and how often a method does not.

A run learned nothing when its score is not above the best constant answer by a one-sided 5 % bound: whoever
gives one answer to every example of the reported split can score ``floors``, and a score that another sample
of as many examples could have taken there shows nothing. A run that diverged learned nothing either. This is
the one floor of every page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from reports.records.answers import unpacked
from reports.records.metrics import best_constant, influence
from reports.records.published import floor_of
from reports.records.schema import MetricInfo, Record, TaskInfo
from reports.stats.estimate import LEVEL, Interval

ONE_SIDED: Final = 1.6448536269514722
"""What a normal number with deviation 1 stays below in 95 % of cases, as scipy's ``norm.ppf`` has it."""


@dataclass(frozen=True)
class Risk:
    """How many seeds learned nothing; trials that ran out of memory or failed are no seeds."""

    seeds: int
    lost: int | None
    """Seeds that learned nothing; null where no floor is known."""
    diverged: int = 0
    """Of these, how many ended in a loss that is no number."""

    @property
    def share(self) -> float | None:
        """Share of seeds that learned nothing; null where it is unknown."""
        return None if self.seeds == 0 or self.lost is None else self.lost / self.seeds

    @property
    def interval(self) -> Interval | None:
        """Of the share: the exact one of Clopper & Pearson 1934 (Biometrika 26, 404).

        It holds at least 95 times in 100 for any number of seeds, one included.
        """
        return None if self.seeds == 0 or self.lost is None else exact_share(self.lost, self.seeds)


@lru_cache(maxsize=4096)  # found by a search, and most methods have the same few counts
def exact_share(lost: int, seeds: int, level: float = LEVEL) -> Interval:
    """The exact interval of a share."""
    from scipy import stats

    tail = (1 - level) / 2
    low = 0.0 if lost == 0 else float(stats.beta.ppf(tail, lost, seeds - lost + 1))
    high = 1.0 if lost == seeds else float(stats.beta.ppf(1 - tail, lost + 1, seeds - lost))
    return Interval(low, high)


def pooled(parts: Sequence[Risk]) -> Risk:
    """The risk over several tasks: every run counts once."""
    lost = [part.lost for part in parts]
    known = [count for count in lost if count is not None]
    return Risk(
        seeds=sum(part.seeds for part in parts),
        lost=sum(known) if len(known) == len(lost) else None,
        diverged=sum(part.diverged for part in parts),
    )


def floors(info: TaskInfo | None, records: Sequence[Record]) -> dict[str, float]:
    """What the best constant answer scores on the reported split, by each metric for which that is known.

    From the answers of a record where there are any. Older records tell what the majority of the training
    split scores, which may be fewer of the reported one: for data of the published records it is known, of
    others the best that some record tells is taken. A constant has no correlation, which counts as 0.
    """
    known: dict[str, float] = {}
    answers = next((record.answers for record in records if record.answers), None)
    for metric in info.metrics if info else ():
        value: float | None = None
        if answers is not None and metric.higher_is_better:
            value = best_constant(metric.name, unpacked(answers)[1], answers.labels)
        if value is None and info is not None:
            value = floor_of(info, metric.name)
        if value is None:
            said = [record.scores.majority.get(metric.name) for record in records if record.scores]
            found = [one for one in said if one is not None]
            value = (max if metric.higher_is_better else min)(found) if found else None
        if value is not None or metric.unit == "correlation":
            known[metric.name] = max(value or 0.0, 0.0) if metric.unit == "correlation" else value or 0.0
    return known


def learned(record: Record, metric: MetricInfo, floor: float | None) -> bool | None:
    """Whether a run is above the best constant answer; None where that cannot be told."""
    if record.status == "diverged":
        return False
    score = record.scores.report.get(metric.name) if record.scores else None
    if record.status != "completed" or floor is None:
        return None
    if score is None:  # a metric that does not exist on a constant prediction
        return False
    bound = ONE_SIDED * standard_error(record, metric, score)
    return score - bound > floor if metric.higher_is_better else score + bound < floor


def standard_error(record: Record, metric: MetricInfo, score: float) -> float:
    """Of a score over samples of as many examples; 0 where their number is unknown."""
    if record.answers is not None:
        found = influence(metric.name, *unpacked(record.answers))
        if found is not None:
            return float(found.std()) / math.sqrt(len(found))
    count = record.task.sizes.report if record.task else None
    if not count:
        return 0.0
    if metric.unit == "fraction":
        return math.sqrt(max(score * (1 - score), 0.0) / count)
    if metric.unit == "correlation":
        return (1 - min(score**2, 1.0)) / math.sqrt(max(count - 1, 1))
    return 0.0

"""What the pilot of the boards reads of records: scores, whether a run learned, differences by seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from reports.records.schema import Record
from reports.stats.estimate import mean_interval
from reports.stats.learning import ONE_SIDED


def selection(record: Record) -> float | None:
    """The main metric on the selection split; None where the trial has none."""
    if record.status != "completed" or record.scores is None or record.task is None:
        return None
    return record.scores.selection.get(record.task.main_metric)


def by_rate(records: Iterable[Record]) -> dict[tuple[str, str], dict[float, list[Record]]]:
    """By task and method: by learning rate the records."""
    found: dict[tuple[str, str], dict[float, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        spec = record.spec
        found[spec["task"], spec["method"]][spec["protocol"]["learning_rate"]].append(record)
    return found


def mean(records: Iterable[Record]) -> float:
    """Their mean on the selection split; NaN where one was not trained to its end."""
    scores = [math.nan if (score := selection(record)) is None else score for record in records]
    return sum(scores) / len(scores)


def learned(record: Record) -> bool:
    """Whether the selection score is above the best constant answer, as in `reports/stats/learning.py`."""
    score, task = selection(record), record.task
    if score is None or task is None or record.scores is None:
        return False
    count = task.sizes.selection
    metric = next(one for one in task.metrics if one.name == task.main_metric)
    assert count is not None
    if metric.unit == "correlation":
        return score - ONE_SIDED * (1 - min(score**2, 1.0)) / math.sqrt(count - 1) > 0
    floor = record.scores.majority[metric.name] or 0.0
    return score - ONE_SIDED * math.sqrt(max(score * (1 - score), 0.0) / count) > floor


def reported(records: Iterable[Record]) -> dict[tuple[str, ...], dict[int, float]]:
    """By method, rate and layers: by seed the score that is reported."""
    scores: dict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
    for record in records:
        assert record.scores is not None
        assert record.task is not None
        spec = record.spec
        rate = f"{spec['protocol']['learning_rate']:g}"
        setting = (spec["method"], rate, *spec["options"].get("target", ()))
        scores[setting][spec["seed"]] = record.scores.report[record.task.main_metric] or 0.0
    return scores


def paired(more: dict[int, float], less: dict[int, float], what: str) -> None:
    """Say how much more one setting scores than another, over the seeds of both."""
    if less is not more:
        told = mean_interval([more[seed] - less[seed] for seed in less])
        assert told.interval is not None
        print(f"  {told.value:.4f} ({told.interval.low:.4f} to {told.interval.high:.4f}) {what}", flush=True)


def constant(record: Record) -> float:
    """What the best constant answer scores, in the main metric; 0 where it is a correlation."""
    assert record.task is not None
    assert record.scores is not None
    return record.scores.majority[record.task.main_metric] or 0.0

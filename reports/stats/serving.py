"""What a record of serving many tasks says: what a task takes, and where one way begins to be faster.

Intervals of ratios go over rounds and processes, as those of latency comparisons do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reports.records.cost_parts import LatencyRow
from reports.records.serving_schema import Paired, ServedBatch, ServingRecord
from reports.stats.latency import interval


@dataclass(frozen=True)
class BreakEven:
    """From where on one way is faster, with the 95 % interval that the ratios' own intervals give."""

    value: float
    """``inf``: nowhere; the least that was looked at: everywhere."""
    low: float
    high: float


def grid(record: ServingRecord) -> dict[tuple[int, int], list[ServedBatch]]:
    """The batches of a record by length and number of rows, each by the number of tasks."""
    found: dict[tuple[int, int], list[ServedBatch]] = {}
    for batch in record.batches:
        found.setdefault((batch.sequence_length, batch.batch_size), []).append(batch)
    return {key: sorted(own, key=lambda one: one.tasks) for key, own in sorted(found.items())}


def ways(batch: ServedBatch) -> dict[str, LatencyRow]:
    """The ways that a batch was served, by their names; those that the method has not are left out."""
    rows = {
        "one task": batch.one_task,
        "mixed": batch.mixed,
        "in turn": batch.in_turn,
        "merged": batch.merged,
        "merged in turn": batch.merged_in_turn,
    }
    return {name: row for name, row in rows.items() if row is not None}


def rows_per_second(batch: ServedBatch, ms: float) -> float:
    """How many rows are answered in a second, where batches follow each other and each takes ``ms``."""
    return 1e3 * batch.batch_size / ms


def task_memory(record: ServingRecord) -> float:
    """Bytes that one more task takes in memory: the slope from the fewest tasks to the most, or the mean."""
    first, last = record.stored[0], record.stored[-1]
    if first is last:
        return last.memory_bytes / last.tasks
    return (last.memory_bytes - first.memory_bytes) / (last.tasks - first.tasks)


def mixing_pays(
    batches: Sequence[ServedBatch], beside: Literal["in turn", "merged in turn"]
) -> BreakEven | None:
    """From how many distinct tasks in a batch on a mixed batch is faster than task after task.

    Between the numbers that were measured the logarithm of the ratio is a straight line; beyond the largest
    nothing is told, and ``inf`` says that mixing pays nowhere up to there.

    Args:
        batches: of one size, over numbers of tasks.
        beside: what mixing is compared with.

    Returns:
        None where the method does not merge, or no batch holds several tasks.
    """
    ordered = sorted(batches, key=lambda one: one.distinct_tasks)
    points = [(one.distinct_tasks, ratio) for one in ordered if (ratio := _beside(one, beside)) is not None]
    if not points or points[-1][0] <= 1:
        return None
    at = [where for where, _ in points]
    ends = [interval(ratio) for _, ratio in points]
    return BreakEven(
        _crossing(at, [ratio.ratio for _, ratio in points]),
        _crossing(at, [low for low, _ in ends]),
        _crossing(at, [high for _, high in ends]),
    )


def merging_pays(record: ServingRecord, batch: ServedBatch) -> BreakEven | None:
    """From how many batches of one task in a row on does merging it first take less time.

    Merged, each saves the difference between the unmerged and the merged pass, and the switch to the task
    costs more. ``inf``: merging saves nothing that could be told.

    Returns:
        None where the method does not merge.
    """
    if batch.merged is None or batch.one_task_to_merged is None or record.merged_switch is None:
        return None
    merged, ratio = batch.merged.latency_ms_p50, batch.one_task_to_merged
    plain, folded = record.stored[0].switch, record.merged_switch
    more = folded.ms_p50 - plain.ms_p50
    least, most = folded.ms_low - plain.ms_high, folded.ms_high - plain.ms_low
    ends = interval(ratio)
    return BreakEven(
        _batches(more, merged * (ratio.ratio - 1)),
        _batches(least, merged * (ends.high - 1)),
        _batches(most, merged * (ends.low - 1)),
    )


def _batches(cost: float, saved: float) -> float:
    if cost <= 0:
        return 0.0
    return cost / saved if saved > 0 else math.inf


def _beside(batch: ServedBatch, beside: str) -> Paired | None:
    return batch.mixed_to_in_turn if beside == "in turn" else batch.mixed_to_merged_in_turn


def _crossing(at: Sequence[float], ratios: Sequence[float]) -> float:
    """The first place from which on the ratio stays at 1 or below; the first one, or ``inf``."""
    logs = np.log(ratios)
    above = np.flatnonzero(logs > 0)
    if not len(above):
        return at[0]
    last = int(above[-1])
    if last == len(at) - 1:
        return math.inf
    share = logs[last] / (logs[last] - logs[last + 1])
    return float(at[last] + share * (at[last + 1] - at[last]))

"""Where one way of serving many tasks begins to be faster than another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reports.records.serving_schema import Paired, ServedBatch, ServingRecord


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
    points = [(one.distinct_tasks, ratio) for one in batches if (ratio := _beside(one, beside)) is not None]
    if not points or max(at for at, _ in points) <= 1:
        return None
    at = [where for where, _ in points]
    value, low, high = (
        _crossing(at, [getattr(ratio, name) for _, ratio in points])
        for name in ("ratio", "ratio_low", "ratio_high")
    )
    return BreakEven(value, low, high)


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
    return BreakEven(
        _batches(more, merged * (ratio.ratio - 1)),
        _batches(least, merged * (ratio.ratio_high - 1)),
        _batches(most, merged * (ratio.ratio_low - 1)),
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

"""Records of serving many tasks as tables: batches by the way that they are served, and arrivals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pandas as pd

from reports.records.cost_parts import LatencyRow
from reports.records.origins import Origins, origin_of
from reports.records.serving_schema import ServedBatch, ServingRecord
from reports.stats.latency import interval, trusted
from reports.stats.serving import rows_per_second, ways

_OF_THE_RECORD: Final = {"study", "model", "dtype", "phase", "mix", "label", "method"}
_SIZES: Final = (
    *("base_memory_bytes", "task_parameters", "task_tensor_bytes", "task_disk_bytes", "merged_kept_bytes"),
)
_OF_THE_BATCH: Final = {"batch_size", "sequence_length", "tasks", "distinct_tasks", "rounds", "base_ms_p50"}
_TOOK: Final = ("add", "add_from_disk", "switch", "evict")


def serving_frame(records: Sequence[ServingRecord], origins: Origins | None = None) -> pd.DataFrame:
    """One row per way, batch size, length and number of tasks, with raw numbers.

    ``ratio`` is to the untouched base, ``ratio_low`` to ``ratio_high`` the record's interval over rounds,
    ``low`` to ``high`` that over rounds and processes. Of a mixed batch ``to_in_turn`` and
    ``to_merged_in_turn`` are its times over those of task after task in the same rounds; of one task's,
    ``to_merged`` is what it takes over the same task merged. What tasks take in memory, and the times of
    single tasks, are those of as many tasks.

    Args:
        records: what to list.
        origins: who measured a record; what is not in it is self-reported.
    """
    return pd.DataFrame([row for record in records for row in _batch_rows(record, origins)])


def arrivals_frame(records: Sequence[ServingRecord], origins: Origins | None = None) -> pd.DataFrame:
    """One row per simulation and up to three per rehearsal, simulated and measured; ``what`` tells which."""
    return pd.DataFrame([row for record in records for row in _arrival_rows(record, origins)])


def _batch_rows(record: ServingRecord, origins: Origins | None) -> Iterator[dict[str, Any]]:
    held = {one.tasks: one for one in record.stored}
    for batch in record.batches:
        stored = held.get(batch.tasks)
        for way, row in {"base again": batch.control, **ways(batch)}.items():
            ends = interval(row)
            yield {
                **record.model_dump(include=_OF_THE_RECORD),
                **batch.model_dump(include=_OF_THE_BATCH),
                "way": way,
                **row.model_dump(),
                "low": ends.low,
                "high": ends.high,
                "rows_per_second": rows_per_second(batch, row.latency_ms_p50),
                **_pairs(batch, row),
                "trusted": trusted(batch.control),
                "mixed_difference": batch.mixed_difference,
                "memory_bytes": stored.memory_bytes if stored else None,
                "allocated_bytes": stored.allocated_bytes if stored else None,
                **{f"{name}_ms_p50": getattr(stored, name).ms_p50 if stored else None for name in _TOOK},
                "merged_switch_ms_p50": record.merged_switch.ms_p50 if record.merged_switch else None,
                **{name: getattr(record, name) for name in _SIZES},
                **_where(record, origins),
            }


def _pairs(batch: ServedBatch, row: LatencyRow) -> dict[str, float | None]:
    """The ratios to other ways, with their intervals over rounds; null in the rows of other ways."""
    found: dict[str, float | None] = {}
    for name, of, pair in (
        ("to_in_turn", batch.mixed, batch.mixed_to_in_turn),
        ("to_merged_in_turn", batch.mixed, batch.mixed_to_merged_in_turn),
        ("to_merged", batch.one_task, batch.one_task_to_merged),
    ):
        here = pair if row is of else None
        found |= {
            name: here.ratio if here else None,
            f"{name}_low": here.ratio_low if here else None,
            f"{name}_high": here.ratio_high if here else None,
        }
    return found


def _arrival_rows(record: ServingRecord, origins: Origins | None) -> Iterator[dict[str, Any]]:
    study = record.arrivals
    if study is None:
        return
    of = record.model_dump(include=_OF_THE_RECORD) | study.model_dump(exclude={"simulated", "rehearsed"})
    of["simulated_requests"] = of.pop("requests")
    for one in study.simulated:
        told = one.model_dump(exclude={"waited"})
        times = one.waited.model_dump() if one.waited else {}
        yield {**of, "what": "simulated", **told, **times, **_where(record, origins)}
    for other in study.rehearsed:
        told = other.model_dump(exclude={"simulated", "measured", "simulated_as_fast"})
        rows = {"simulated, rehearsed": other.simulated, "measured": other.measured}
        if other.simulated_as_fast:
            rows["simulated with the times of the rehearsal"] = other.simulated_as_fast
        for what, waited in rows.items():
            yield {**of, "what": what, **told, **waited.model_dump(), **_where(record, origins)}


def _where(record: ServingRecord, origins: Origins | None) -> dict[str, Any]:
    origin, where = origin_of(record, origins), record.environment
    return {
        "device": where.device_name,
        "threads": where.threads,
        "origin": origin.kind,
        "submitter": origin.by or None,
    }

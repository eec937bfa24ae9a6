"""Valid records of serving many tasks, with numbers that can be foreseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.records.cost_parts import LatencyRow
from reports.records.schema import Environment
from reports.records.serving_schema import (
    Arrivals,
    ArrivalStudy,
    Energy,
    Mix,
    Paired,
    Rehearsed,
    ServedBatch,
    ServingRecord,
    Stored,
    Took,
    Waited,
    Way,
)

ENVIRONMENT = Environment(
    paretune_version="0.1.0",
    commit="c" * 40,
    tree_clean=True,
    python="3.11.2",
    platform="Linux",
    packages={"torch": "2.10.0", "transformers": "5.20.0"},
    device="cpu",
    device_name="a CPU",
    processes=1,
    threads=2,
)
BASE_PARAMETERS = 22_713_216
TENSOR_BYTES = 297_992
HALF = 0.004
"""Half the width of every interval, as a share of its ratio."""


def row(ratio: float, base_ms: float) -> LatencyRow:
    return LatencyRow(
        latency_ms_p50=base_ms * ratio,
        latency_ms_p95=1.2 * base_ms * ratio,
        ratio=ratio,
        ratio_low=ratio * (1 - HALF),
        ratio_high=ratio * (1 + HALF),
    )


def paired(ratio: float) -> Paired:
    return Paired(ratio=ratio, ratio_low=ratio * (1 - HALF), ratio_high=ratio * (1 + HALF))


def took(ms: float) -> Took:
    return Took(ms_p50=ms, ms_low=0.9 * ms, ms_high=1.2 * ms, times=20)


def stored(tasks: int, tensor_bytes: int = TENSOR_BYTES, **changes: Any) -> Stored:
    values = {
        "tasks": tasks,
        "memory_bytes": tasks * (tensor_bytes + 56),
        "allocated_bytes": tasks * (tensor_bytes + 4096),
        "add": took(0.52),
        "add_from_disk": took(2.1),
        "switch": took(0.06),
        "evict": took(0.03),
    }
    return Stored(**values | changes)


def distinct(tasks: int, rows: int, mix: Mix = "uniform") -> float:
    """The expected number of different tasks in a batch of rows that draw evenly; 1 where all draw one."""
    expected = tasks * (1 - (1 - 1 / tasks) ** rows)
    return 1.0 if mix == "one" else min(max(expected, 1.0), tasks, rows)


def batch(
    rows: int = 8,
    length: int = 16,
    tasks: int = 4,
    *,
    mix: Mix = "uniform",
    merges: bool = True,
    one_task: float = 1.05,
    mixed: float = 1.08,
    alone: float = 0.35,
    control: float = 1.0,
    **changes: Any,
) -> ServedBatch:
    """A batch whose time task after task rises by ``alone`` of the base's for each further task in it."""
    several = distinct(tasks, rows, mix)
    base_ms = 0.2 + 0.01 * rows * length
    mixed = mixed if several > 1 else one_task
    in_turn, merged, merged_in_turn = one_task + alone * (several - 1), 1.0, 1.6 + 1.1 * (several - 1)
    values = {
        "batch_size": rows,
        "sequence_length": length,
        "tasks": tasks,
        "distinct_tasks": several,
        "rounds": 40,
        "widest": 2.5 * HALF,
        "base_ms_p50": base_ms,
        "control": row(control, base_ms),
        "one_task": row(one_task, base_ms),
        "mixed": row(mixed, base_ms),
        "in_turn": row(in_turn, base_ms),
        "merged": row(merged, base_ms) if merges else None,
        "merged_in_turn": row(merged_in_turn, base_ms) if merges else None,
        "mixed_to_in_turn": paired(mixed / in_turn),
        "mixed_to_merged_in_turn": paired(mixed / merged_in_turn) if merges else None,
        "one_task_to_merged": paired(one_task / merged) if merges else None,
        "mixed_difference": 3e-7,
    }
    return ServedBatch(**values | changes)


def waited(ms: float) -> Waited:
    return Waited(ms_p50=ms, ms_p95=2.5 * ms, ms_p99=4 * ms)


LARGEST: dict[Way, float] = {"mixed": 900.0, "in turn": 300.0, "merged in turn": 90.0}
"""Rates of arrivals with which the limit is kept, of the arrivals below."""


def arrivals(
    ways: Sequence[Way] = ("mixed", "in turn", "merged in turn"), many: Sequence[int] = (10, 1_000, 10_000)
) -> ArrivalStudy:
    """At 200 requests a second: mixed waits little, merged switching does not keep up."""
    return ArrivalStudy(
        sequence_length=16,
        zipf_exponent=1.0,
        largest_batch=8,
        limit_ms=100.0,
        memory_limit_bytes=1_000 * (TENSOR_BYTES + 56),
        requests=20_000,
        seed=0,
        simulated=tuple(
            Arrivals(
                way=way,
                tasks=tasks,
                in_memory=min(tasks, 1_000),
                rate_per_second=200.0,
                waited=None if LARGEST[way] < 200 else waited(4_000 / LARGEST[way]),
                largest_rate_per_second=LARGEST[way],
            )
            for way in ways
            for tasks in many
        ),
        rehearsed=tuple(
            Rehearsed(
                way=way,
                tasks=10,
                rate_per_second=50.0,
                requests=2_000,
                simulated=waited(3.0),
                measured=waited(3.3),
                service_ratio=1.05,
                simulated_as_fast=waited(3.2),
            )
            for way in ways
        ),
    )


def build_serving(
    method: str = "lora",
    *,
    mix: Mix = "uniform",
    merges: bool = True,
    rows: Sequence[int] = (1, 8),
    lengths: Sequence[int] = (16, 64),
    tasks: Sequence[int] = (1, 4, 16),
    arriving: bool = True,
    joules: dict[Way, float] | None = None,
    cell: dict[str, Any] | None = None,
    **changes: Any,
) -> ServingRecord:
    """A valid record.

    Args:
        method: its name, and its label.
        mix: how rows draw their tasks.
        merges: whether the method can be merged.
        rows: of batches.
        lengths: of rows.
        tasks: numbers of them.
        arriving: whether arrivals were simulated; those need rows up to 8 and length 16.
        joules: of 1,000 requests by way; None where it was not measured.
        cell: what :func:`batch` is given for every batch, such as ``mixed`` and ``control``.
        changes: fields of the record.
    """
    ways: tuple[Way, ...] = ("mixed", "in turn", "merged in turn") if merges else ("mixed", "in turn")
    values = {
        "study": "",
        "model": "embedded",
        "architecture": "bert",
        "weights": "sha256:" + "5d" * 32,
        "base_parameters": BASE_PARAMETERS,
        "base_memory_bytes": 4 * BASE_PARAMETERS + 4096,
        "dtype": "float32",
        "label": method,
        "method": method,
        "options": {"rank": 8},
        "phase": "forward",
        "mix": mix,
        "task_parameters": TENSOR_BYTES // 4,
        "task_tensor_bytes": TENSOR_BYTES,
        "task_disk_bytes": TENSOR_BYTES + 2_000,
        "merged_kept_bytes": 7_077_888 if merges else None,
        "merged_switch": took(3.1) if merges else None,
        "merged_switch_from_disk": took(4.4) if merges else None,
        "stored": tuple(stored(number) for number in tasks),
        "batches": tuple(
            batch(number, length, many, mix=mix, merges=merges, **cell or {})
            for length in lengths
            for number in rows
            for many in tasks
        ),
        "arrivals": arrivals(ways) if arriving else None,
        "energy": Energy(source="rapl", joules_per_1000_requests=joules) if joules else None,
        "width_asked": 0.02,
        "seconds_limit": 30.0,
        "seed": 0,
        "environment": ENVIRONMENT,
        "started_at": "2026-11-29T12:00:00+00:00",
    }
    return ServingRecord(**values | changes)


def build_servings(**changes: Any) -> list[ServingRecord]:
    """Three methods: one that merges, one that is cheap to mix, one that is dear."""
    return [
        build_serving("lora", **changes),
        build_serving("ia3", cell={"mixed": 1.02, "one_task": 1.01}, **changes),
        build_serving("houlsby", merges=False, cell={"mixed": 1.4, "one_task": 1.2}, **changes),
    ]

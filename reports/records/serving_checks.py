"""What the numbers of a record of serving many tasks must be to each other. Each fault is one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.records.bounds import step
from reports.records.cost_parts import LatencyRow
from reports.records.serving_schema import (
    Arrivals,
    ArrivalStudy,
    Paired,
    ServedBatch,
    ServingRecord,
    Took,
    Waited,
)
from reports.records.timings import LEAST_RATIO, RELATIVE, row_faults

APART: Final = 3.0
"""By how much a median of ratios and the ratio of the medians may differ: a busy machine's times jump, and
not by more."""
EDGE: Final = 0.1
"""How close to the largest rate of arrivals an answer may come out on the other side: it is searched for."""
LEAST_MS: Final = 1e-6
"""A nanosecond, within which nothing is done."""
LEAST_BYTES: Final = 0.5
"""Of a parameter: four bits."""
_MERGED: Final = ("merged", "merged_in_turn", "mixed_to_merged_in_turn", "one_task_to_merged")
_MERGED_OF_ALL: Final = ("merged_kept_bytes", "merged_switch", "merged_switch_from_disk")
_PAIRS: Final = {
    "mixed_to_in_turn": ("mixed", "in_turn"),
    "mixed_to_merged_in_turn": ("mixed", "merged_in_turn"),
    "one_task_to_merged": ("one_task", "merged"),
}


def serving_faults(record: ServingRecord) -> Iterator[str]:
    """What contradicts itself, or cannot have been measured; nothing for a record that can be shown."""
    yield from _size_faults(record)
    yield from _merged_faults(record)
    yield from _stored_faults(record)
    yield from _batch_faults(record)
    if record.arrivals:
        yield from _arrival_faults(record, record.arrivals)
    if record.energy:
        yield from _energy_faults(record)


def merges(record: ServingRecord) -> bool:
    """Whether the method was also measured merged."""
    return record.merged_switch is not None


def _size_faults(record: ServingRecord) -> Iterator[str]:
    """Parameters take room, and tasks as well as batches are there."""
    for numbers, parameters in (
        ("base_memory_bytes", "base_parameters"),
        ("task_tensor_bytes", "task_parameters"),
    ):
        size, count = getattr(record, numbers), getattr(record, parameters)
        if size < LEAST_BYTES * count:
            yield f"$.{numbers} is {size}, and the {count} of $.{parameters} take more in any type"
    for name in ("stored", "batches"):
        if not getattr(record, name):
            yield f"$.{name} is empty, and without it nothing was measured"


def _merged_faults(record: ServingRecord) -> Iterator[str]:
    """What is merged is there everywhere, or nowhere."""
    whole = merges(record)
    named = [(f"$.{name}", getattr(record, name)) for name in _MERGED_OF_ALL]
    named += [
        (f"$.batches[{index}].{name}", getattr(batch, name))
        for index, batch in enumerate(record.batches)
        for name in _MERGED
    ]
    for path, value in named:
        if (value is not None) != whole:
            there, other = ("is null", "is there") if whole else ("is there", "is null")
            yield f"{path} {there}, but $.merged_switch {other}: a method merges or does not"
    for name in ("merged_switch", "merged_switch_from_disk"):
        if (took := getattr(record, name)) is not None:
            yield from _took_faults(f"$.{name}", took)


def _stored_faults(record: ServingRecord) -> Iterator[str]:
    last = 0
    for index, one in enumerate(record.stored):
        path = f"$.stored[{index}]"
        if one.tasks <= last:
            yield f"{path}.tasks is {one.tasks} after {last}, expected rising numbers of tasks"
        last = one.tasks
        if one.memory_bytes < one.tasks * record.task_tensor_bytes:
            yield (
                f"{path}.memory_bytes is {one.memory_bytes}, but the tensors of {one.tasks} tasks take "
                f"{one.tasks * record.task_tensor_bytes}"
            )
        for name in ("add", "add_from_disk", "switch", "evict"):
            yield from _took_faults(f"{path}.{name}", getattr(one, name))


def _took_faults(path: str, took: Took) -> Iterator[str]:
    if not took.ms_low <= took.ms_p50 <= took.ms_high:
        yield (f"{path}.ms_p50 is {took.ms_p50:g}, outside its interval {took.ms_low:g} to {took.ms_high:g}")
    if took.ms_low < LEAST_MS:
        yield f"{path}.ms_low is {took.ms_low:g}, and no task comes or goes within a nanosecond"


def _batch_faults(record: ServingRecord) -> Iterator[str]:
    held = {one.tasks for one in record.stored}
    seen: dict[tuple[int, int, int], int] = {}
    for index, batch in enumerate(record.batches):
        path = f"$.batches[{index}]"
        key = batch.sequence_length, batch.batch_size, batch.tasks
        if key in seen:
            yield f"{path} repeats the size and the tasks of $.batches[{seen[key]}]"
        seen.setdefault(key, index)
        if batch.tasks not in held:
            yield f"{path}.tasks is {batch.tasks}, which $.stored lacks"
        most = 1 if record.mix == "one" else min(batch.tasks, batch.batch_size)
        if batch.distinct_tasks > most:
            yield (
                f"{path}.distinct_tasks is {batch.distinct_tasks:g}, but {batch.batch_size} rows of "
                f"{batch.tasks} tasks, mix {record.mix}, have {most} at most"
            )
        yield from _time_faults(path, batch)


def _time_faults(path: str, batch: ServedBatch) -> Iterator[str]:
    """The times of one batch: each by itself, and ratios beside the medians that they are of."""
    base = batch.base_ms_p50
    if base < LEAST_MS:
        yield f"{path}.base_ms_p50 is {base:g}, and no model answers within a nanosecond"
    for name in ("control", "one_task", "mixed", "in_turn", "merged", "merged_in_turn"):
        row: LatencyRow | None = getattr(batch, name)
        if row is None:
            continue
        yield from row_faults(f"{path}.{name}", row)
        if not _near(row.latency_ms_p50, base * row.ratio):
            yield (
                f"{path}.{name}.ratio is {row.ratio:g}, but its median over the base's is "
                f"{row.latency_ms_p50 / base:g}"
            )
        width = (row.ratio_high - row.ratio_low) / row.ratio
        if width * (1 - RELATIVE) > batch.widest:
            yield f"{path}.widest is {batch.widest:g}, but the interval of {name} is {width:g} wide"
    for name, (above, below) in _PAIRS.items():
        pair: Paired | None = getattr(batch, name)
        one, other = getattr(batch, above), getattr(batch, below)
        if pair and one and other:
            yield from _pair_faults(f"{path}.{name}", pair)
            if not _near(pair.ratio * other.ratio, one.ratio):
                yield (
                    f"{path}.{name}.ratio is {pair.ratio:g}, but the ratios of the two to the base give "
                    f"{one.ratio / other.ratio:g}"
                )


def _pair_faults(path: str, pair: Paired) -> Iterator[str]:
    if not pair.ratio_low <= pair.ratio <= pair.ratio_high:
        ends = f"{pair.ratio_low:g} to {pair.ratio_high:g}"
        yield f"{path}.ratio is {pair.ratio:g}, outside its interval {ends}"
    if not (pair.ratio_low >= LEAST_RATIO and pair.ratio_high <= 1 / LEAST_RATIO):
        yield f"{path} has a ratio that no two ways of serving differ by"


def _near(one: float, other: float) -> bool:
    """Whether two numbers that should be alike are, as medians may be."""
    return other / APART <= one <= other * APART


def _arrival_faults(record: ServingRecord, study: ArrivalStudy) -> Iterator[str]:
    path = "$.arrivals"
    rows = [one.batch_size for one in record.batches if one.sequence_length == study.sequence_length]
    if not rows:
        yield f"{path}.sequence_length is {study.sequence_length}, and no batch of that length was timed"
    elif study.largest_batch > max(rows):
        yield f"{path}.largest_batch is {study.largest_batch}, and the largest that was timed is {max(rows)}"
    seen: set[tuple[str, int, float]] = set()
    for index, one in enumerate(study.simulated):
        here = f"{path}.simulated[{index}]"
        key = one.way, one.tasks, one.rate_per_second
        if key in seen:
            yield f"{here} repeats the way, tasks and rate of another"
        seen.add(key)
        if one.way == "merged in turn" and not merges(record):
            yield f"{here}.way is {one.way}, but the method does not merge"
        yield from _simulated_faults(here, one, record, study)
    for index, rehearsed in enumerate(study.rehearsed):
        here = f"{path}.rehearsed[{index}]"
        if rehearsed.way == "merged in turn" and not merges(record):
            yield f"{here}.way is {rehearsed.way}, but the method does not merge"
        for name in ("simulated", "measured", "simulated_as_fast"):
            if (told := getattr(rehearsed, name)) is not None:
                yield from _waited_faults(f"{here}.{name}", told)
        if (rehearsed.service_ratio is None) != (rehearsed.simulated_as_fast is None):
            yield f"{here} has one of service_ratio and simulated_as_fast, expected both or none"


def _simulated_faults(here: str, one: Arrivals, record: ServingRecord, study: ArrivalStudy) -> Iterator[str]:
    """What is held fits into memory; the limit is kept up to the largest rate and no further."""
    if one.in_memory > one.tasks:
        yield f"{here}.in_memory is {one.in_memory} of {one.tasks} tasks"
    if one.in_memory > 1 and one.in_memory * record.task_tensor_bytes > study.memory_limit_bytes:
        yield (
            f"{here}.in_memory is {one.in_memory}, but their tensors take "
            f"{one.in_memory * record.task_tensor_bytes} bytes of at most {study.memory_limit_bytes}"
        )
    kept = one.waited is not None and one.waited.ms_p99 <= study.limit_ms
    most = one.largest_rate_per_second
    if kept and one.rate_per_second > most * (1 + EDGE):
        yield (
            f"{here}.waited keeps the limit at {one.rate_per_second:g} a second, but "
            f"largest_rate_per_second is {most:g}"
        )
    if not kept and one.rate_per_second < most * (1 - EDGE):
        yield (
            f"{here}.waited misses the limit at {one.rate_per_second:g} a second, but "
            f"largest_rate_per_second is {most:g}"
        )
    if one.waited:
        yield from _waited_faults(f"{here}.waited", one.waited)


def _waited_faults(path: str, waited: Waited) -> Iterator[str]:
    if not waited.ms_p50 <= waited.ms_p95 <= waited.ms_p99:
        yield (
            f"{path} has percentiles that fall: {waited.ms_p50:g}, {waited.ms_p95:g} and {waited.ms_p99:g} ms"
        )


def _energy_faults(record: ServingRecord) -> Iterator[str]:
    joules = record.energy.joules_per_1000_requests if record.energy else {}
    path = "$.energy.joules_per_1000_requests"
    if not joules:
        yield f"{path} is empty: what was not measured is null"
    for way, value in joules.items():
        if not value > 0:
            yield f"{step(path, way)} is {value:g}, and no request is answered without energy"
        if way == "merged in turn" and not merges(record):
            yield f"{step(path, way)} is there, but the method does not merge"

"""Running a study of latency: the least work first, each comparison written the moment it is done.

An input that would no longer fit into the study's time, or into the device's memory, is left out, and that is
said. Started again, a study does what has no file yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from reports.records.latency_files import read_latencies, write_latency
from reports.records.latency_schema import LatencyRecord
from runners import device
from runners.measure.comparison import Cell, Comparison
from runners.plan.latency_study import LatencyStudy

LEAST_CALLS = 3
"""Rounds without which there is no comparison: one to warm up, two to time."""


def run(
    study: LatencyStudy,
    folder: Path,
    *,
    say: Callable[[str], None],
    watch: Callable[[Cell, int, float], None] = lambda cell, rounds, widest: None,
) -> list[LatencyRecord]:
    """Measure the cells that have no file yet; return the records of all that could be measured.

    Args:
        study: what to measure.
        folder: where the records are.
        say: is told in a sentence what was left out and why.
        watch: is told of progress.
    """
    started = time.monotonic()
    comparison = Comparison(study.model, study.choices, dtype=getattr(torch, study.dtype), seed=study.seed)
    grids = [comparison.cells([batch], [length], decode) for batch, length, decode in study.cells]
    cells = list(dict.fromkeys(cell for grid in grids for cell in grid))
    records: list[LatencyRecord] = []
    per_position = 0.0  # seconds of one round, from the largest input so far
    for cell in cells:
        done = [r for r in read_latencies(folder) if comparison.is_of(r, cell)] if folder.is_dir() else []
        if done:
            records.append(done[0])
            per_position = _seconds_per_position(done[0]) or per_position
            continue
        left = study.total_seconds - (time.monotonic() - started)
        needed = LEAST_CALLS * per_position * cell.batch_size * cell.positions
        if records and needed > left:
            say(f"Left out: {cell}: it needs about {needed:.0f} s, the study has {max(left, 0):.0f} s left.")
            continue
        try:
            record = comparison.measure(
                cell,
                width=study.width,
                seconds=min(study.seconds, max(left, 1.0)),
                study=study.name,
                watch=lambda rounds, widest, cell=cell: watch(cell, rounds, widest),  # type: ignore[misc]
            )
        except Exception as error:
            if not device.is_out_of_memory(error):
                raise
            device.free(comparison.device)
            say(f"Left out: {cell}: the device ran out of memory.")
            continue
        write_latency(record, folder)
        records.append(record)
        per_position = _seconds_per_position(record) or per_position
    return records


def _seconds_per_position(record: LatencyRecord) -> float | None:
    """Seconds of one round over the positions of the input; None for decoding, which scales otherwise."""
    if record.decode_tokens is not None:
        return None
    round_seconds = sum(entry.latency_ms_p50 for entry in record.entries) / 1000
    return round_seconds / (record.batch_size * record.sequence_length)

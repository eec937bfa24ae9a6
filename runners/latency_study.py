"""A study of latency: one model, some methods, a list of inputs, from a short YAML file.

    kind: latency
    model: gpt2-medium
    methods:
      - lora: {rank: 4}
      - lin: {bottleneck: 9}
    cells:
      - {batch: 1, length: 128}
      - {batch: 1, length: 128, decode: 16}

Small inputs come first. One that would no longer fit into the study's time, or into the device's memory, is
left out, and that is said. Each comparison is written the moment it is done; started again, a study does what
has no file yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import methods
from methods.errors import explain
from reports.latency import read_latencies, write_latency
from reports.schema import LatencyRecord
from runners import device
from runners.comparison import Cell, Choice, Comparison
from runners.contenders import label
from runners.spec import SpecError
from runners.study import entry

LEAST_CALLS = 3
"""Rounds without which there is no comparison: one to warm up, two to time."""

Dtype = Literal["float32", "bfloat16", "float16"]


class _CellEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    batch: int = Field(ge=1)
    length: int = Field(ge=1)
    decode: int | None = Field(None, ge=1)


class _File(BaseModel):
    """The keys of a latency study."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["latency"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str = ""
    description: str = ""
    model: str = "embedded"
    dtype: Dtype = "float32"
    methods: list[Any] = Field(min_length=1)
    cells: list[_CellEntry] = Field(min_length=1)
    width: float = Field(0.01, gt=0, lt=1, description="largest width of an interval")
    seconds: float = Field(120.0, gt=0, description="time limit of one cell")
    total_seconds: float = Field(1200.0, gt=0, description="time limit of the study")
    seed: int = Field(0, ge=0, lt=2**32)
    claim: dict[str, Any] | None = None  # what `paretune claims` decides; it moves no measurement


@dataclass(frozen=True)
class LatencyStudy:
    """A named list of comparisons."""

    name: str
    title: str
    description: str
    model: str
    dtype: Dtype
    choices: tuple[Choice, ...]
    cells: tuple[tuple[int, int, int | None], ...]
    """(batch size, length, decoded tokens), the least work first."""
    width: float
    seconds: float
    total_seconds: float
    seed: int


def parse(content: Mapping[str, Any]) -> LatencyStudy:
    """Check the content of a study file.

    Raises:
        SpecError: an unknown key or a bad value; one sentence.
        MethodError: an unknown method or option.
    """
    try:
        file = _File.model_validate(dict(content))
    except ValidationError as error:
        raise SpecError(explain(error, "the study", _File.model_fields)) from None
    choices = []
    for item in file.methods:
        named = entry(item, "method")
        if named.protocol or named.grid:
            raise SpecError(
                f"the method {named.name} has a protocol or a grid, and a study of latency trains nothing."
            )
        methods.get(named.name).options.parse(named.name, named.options)
        choices.append(Choice(label(named.name, named.options), named.name, named.options))
    cells = sorted(file.cells, key=lambda cell: (cell.batch * cell.length, cell.decode or 0))
    return LatencyStudy(
        name=file.name,
        title=file.title or file.name,
        description=file.description,
        model=file.model,
        dtype=file.dtype,
        choices=tuple(choices),
        cells=tuple((cell.batch, cell.length, cell.decode) for cell in cells),
        width=file.width,
        seconds=file.seconds,
        total_seconds=file.total_seconds,
        seed=file.seed,
    )


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

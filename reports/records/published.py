"""What papers print, carried as data. Shown apart from what was measured here, and never ranked with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict

from reports.records.latency_schema import LatencyEntry, LatencyRecord
from reports.records.schema import TaskInfo

FOLDER = Path(__file__).parents[1] / "published"


class _Printed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    model: str
    method: str
    """Our name of it; empty where we have no such method."""


class PublishedScore(_Printed):
    """A row of ``published/scores.csv``."""

    printed: str
    """What the paper calls the method."""
    parameters: int
    task: str
    metric: str
    score: float
    plus_minus: Annotated[float | None, BeforeValidator(lambda cell: None if cell == "" else cell)]
    """What the paper prints behind ±; None where it prints none, or where that is not carried over."""


class PublishedLine(NamedTuple):
    """What a source prints for one model and method, by metric."""

    model: str
    printed: str
    parameters: int
    scores: dict[str, PublishedScore]


class PublishedTable(NamedTuple):
    """What one source prints for a task, with its metrics and lines in their order."""

    source: str
    metrics: tuple[str, ...]
    lines: tuple[PublishedLine, ...]


class PublishedCount(_Printed):
    """A row of ``published/counts.csv``."""

    option: str
    value: int
    parameters: int
    """The closed form's."""
    printed: str
    """As the paper rounds it."""


class PublishedDimension(_Printed):
    """A d90: a row of ``published/intrinsic.csv``."""

    task: str
    dimension: int


class _Floor(BaseModel):
    """A row of ``published/floors.csv``, which is of data and of no paper."""

    task: str
    data_sha256: str
    examples: int
    metric: str
    floor: float


class PublishedLatency(_Printed):
    """A row of ``published/latency.csv``."""

    device: str
    merged: bool
    batch_size: int
    sequence_length: int
    parameters: int
    latency_ms: float
    latency_ms_sd: float
    overhead_percent: float


def scores_on(task: str) -> list[PublishedScore]:
    """What papers print for a task, in their order."""
    return [row for row in _scores() if row.task == task]


def tables_on(task: str) -> list[PublishedTable]:
    """The same as a table for each source, with a line for each model and method."""
    tables: dict[str, dict[tuple[str, str, int], dict[str, PublishedScore]]] = {}
    for row in scores_on(task):
        lines = tables.setdefault(row.source, {})
        lines.setdefault((row.model, row.printed, row.parameters), {})[row.metric] = row
    return [
        PublishedTable(
            source,
            tuple(dict.fromkeys(metric for scores in lines.values() for metric in scores)),
            tuple(PublishedLine(*which, scores) for which, scores in lines.items()),
        )
        for source, lines in tables.items()
    ]


def counts_of(method: str) -> list[PublishedCount]:
    """What papers print for the size of a method."""
    return [row for row in _counts() if row.method == method]


def dimensions_on(task: str) -> list[PublishedDimension]:
    """The d90 that papers print for a task, on whatever model."""
    return [row for row in _dimensions() if row.task == task]


def floor_of(info: TaskInfo, metric: str) -> float | None:
    """What the best constant answer scores on a reported split, for data of which it was found out."""
    return _floors().get((info.data_sha256, info.sizes.report, metric))


def latency_of(record: LatencyRecord, entry: LatencyEntry) -> PublishedLatency | None:
    """What a paper prints for this model, method, input and size; sizes count as equal within a tenth."""
    ours = (record.model, record.batch_size, record.sequence_length, entry.method, entry.merged)
    for row in latencies():
        theirs = (row.model, row.batch_size, row.sequence_length, row.method, row.merged)
        # Merged, a method costs nothing at any size; the paper gives it the size of its neighbours.
        if theirs == ours and (entry.merged or abs(row.parameters - entry.parameters) <= row.parameters / 10):
            return row
    return None


@cache
def latencies() -> tuple[PublishedLatency, ...]:
    """Every latency that the project carries."""
    return tuple(PublishedLatency.model_validate(row) for row in _rows("latency.csv"))


@cache
def _scores() -> tuple[PublishedScore, ...]:
    return tuple(PublishedScore.model_validate(row) for row in _rows("scores.csv"))


@cache
def _counts() -> tuple[PublishedCount, ...]:
    return tuple(PublishedCount.model_validate(row) for row in _rows("counts.csv"))


@cache
def _dimensions() -> tuple[PublishedDimension, ...]:
    return tuple(PublishedDimension.model_validate(row) for row in _rows("intrinsic.csv"))


@cache
def _floors() -> dict[tuple[str | None, int | None, str], float]:
    rows = [_Floor.model_validate(row) for row in _rows("floors.csv")]
    return {(row.data_sha256, row.examples, row.metric): row.floor for row in rows}


def _rows(name: str) -> list[dict[str, object]]:
    import pandas as pd

    rows = pd.read_csv(FOLDER / name, comment="#", keep_default_na=False).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]

"""What papers print, carried as data. Shown apart from what was measured here, and never ranked with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

FOLDER = Path(__file__).parent / "published"


class _Reference(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    model: str
    method: str
    """Our name of it; empty where we have no such method."""


class PublishedScore(_Reference):
    """A row of ``published/scores.csv``."""

    printed: str
    """What the paper calls the method."""
    parameters: int
    task: str
    metric: str
    score: float


class PublishedCount(_Reference):
    """A row of ``published/counts.csv``."""

    option: str
    value: int
    parameters: int
    """The closed form's."""
    printed: str
    """As the paper rounds it."""


def scores_on(task: str) -> list[PublishedScore]:
    """What papers print for a task, in their order."""
    return [row for row in _scores() if row.task == task]


def counts_of(method: str) -> list[PublishedCount]:
    """What papers print for the size of a method."""
    return [row for row in _counts() if row.method == method]


@cache
def _scores() -> tuple[PublishedScore, ...]:
    return tuple(PublishedScore.model_validate(row) for row in _rows("scores.csv"))


@cache
def _counts() -> tuple[PublishedCount, ...]:
    return tuple(PublishedCount.model_validate(row) for row in _rows("counts.csv"))


def _rows(name: str) -> list[dict[str, object]]:
    rows = pd.read_csv(FOLDER / name, comment="#", keep_default_na=False).to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]

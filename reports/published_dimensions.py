"""Intrinsic dimensions that papers print, to stand beside ours."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

PUBLISHED = Path(__file__).parent / "published" / "intrinsic.csv"


class Published(BaseModel):
    """A d90 that a paper prints: a row of ``published/intrinsic.csv``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    model: str
    task: str
    method: str
    dimension: int


def published(task: str) -> list[Published]:
    """What papers print for a task, on whatever model."""
    return [row for row in _published() if row.task == task]


@cache
def _published() -> tuple[Published, ...]:
    rows = pd.read_csv(PUBLISHED, comment="#").to_dict("records")
    return tuple(Published.model_validate(row) for row in rows)

"""What a study file says of the study itself: the question that it answers, and how many hours it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Hours(BaseModel):
    """How long a whole study takes, one trial after another; see ``tests/study_hours.py``, which finds it."""

    model_config = ConfigDict(extra="forbid")

    value: float = Field(gt=0)
    how: Literal["measured", "estimated", "planned"] = Field(
        description="measured: wall seconds of its published records; estimated: from the seconds for a row "
        "of other studies' records; planned: told by `paretune plan`, where no record has such a row"
    )


class About(BaseModel):
    """The keys that every kind of study file may have and no trial depends on."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    description: str = ""
    question: str = Field("", description="what it answers, in one sentence; none = its title")
    hours: Hours | None = None


def question(content: Mapping[str, Any]) -> str:
    """What a study answers, by the content of its file."""
    return str(content.get("question") or content.get("title") or content["name"])

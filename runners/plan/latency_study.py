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
left out (:mod:`runners.work.latency_study`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import methods
from reports import text
from runners.plan.about import About
from runners.plan.contenders import Choice, label
from runners.plan.errors import SpecError
from runners.plan.keys import explain_study
from runners.plan.study import entry

Dtype = Literal["float32", "bfloat16", "float16"]


class _CellEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    batch: int = Field(ge=1)
    length: int = Field(ge=1)
    decode: int | None = Field(None, ge=1)


class _File(About):
    """The keys of a latency study."""

    kind: Literal["latency"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
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

    @property
    def most_seconds(self) -> float:
        """How long it takes at the most, without the time to read the model."""
        return min(self.total_seconds, self.seconds * len(self.cells))

    @property
    def size(self) -> str:
        """`3 comparisons of 4 methods`."""
        compared = text.plural(len(self.cells), "comparison")
        return f"{compared} of {text.plural(len(self.choices), 'method')}"


def parse_latency_study(content: Mapping[str, Any]) -> LatencyStudy:
    """Check the content of a study file.

    Raises:
        SpecError: an unknown key or a bad value; one sentence.
        MethodError: an unknown method or option.
    """
    try:
        file = _File.model_validate(dict(content))
    except ValidationError as error:
        raise SpecError(explain_study(error, _File)) from None
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

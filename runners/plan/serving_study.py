"""Many tasks from one base: what is measured of it, and a study of it from a short YAML file.

kind: serving
model: embedded
methods:
  - lora: {rank: 8}
  - houlsby
tasks: [1, 16, 256]
batch: [1, 8, 32]
length: [16]
arrivals: {limit_ms: 1000}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import methods
from reports import text
from reports.records.serving_schema import Mix
from runners.plan.about import About
from runners.plan.contenders import Choice, label
from runners.plan.errors import SpecError
from runners.plan.keys import explain_study
from runners.plan.latency_study import Dtype
from runners.plan.study import entry


@dataclass(frozen=True)
class Asked:
    """The grid, and how precisely it is measured.

    Args:
        tasks: numbers of tasks, rising.
        batches: numbers of rows, rising.
        lengths: of rows in tokens, rising.
        mix: how rows draw their tasks.
        width: largest width of an interval of a ratio, as a share of it.
        seconds: time limit of each batch size, length and number of tasks.
        seed: of everything that is drawn.
    """

    tasks: Sequence[int]
    batches: Sequence[int]
    lengths: Sequence[int]
    mix: Mix = "uniform"
    width: float = 0.02
    seconds: float = 30.0
    seed: int = 0

    @property
    def most_seconds(self) -> float:
        """How long the batches of one method take at the most."""
        return self.seconds * len(self.tasks) * len(self.batches) * len(self.lengths)


@dataclass(frozen=True)
class AskedArrivals:
    """What is simulated of requests that arrive one by one.

    Args:
        rate: requests a second; None for about half of what the base serves one by one.
        limit_ms: within which 99 of 100 have to be answered.
        further: numbers of tasks beside those that are measured.
        exponent: of Zipf's law.
        memory_bytes: that tasks may fill; None for what is free.
        requests: of one simulation.
        seconds: of one rehearsal; 0 for none.
    """

    rate: float | None = None
    limit_ms: float = 1000.0
    further: tuple[int, ...] = (1000, 10_000)
    exponent: float = 1.0
    memory_bytes: int | None = None
    requests: int = 20_000
    seconds: float = 10.0


class _Arrivals(BaseModel):
    """The keys of `arrivals`, which mean what :class:`AskedArrivals` says."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    rate: float | None = Field(None, gt=0)
    limit_ms: float = Field(1000.0, gt=0)
    tasks: list[int] = Field([1000, 10_000])
    zipf: float = Field(1.0, ge=0)
    requests: int = Field(20_000, ge=100)
    seconds: float = Field(10.0, ge=0)


class _File(About):
    """The keys of a study of serving."""

    kind: Literal["serving"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    model: str = "embedded"
    dtype: Dtype = "float32"
    methods: list[Any] = Field(min_length=1)
    tasks: list[int] = Field(min_length=1)
    batch: list[int] = Field(min_length=1)
    length: list[int] = Field(min_length=1)
    mix: Mix = "uniform"
    width: float = Field(0.02, gt=0, lt=1, description="largest width of an interval")
    seconds: float = Field(30.0, gt=0, description="time limit of one batch size with one number of tasks")
    arrivals: _Arrivals | None = None
    seed: int = Field(0, ge=0, lt=2**32)
    claim: dict[str, Any] | None = None  # what `paretune claims` decides; it moves no measurement


@dataclass(frozen=True)
class ServingStudy:
    """Methods whose tasks are served from one base, under one grid."""

    name: str
    title: str
    description: str
    model: str
    dtype: Dtype
    choices: tuple[Choice, ...]
    asked: Asked
    arrivals: AskedArrivals | None

    @property
    def most_seconds(self) -> float:
        """About how long it takes at the most, without simulated arrivals and the time to read the model."""
        rehearsed = 3 * self.arrivals.seconds if self.arrivals else 0.0
        return len(self.choices) * (self.asked.most_seconds + rehearsed)

    @property
    def size(self) -> str:
        """`3 methods, up to 256 tasks`."""
        served = text.plural(max(self.asked.tasks), "task")
        return f"{text.plural(len(self.choices), 'method')}, up to {served}"


def parse_serving_study(content: Mapping[str, Any]) -> ServingStudy:
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
                f"the method {named.name} has a protocol or a grid, and a study of serving trains nothing."
            )
        methods.get(named.name).options.parse(named.name, named.options)
        choices.append(Choice(label(named.name, named.options), named.name, named.options))
    asked = Asked(
        counts(file.tasks, "tasks"),
        counts(file.batch, "batch"),
        counts(file.length, "length"),
        mix=file.mix,
        width=file.width,
        seconds=file.seconds,
        seed=file.seed,
    )
    arrivals = None
    if (given := file.arrivals) is not None:
        arrivals = AskedArrivals(
            rate=given.rate,
            limit_ms=given.limit_ms,
            further=counts(given.tasks, "arrivals.tasks") if given.tasks else (),
            exponent=given.zipf,
            requests=given.requests,
            seconds=given.seconds,
        )
    return ServingStudy(
        name=file.name,
        title=file.title or file.name,
        description=file.description,
        model=file.model,
        dtype=file.dtype,
        choices=tuple(choices),
        asked=asked,
        arrivals=arrivals,
    )


def counts(given: Sequence[int], what: str) -> tuple[int, ...]:
    """Numbers of things, rising, each once.

    Args:
        given: as they were typed.
        what: they are of, for a message.

    Raises:
        SpecError: there is none, or one is below 1.
    """
    if not given or min(given) < 1:
        raise SpecError(f"received {what} {list(given)}, expected whole numbers of at least 1, such as 1,16.")
    return tuple(sorted(set(given)))

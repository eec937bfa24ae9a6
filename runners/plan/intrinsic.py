"""A search for the intrinsic dimension of tasks: full fine-tuning first, then a bisection over d.

    kind: intrinsic
    name: intrinsic-of-two  # a page tells by the name's beginning what is not to be ranked with other studies
    model: embedded
    tasks: [rotten_tomatoes, mrpc]
    method: said
    reference: full
    dimensions: [16, 64, 256, 1024, 4096]
    learning_rates: [0.1, 0.3, 1.0]
    seeds: [0, 1, 2]

Every d and seed is an ordinary trial with a record of its own, so a search goes on where it was stopped.
Two thresholds are searched for, 90 % of full fine-tuning's score and 90 % of its gain over the majority
class; a d that one of them tried is there for the other. Bisection takes the score to rise with d: noise
near a threshold can move the result by a step of the grid, and the curve shows it.

The rate that suits depends on d. Where ``learning_rates`` are given, each d tries them all with the first
seed, and the other seeds run with the one that is best on the selection split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

import methods
from reports import text
from reports.records.identity import INTRINSIC
from reports.stats.intrinsic import DIMENSION, RATE
from runners.plan import own_tasks
from runners.plan.about import About
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.keys import explain_study
from runners.plan.levels import overlaid
from runners.plan.spec import TrialSpec
from runners.plan.study import Entry, Study, entry


class _File(About):
    """The keys of a study of intrinsic dimension."""

    kind: Literal["intrinsic"]
    name: str = Field(pattern=rf"^{INTRINSIC}[A-Za-z0-9._-]*$")
    model: str = "embedded"
    tasks: list[Any] = Field(min_length=1)
    method: Any = Field(description="what trains in a subspace; it has an option `dimension`")
    reference: Any = Field(description="full fine-tuning")
    dimensions: list[int] = Field(min_length=2)
    learning_rates: list[float] = Field(default=[], description="to choose from for every d; none = one rate")
    seeds: list[int] = Field(default=[0], min_length=1)
    data: str | None = None
    protocol: dict[str, Any] = Field(default_factory=dict)
    costs: Any = Field(default_factory=dict)

    @field_validator("dimensions")
    @classmethod
    def _rising(cls, value: list[int]) -> list[int]:
        if value != sorted(set(value)) or value[0] < 1:
            raise ValueError("dimensions must be whole numbers of at least 1 that rise")
        return value


@dataclass(frozen=True)
class Search:
    """The search on one task."""

    task: str
    dimensions: tuple[int, ...]
    references: tuple[TrialSpec, ...]
    """Full fine-tuning, seed by seed."""
    inside: Mapping[int, tuple[tuple[TrialSpec, ...], ...]]
    """The trials of every dimension: for each learning rate, seed by seed."""


@dataclass(frozen=True)
class IntrinsicStudy:
    """A named list of searches."""

    name: str
    title: str
    description: str
    searches: tuple[Search, ...]
    notes: tuple[str, ...] = ()
    """What there is to say of the user's own data, a sentence each."""

    @property
    def specs(self) -> tuple[TrialSpec, ...]:
        """Every trial that its searches may need."""
        inside = (specs for search in self.searches for rates in search.inside.values() for specs in rates)
        references = (search.references for search in self.searches)
        return tuple(spec for specs in (*references, *inside) for spec in specs)

    @property
    def size(self) -> str:
        """`up to 48 trials`."""
        return f"up to {text.plural(len(self.specs), 'trial')}"

    def step(self, specs: Iterable[TrialSpec]) -> Study:
        """Some of its trials, as a study that can be run."""
        return Study(self.name, self.title, self.description, tuple(specs))


def parse_intrinsic_study(content: Mapping[str, Any], data: str | None = None) -> IntrinsicStudy:
    """Check the content of a study file.

    Args:
        content: of the file.
        data: a data folder that replaces the study's own.

    Raises:
        SpecError: an unknown key or a bad value; one sentence.
        MethodError, TaskError: an unknown method, option or task.
    """
    try:
        file = _File.model_validate(dict(content))
    except ValidationError as error:
        raise SpecError(explain_study(error, _File)) from None
    method, whole = entry(file.method, "method"), entry(file.reference, "method")
    if DIMENSION not in methods.get(method.name).options.model_fields:
        valid = [n for n in methods.names() if DIMENSION in methods.get(n).options.model_fields]
        raise SpecError(
            f"{method.name} trains in no subspace whose dimension could be searched; "
            f"valid: {', '.join(valid)}."
        )
    if DIMENSION in method.options:
        raise SpecError(
            f"the method {method.name} states {DIMENSION}, which is what is searched: leave it out."
        )
    if file.learning_rates and method.protocol.get(RATE) is not None:
        raise SpecError(
            f"the method {method.name} states {RATE} beside learning_rates: expected one of them."
        )
    tasks = [entry(item, "task") for item in file.tasks]
    places, notes = own_tasks.places(tasks, data if data is not None else file.data)
    gridded = next((item.name for item in (method, whole, *tasks) if item.grid), None)
    if gridded:
        raise SpecError(
            f"{gridded} has a grid, and a study of intrinsic dimension searches dimensions alone."
        )

    def specs(
        task: Entry, which: Entry, options: Mapping[str, Any], rate: Mapping[str, float]
    ) -> tuple[TrialSpec, ...]:
        return tuple(
            TrialSpec(
                model=file.model,
                **places[task.name],
                method=which.name,
                options={**which.options, **options},
                seed=seed,
                protocol=overlaid(
                    ("the study's protocol", file.protocol),
                    (f"the task {task.name}", task.protocol),
                    (f"the method {which.name}", which.protocol),
                    ("learning_rates", rate),
                ),
                costs=CostSettings.parse(file.costs),
            )
            for seed in file.seeds
        )

    rates: list[dict[str, float]] = [{RATE: rate} for rate in dict.fromkeys(file.learning_rates)] or [{}]
    searches = [
        Search(
            task=task.name,
            dimensions=tuple(file.dimensions),
            references=specs(task, whole, {}, {}),
            inside={
                d: tuple(specs(task, method, {DIMENSION: d}, rate) for rate in rates) for d in file.dimensions
            },
        )
        for task in tasks
    ]
    return IntrinsicStudy(file.name, file.title or file.name, file.description, tuple(searches), notes)


def next_dimension(dimensions: tuple[int, ...], passed: Mapping[int, bool]) -> int | None:
    """Which dimension of a rising grid bisection tries next; None where the search has ended.

    Args:
        dimensions: the grid.
        passed: whether the threshold was reached, for those already tried.
    """
    largest = dimensions[-1]
    if largest not in passed:
        return largest
    if not passed[largest]:
        return None
    low, high = -1, min(index for index, d in enumerate(dimensions) if passed.get(d))
    for index in range(high):
        if dimensions[index] in passed:
            low = index
    return dimensions[(low + high) // 2] if high - low > 1 else None

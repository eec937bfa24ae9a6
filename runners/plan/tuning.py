"""Tuning as a study asks for it: the same budget for every method, before the trials that are reported.

    tuning:
      trials: 6                  # settings tried of every method, on every model and task
      seed: 1000                 # of those trials; the reported ones have other seeds
      seeds: 2                   # each setting is trained with so many, from that one on; none = 1
      steps_share: 0.5           # of the reported trials' steps, task by task; none = all of them
      protocol: {max_length: 64} # in what else their training differs, if in anything
      halving: true              # stop the worse half of the settings early, twice; false trains all whole
      finalists: 2               # of four so many are trained whole; none = 1
      tolerance: 0.01            # the lowest learning rate within so much of the best; none = the best
      grid:                      # methods whose settings the study lists; of the others they are suggested
        lora: {learning_rate: [0.001, 0.01], rank: [4, 8, 16]}  # every combination: as many as trials

What a study states of a method, its options or a learning rate, is not searched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import methods
from methods.core import LEARNING_RATE, Choice, Dimension
from methods.errors import explain, nearest
from reports.records import searches
from reports.records.schema import SearchStep
from runners.plan.errors import SpecError
from runners.plan.halving import BRACKET, PARTS, Bracket, brackets
from runners.plan.levels import overlaid
from runners.plan.spec import Protocol, TrialSpec
from tasks.spec import MetricSpec

WHERE = "tuning's protocol"
"""What a sentence calls it."""


class Budget(BaseModel):
    """What every method of a study may spend on its search, on each model and task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(ge=2, le=1000, description="settings tried; where suggested, the default among them")
    seed: int = Field(1000, ge=0, lt=2**32 - 100, description="of the first trial of each setting")
    seeds: int = Field(1, ge=1, le=100, description="with which each setting is trained: seed, seed + 1 ...")
    steps_share: float | None = Field(
        None, gt=0, le=1, description="of the reported trials' steps or epochs, for a trial of the search"
    )
    protocol: dict[str, Any] = Field(default_factory=dict)
    halving: bool = Field(True, description="stop the worse settings early; false = train all of them whole")
    finalists: int = Field(
        1, ge=1, lt=BRACKET, description="of four settings tried together, so many are trained whole"
    )
    tolerance: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="of the settings that score within so much of the best, take the lowest learning rate",
    )
    grid: dict[str, dict[str, list[Any]]] = Field(
        default_factory=dict,
        description="by method, the values of what is searched, in place of its own space",
    )

    @property
    def of_trials(self) -> tuple[int, ...]:
        """The seeds with which every setting is trained."""
        return tuple(range(self.seed, self.seed + self.seeds))

    def training(self, reported: Protocol) -> dict[str, Any]:
        """In what the training of a trial of the search differs from that of the reported ones."""
        if self.steps_share is None:
            return self.protocol
        if reported.steps is None:
            return {**self.protocol, "epochs": self.steps_share * reported.epochs}
        return {**self.protocol, "steps": max(1, round(self.steps_share * reported.steps))}

    @classmethod
    def parse(cls, values: Any, seeds: Sequence[int]) -> Self:
        """Read the ``tuning`` block of a study whose trials have these seeds.

        Raises:
            SpecError: an unknown key or a value that makes no sense; one sentence.
        """
        if not isinstance(values, Mapping):
            raise SpecError(f"tuning is {values!r}, expected a mapping such as {{trials: 6}}.")
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise SpecError(
                f"tuning has no option {unknown[0]!r}; {nearest(str(unknown[0]), cls.model_fields)}."
            )
        if "trials" not in values:
            raise SpecError("tuning: trials is missing, expected how many settings of a method are tried.")
        try:
            budget = cls.model_validate(dict(values))
        except ValidationError as error:
            raise SpecError(explain(error, "tuning", cls)) from None
        if taken := sorted(set(budget.of_trials) & set(seeds)):
            raise SpecError(
                f"tuning: seed={taken[0]} is one of the study's seeds, expected another: "
                "the best setting is trained with fresh seeds."
            )
        if LEARNING_RATE in budget.protocol:
            raise SpecError(f"tuning: the protocol states {LEARNING_RATE}, which is what is searched.")
        length = next((key for key in ("steps", "epochs") if key in budget.protocol), None)
        if length and budget.steps_share is not None:
            raise SpecError(f"tuning: steps_share and {length} both say how long, expected one of them.")
        if budget.finalists > 1 and not budget.halving:
            raise SpecError(
                f"tuning: finalists={budget.finalists} with halving=False, which trains all to the end: "
                "expected one of the two."
            )
        plan = brackets(budget.trials, max(PARTS), halving=budget.halving, finalists=budget.finalists)
        if budget.tolerance and sum(bracket.settings[-1] for bracket in plan) == 1:
            raise SpecError(
                f"tuning: tolerance={budget.tolerance:g} where only one of {budget.trials} settings is "
                "trained to the end, so that there is none to choose from: expected finalists: 2."
            )
        Protocol.parse(overlaid((WHERE, budget.protocol)))
        return budget


@dataclass(frozen=True)
class Search:
    """The search of one method's settings on one model and task, and the trials that follow it."""

    cell: int
    """Which model and task of the study it is of: the methods of one cell are compared."""
    default: TrialSpec
    """The first trial of the search, at the default setting, or at the first of the grid."""
    seeds: tuple[int, ...]
    """With which each setting is trained."""
    space: Mapping[str, Dimension]
    """What is searched, by name: the learning rate, and options."""
    budget: Budget
    """What it may spend."""
    protocol: Mapping[str, Any]
    """In what the training of its trials differs from that of the reported ones."""
    reported: tuple[TrialSpec, ...]
    """The trials that are reported, one a seed, as yet at the default setting."""
    grid: tuple[Mapping[str, Any], ...] = ()
    """The settings, by the names of the space, where the study lists them; none where they are suggested."""

    @property
    def default_values(self) -> dict[str, Any]:
        """The setting that is tried first, by the names of the space."""
        return self.values_of(self.default)

    @property
    def trials(self) -> int:
        """Settings tried."""
        return self.budget.trials

    @property
    def metric(self) -> MetricSpec:
        """What settings are compared by."""
        return self.default.declared.main_metric

    def best_of(self, steps: Sequence[SearchStep]) -> SearchStep | None:
        """The setting that is chosen of these (:func:`reports.records.searches.choose`)."""
        return searches.choose(
            steps, higher_is_better=self.metric.higher_is_better, tolerance=self.budget.tolerance
        )

    def brackets(self, steps: int) -> tuple[Bracket, ...]:
        """What it trains, where a training that is not stopped has so many steps."""
        return brackets(self.trials, steps, halving=self.default.halving, finalists=self.budget.finalists)

    def values_of(self, spec: TrialSpec) -> dict[str, Any]:
        """The setting of one of its trials, by the names of the space."""
        known = {LEARNING_RATE: spec.protocol.learning_rate, **spec.options}
        return {name: known[name] for name in self.space}

    def has(self, spec: TrialSpec) -> bool:
        """Whether a trial is one of the search's, or one that may be reported after it."""
        if spec.search and spec.seed not in self.seeds:
            return False
        first = self.default if spec.search else self.reported[0]
        own = first.model_copy(update={"seed": spec.seed})
        alike = (own.model, own.task, own.method) == (spec.model, spec.task, spec.method)
        return alike and _at(own, self.values_of(spec)) == spec

    def trials_at(self, values: Mapping[str, Any]) -> tuple[TrialSpec, ...]:
        """The trials of the search at a setting, one a seed."""
        first = _at(self.default, values)
        return tuple(first.model_copy(update={"seed": seed}) for seed in self.seeds)

    def best(self, values: Mapping[str, Any]) -> tuple[TrialSpec, ...]:
        """The reported trials at a setting, one a seed."""
        return tuple(_at(spec, values) for spec in self.reported)


def plan(
    cell: int,
    reported: Sequence[TrialSpec],
    stated: Mapping[str, Any],
    protocol: Mapping[str, Any],
    budget: Budget,
) -> Search:
    """The search that comes before a method's trials on one model and task.

    Args:
        cell: the number of that model and task in the study.
        reported: those trials, which differ in their seed alone.
        stated: the options that the study states for the method.
        protocol: what it states of the training.
        budget: what the search may spend.

    Raises:
        SpecError: the study leaves nothing to search, or lists settings that make no grid of that many.
        OptionError: a listed value that the method does not take.
    """
    first = reported[0]
    settled = {*stated} if protocol.get(LEARNING_RATE) is None else {*stated, LEARNING_RATE}
    space: Mapping[str, Dimension] = {
        name: dimension
        for name, dimension in methods.get(first.method).card.search_space.dimensions.items()
        if name not in settled
    }
    if not space:
        raise SpecError(
            f"tuning: the study states all that could be searched of {first.method}, "
            f"{LEARNING_RATE} among it: leave it out, or leave tuning out."
        )
    training = budget.training(first.protocol)
    whole = overlaid(("the study", protocol), (WHERE, training))
    searching = {"protocol": whole, "seed": budget.seed, "search": True, "halving": budget.halving}
    default = TrialSpec(**dict(first) | searching)
    listed: Mapping[str, Choice] = {}
    if first.method in budget.grid:
        space = listed = _listed(default, budget.grid[first.method], settled)
    if budget.tolerance and LEARNING_RATE not in space:
        raise SpecError(
            f"tuning: tolerance={budget.tolerance:g} takes the lowest learning rate, and all settings of "
            f"{first.method} have one: leave one of the two out, or search {LEARNING_RATE}."
        )
    if not listed:
        return Search(cell, default, budget.of_trials, space, budget, training, tuple(reported))
    names, lists = listed.keys(), [dimension.values for dimension in listed.values()]
    grid = tuple(dict(zip(names, values, strict=True)) for values in product(*lists))
    if len(grid) != budget.trials:
        raise SpecError(
            f"tuning: the grid of {first.method} has {len(grid)} settings, "
            f"expected {budget.trials} as trials says: every method gets the same."
        )
    head = _at(default, grid[0])
    return Search(cell, head, budget.of_trials, space, budget, training, tuple(reported), grid)


def _listed(
    spec: TrialSpec, listed: Mapping[str, Sequence[Any]], settled: Collection[str]
) -> dict[str, Choice]:
    """What a study lists of a method, each value as a trial has it."""
    space = {}
    for name, values in listed.items():
        what = f"tuning: the grid of {spec.method}"
        if name != LEARNING_RATE and name not in spec.options:
            raise SpecError(f"{what} has no {name!r}; {nearest(name, [LEARNING_RATE, *spec.options])}.")
        if name in settled:
            raise SpecError(f"{what} lists {name}, which the study states: expected it in one of the two.")
        read = [_read(spec, name, value) for value in values]
        if len({str(value) for value in read}) != len(read) or len(read) < 2:
            raise SpecError(f"{what}: {name}={values!r}, expected two different values or more.")
        space[name] = Choice(tuple(read))
    if not space:
        raise SpecError(
            f"tuning: the grid of {spec.method} is empty, expected {LEARNING_RATE}: [0.001, 0.01]."
        )
    return space


def _read(spec: TrialSpec, name: str, value: Any) -> Any:
    """A listed value as a trial has it."""
    if name != LEARNING_RATE:
        return _at(spec, {name: value}).options[name]
    rate = Protocol.parse({LEARNING_RATE: value}).learning_rate
    if rate is None:
        raise SpecError(f"tuning: the grid of {spec.method}: {name}={value!r}, expected a number above 0.")
    return rate


def check_grid(budget: Budget, names: Collection[str]) -> None:
    """Refuse a grid of what the study does not train.

    Raises:
        SpecError: it is of a method that is none of the study's.
    """
    for name in budget.grid:
        if name not in names:
            raise SpecError(
                f"tuning: a grid of {name}, which the study does not train; {nearest(name, names)}."
            )


def check_equal(searches: Sequence[Search]) -> None:
    """Every method must train on as many examples as any other, in its search and after it.

    They share a budget, so that as many settings are tried of each and as many stopped at each rung, whatever
    the scores: it is left to see that their trainings are of one length.

    Raises:
        SpecError: one does not; it names both.
    """
    for _, group in groupby(searches, key=lambda search: search.cell):
        first, *others = group
        for other in others:
            if _examples(first) != _examples(other):
                raise SpecError(
                    f"tuning: {other.default.method} and {first.default.method} train on different numbers "
                    f"of examples ({_told(other)} and {_told(first)}), expected the same of every method."
                )


def in_order(searches: Sequence[Search], values: Sequence[Mapping[str, Any]]) -> tuple[TrialSpec, ...]:
    """The reported trials at the settings that the searches found: seed by seed on each model and task."""
    specs: dict[str, TrialSpec] = {}
    for _, group in groupby(zip(searches, values, strict=True), key=lambda pair: pair[0].cell):
        for one_seed in zip(*(search.best(found) for search, found in group), strict=True):
            specs |= {spec.trial_id: spec for spec in one_seed}
    return tuple(specs.values())


def _at(spec: TrialSpec, values: Mapping[str, Any]) -> TrialSpec:
    """A spec with other settings."""
    options, protocol = dict(spec.options), spec.protocol.model_dump()
    for name, value in values.items():
        (protocol if name == LEARNING_RATE else options)[name] = value
    return TrialSpec(**dict(spec) | {"options": options, "protocol": protocol})


def _examples(search: Search) -> list[dict[str, Any]]:
    """What decides how many examples are trained on, in the search and after it."""
    return [_length(spec.protocol) for spec in (search.default, search.reported[0])]


def _length(protocol: Protocol) -> dict[str, Any]:
    length = {"steps": protocol.steps} if protocol.steps else {"epochs": protocol.epochs}
    return {**length, "batch_size": protocol.batch_size, "train_examples": protocol.train_examples}


def _told(search: Search) -> str:
    """Such as ``steps 6, batch_size 8``, for the first of the two stages."""
    return ", ".join(f"{k} {v}" for k, v in _examples(search)[0].items() if v is not None)

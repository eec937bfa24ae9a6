"""A study: models x tasks x methods x seeds under one protocol, from a short YAML file to trial specs.

    name: quick-look
    models: [embedded]
    tasks: [rotten_tomatoes]
    methods:
      - full
      - lora: {rank: 4}
      - method: prefix
        options: {length: 20}
        protocol: {learning_rate: 0.003}
    seeds: [0, 1, 2]
    protocol: {steps: 240}
    costs: {latency_rounds: 100}
    tuning: {trials: 6}

A task may be of one's own data, in files whose paths begin at the study's own file (docs/your-task.md):

    tasks: [{name: intents, train: train.csv, report: test.csv, text: text, label: category}]

``costs`` says how memory, latency and serving are measured, ``costs: none`` that they are not. With
``tuning`` a search chooses every method's settings first (:mod:`runners.plan.tuning`). A method or a task may
carry its own ``protocol``, which says only what differs for it, and its own ``costs``: the method's wins over
the task's, and the task's over the study's. A ``grid`` of lists stands for one entry per combination of their
values, the last list running fastest:

      - method: lora
        options: {alpha: 16}
        grid: {options: {rank: [1, 8]}, protocol: {learning_rate: [0.001, 0.01]}}
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from methods.errors import explain, nearest
from reports import text, yaml_text
from reports.records.schema import Tuning
from reports.records.tuning import told
from runners.plan import own_tasks
from runners.plan.about import About
from runners.plan.contenders import parse_contender
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.keys import check_kind, explain_study, misplaced, nearly
from runners.plan.levels import overlaid
from runners.plan.spec import Protocol, TrialSpec
from runners.plan.tuning import Budget, Search, check_equal, check_grid, plan

BUILT_IN = Path(__file__).parents[1] / "studies"

LIMITED = ("train_examples", "scored_examples")
"""The settings that say how many examples a trial takes."""


class Grid(BaseModel):
    """Lists of values, every combination of which is an entry of its own."""

    model_config = ConfigDict(extra="forbid")

    options: dict[str, list[Any]] = Field(default_factory=dict)
    protocol: dict[str, list[Any]] = Field(default_factory=dict)


class Entry(BaseModel):
    """A method or a task with what differs for it."""

    model_config = ConfigDict(extra="forbid")

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    protocol: dict[str, Any] = Field(default_factory=dict)
    costs: Any = None
    grid: Grid | None = None
    own: dict[str, Any] | None = None
    """What is said of a task of one's own data."""


class _File(About):
    """The keys of a study file."""

    kind: Literal["trials"] = "trials"
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    models: list[str] = Field(default=["embedded"], min_length=1)
    tasks: list[Any] = Field(min_length=1)
    methods: list[Any] = Field(min_length=1)
    seeds: list[int] = Field(default=[0], min_length=1)
    data: str | None = None
    protocol: dict[str, Any] = Field(default_factory=dict)
    costs: Any = Field(default_factory=dict)
    tuning: Any = None
    claim: dict[str, Any] | None = None  # what `paretune claims` decides; it moves no trial


@dataclass(frozen=True)
class Study:
    """A named list of trials; with tuning, of searches whose results are the trials."""

    name: str
    title: str
    description: str
    specs: tuple[TrialSpec, ...]
    """The trials; none until the searches are done."""
    searches: tuple[Search, ...] = ()
    tunings: Mapping[str, Tuning] = field(default_factory=dict)
    """How a search chose a trial's settings, by trial id."""
    notes: tuple[str, ...] = ()
    """What there is to say of the user's own data, a sentence each."""

    @property
    def settings(self) -> str:
        """`fixed settings`, or `tuned: 6 trials each, by halving`."""
        if not self.searches:
            return told(0)
        first = self.searches[0]
        return told(first.trials, seeds=len(first.seeds), halving=first.default.halving)

    @property
    def size(self) -> str:
        """`27 trials`, or `9 searches of 6 trials each, then 27 trials`."""
        if not self.searches:
            return text.plural(len(self.specs), "trial")
        number = len(self.searches)
        searches = f"{number} search{'' if number == 1 else 'es'}"
        reported = sum(len(search.reported) for search in self.searches)
        each = text.plural(self.searches[0].trials * len(self.searches[0].seeds), "trial")
        return f"{searches} of {each} each, then {text.plural(reported, 'trial')}"


def built_in() -> tuple[str, ...]:
    """Names of the studies that come with Paretune."""
    return tuple(sorted(path.stem for path in BUILT_IN.glob("*.yaml")))


def content(study: str) -> dict[str, Any]:
    """The content of a study's YAML file, or of a built-in one's; its ``kind`` says who reads it on.

    Raises:
        SpecError: no such study, or bad YAML; one sentence.
    """
    path = Path(study)
    if not path.is_file():
        path = BUILT_IN / f"{study}.yaml"
    if not path.is_file():
        hint = nearest(study, built_in())
        raise SpecError(f"there is no study {study!r}: give a YAML file or a built-in study; {hint}.")
    try:
        found = yaml_text.load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not a UTF-8 text file, expected a study in YAML.") from None
    except yaml_text.YamlError as error:
        raise SpecError(f"{path} {str(error).removesuffix('.')}{_of_data(path)}.") from None
    if not isinstance(found, Mapping):
        raise SpecError(
            f"{path} holds {type(found).__name__}, expected a mapping with tasks and methods{_of_data(path)}."
        )
    check_kind(found, study)
    return {"name": path.stem, **own_tasks.beside(found, path.parent)}


def _of_data(path: Path) -> str:
    """What to do with a file that is none of a study."""
    if path.suffix.lower() in (".yaml", ".yml", ""):
        return ""
    return f"; the lines of a study of a file of data are told by `paretune check-data {path}`"


def read_study(study: str, data: str | None = None, limit: int | None = None) -> Study:
    """Read a study of trials from a YAML file or by the name of a built-in one.

    Args:
        study: a path, or one of :func:`built_in`.
        data: a data folder that replaces the study's own.
        limit: the most examples that a trial trains on, and scores of a split, whatever the study says.

    Raises:
        SpecError: no such study, bad YAML, or an unknown key; one sentence.
        MethodError, TaskError: an unknown method, option or task.
    """
    return parse_study(content(study), data, limit)


def parse_study(values: Mapping[str, Any], data: str | None = None, limit: int | None = None) -> Study:
    """Turn the content of a study file into trial specs, one per cell of the grid; see :func:`read_study`."""
    try:
        file = _File.model_validate(dict(values))
    except ValidationError as error:
        raise SpecError(explain_study(error, _File)) from None
    chosen_tasks = [part for item in file.tasks for part in expanded(entry(item, "task"))]
    chosen_methods = [part for item in file.methods for part in expanded(entry(item, "method"))]
    places, notes = own_tasks.places(chosen_tasks, data if data is not None else file.data)
    cells = list(itertools.product(file.models, chosen_tasks))
    trials = [
        [_over_seeds(file, places, limit, *cell, method) for method in chosen_methods] for cell in cells
    ]
    specs = tuple(spec for cell in trials for one_seed in zip(*cell, strict=True) for spec in one_seed)
    if len({spec.trial_id for spec in specs}) != len(specs):
        raise SpecError(f"the study {file.name} describes the same trial twice: each cell may appear once.")
    about = file.name, file.title or file.name, file.description
    if file.tuning is None:
        return Study(*about, specs, notes=notes)
    budget = Budget.parse(file.tuning, file.seeds)
    check_grid(budget, [method.name for method in chosen_methods])
    budget = budget.model_copy(update={"protocol": limited(budget.protocol, limit, set(budget.protocol))})
    searches = tuple(
        plan(index, own, method.options, limited(_stated(file, task, method), limit), budget)
        for index, (_, task) in enumerate(cells)
        for method, own in zip(chosen_methods, trials[index], strict=True)
    )
    check_equal(searches)
    return Study(*about, (), searches, notes=notes)


def _over_seeds(
    file: _File,
    places: Mapping[str, Mapping[str, Any]],
    limit: int | None,
    model: str,
    task: Entry,
    method: Entry,
) -> list[TrialSpec]:
    """The trials of a method on a model and task, one a seed."""
    return [
        TrialSpec(
            model=model,
            **places[task.name],
            method=method.name,
            options=method.options,
            seed=seed,
            protocol=limited(_stated(file, task, method), limit),
            costs=_costs(file.costs, task.costs, method.costs),
        )
        for seed in file.seeds
    ]


def _costs(*levels: Any) -> CostSettings | None:
    """How costs are measured, by what is stated at each level that states something, the farthest first."""
    found: Any = {}
    for stated in levels:
        if stated is not None:
            both = isinstance(stated, Mapping) and isinstance(found, Mapping)
            found = {**found, **stated} if both else stated
    return CostSettings.parse(found)


def _stated(file: _File, task: Entry, method: Entry) -> dict[str, Any]:
    """What a study states of the training of a method on a task."""
    return overlaid(
        ("the study's protocol", file.protocol),
        (f"the task {task.name}", task.protocol),
        (f"the method {method.name}", method.protocol),
    )


def limited(stated: Mapping[str, Any], limit: int | None, keys: Collection[str] = LIMITED) -> dict[str, Any]:
    """What is stated of the training, with no more examples than so many.

    Args:
        stated: by the names of the protocol.
        limit: the most examples; None leaves all as it is.
        keys: what is to be limited, where it says how many examples; the rest stays.
    """
    found = dict(stated)
    for key in LIMITED:
        if limit is not None and key in keys:
            said = found.get(key)
            found[key] = min(said, limit) if isinstance(said, int) and said > 0 else limit
    return found


_BESIDE = tuple(name for name in Entry.model_fields if name not in ("name", "own"))
"""What may stand beside the name of a method or task."""


def entry(item: Any, kind: str) -> Entry:
    """Read ``name``, ``{name: {option: value}}`` or ``{method: name, options: ..., protocol: ...}``.

    A method may bring options as on the command line: ``lora:rank=8``.

    A task of one's own data is ``{name: ..., train: ..., report: ...}``, see :mod:`tasks.own.declaration`.
    """
    if isinstance(item, str):
        choice = parse_contender(item) if kind == "method" and ":" in item else None
        return Entry(name=choice.method, options=choice.listed) if choice else Entry(name=item)
    if isinstance(item, Mapping) and kind == "task" and "name" in item and "task" not in item:
        own_tasks.check_levels(item, Protocol.model_fields)
        return Entry(
            name=str(item["name"]),
            protocol=own_tasks.levels(item, "protocol"),
            costs=item.get("costs"),
            own={key: value for key, value in item.items() if key not in ("protocol", "costs")},
        )
    if isinstance(item, Mapping) and kind in item and "own" not in item:
        values = {("name" if key == kind else key): value for key, value in item.items()}
        try:
            found = Entry.model_validate(values)
        except ValidationError as error:
            valid = [kind, *_BESIDE]
            what = f"the {kind} {item[kind]} of the study"
            unknown = [key for key in item if key not in valid]
            told = misplaced(what, str(unknown[0]), item[unknown[0]], valid) if unknown else None
            raise SpecError(told or explain(error, what, valid)) from None
        if kind == "task" and (found.options or (found.grid and found.grid.options)):
            raise SpecError(
                f"the task {found.name} has options, expected a protocol: a task has none to choose."
            )
        return found
    hint = own_tasks.misplaced(item) if isinstance(item, Mapping) and kind == "task" else ""
    if isinstance(item, Mapping) and len(item) == 1 and not hint:
        ((name, options),) = item.items()
        if isinstance(name, str) and (options is None or isinstance(options, Mapping)):
            field = "options" if kind == "method" else "protocol"
            return Entry(name=name, **{field: dict(options or {})})
    for key in (kind, "name") if kind == "task" and isinstance(item, Mapping) else (kind,):
        if isinstance(item, Mapping) and (told := nearly(item, key, (kind, *_BESIDE))):
            raise SpecError(f"a {kind} of the study {told}")
    expected = f"a name, `name: {{...}}`, or a mapping with `{kind}: name`"
    raise SpecError(f"a {kind} of the study is {item!r}, expected {expected}{hint}.")


def expanded(item: Entry) -> list[Entry]:
    """The entries that an entry with a grid stands for; without one, itself.

    Raises:
        SpecError: a list of the grid is empty, or sets what the entry sets as well.
    """
    if item.grid is None:
        return [item]
    axes = {("options", key): values for key, values in item.grid.options.items()}
    axes |= {("protocol", key): values for key, values in item.grid.protocol.items()}
    for (part, key), values in axes.items():
        if not values:
            raise SpecError(f"the grid of {item.name} has no value for {key}, expected a list of some.")
        if key in getattr(item, part):
            raise SpecError(f"{item.name} sets {key} in its {part} and in its grid: expected one of them.")
    found = []
    for combination in itertools.product(*axes.values()):
        chosen: dict[str, dict[str, Any]] = {"options": dict(item.options), "protocol": dict(item.protocol)}
        for (part, key), value in zip(axes, combination, strict=True):
            chosen[part][key] = value
        found.append(Entry(name=item.name, costs=item.costs, own=item.own, **chosen))
    return found

"""What is left to do of a study: the trials without a record and the costs that are missing, in their order.

Nothing is run. A search is rehearsed: it is sent the records that are there, and for each that is not an
invented one, so that it asks for what it would ask for. How many trials a search needs, and of how many
steps, does not depend on their scores; their settings do, and are not told here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reports.records.schema import CurvePoint, Record, Tuning
from runners.plan.names import Names
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.plan.tuning import Search
from runners.trials import costing
from runners.work import execute, shelf
from runners.work.search import FOLDER, search_steps, steps_of

Key = tuple[str, str, str]
"""Model, task and what the row of a trial is called."""


@dataclass(frozen=True)
class Leg:
    """A training in one go: of a whole trial, or between two rungs of a search."""

    spec: TrialSpec
    since: int = 0
    """The step that it goes on from."""
    until: int | None = None
    """The step after which it stops; None for the last."""


@dataclass
class Todo:
    """What is left of one row: a method on a model and a task."""

    like: TrialSpec
    """One of its trials, at the default setting where there is a search."""
    settings: int = 0
    """Tried by its search."""
    trials: int = 0
    """All of them, done ones included."""
    search: list[list[Leg]] = field(default_factory=list)
    """What is missing of its search, each list to be done before the next."""
    reported: list[TrialSpec] = field(default_factory=list)
    """Missing trials beside those."""
    costs: list[TrialSpec] = field(default_factory=list)
    """Trials after which costs are measured."""

    @property
    def left(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.missing or self.costs)

    @property
    def missing(self) -> list[TrialSpec]:
        """All trials that are missing, or to go on."""
        searched = {leg.spec.trial_id: leg.spec for stage in self.search for leg in stage}
        return [*searched.values(), *self.reported]

    @property
    def legs(self) -> list[Leg]:
        """All trainings that are missing."""
        return [*(leg for stage in self.search for leg in stage), *map(Leg, self.reported)]


def of(study: Study, folder: Path, retry: bool = False) -> dict[Key, Todo]:
    """What is left of a study, row by row.

    Args:
        study: what is to be run.
        folder: where its records are.
        retry: what failed or ran out of memory is run again.
    """
    names = Names(study.specs, study.searches)
    rows: dict[Key, Todo] = {}
    tunings: dict[str, Tuning] = {}
    unknown: set[str] = set()
    specs = list(study.specs)
    there = shelf.read(folder / FOLDER, searches=True).records if study.searches else []
    kept = execute.retried({record.trial_id: record for record in there}, retry)
    for search in study.searches:
        row = rows.setdefault(_key(names, search.default), Todo(search.default, search.trials))
        found = _rehearsed(search, kept, row)
        chosen = search.best(search.default_values if found is None else found.chosen)
        known = {spec.trial_id for spec in specs}
        specs += [spec for spec in chosen if spec.trial_id not in known]
        if found is None:
            unknown |= {spec.trial_id for spec in chosen}
        else:
            tunings |= {spec.trial_id: found for spec in chosen}
    whole = replace(study, specs=tuple(specs), tunings=tunings)
    faulty = shelf.read(folder)
    done = execute.retried(execute.existing(whole, folder), retry)
    owners = {
        spec.cost_id: spec.trial_id
        for spec in reversed(specs)
        if _has_costs(done.get(spec.trial_id)) and spec.trial_id not in unknown
    }
    for spec in specs:
        if faulty.blocks(spec):
            continue
        row = rows.setdefault(_key(names, spec), Todo(spec))
        row.trials += 1
        record = None if spec.trial_id in unknown else done.get(spec.trial_id)
        if record is None:
            row.reported.append(spec)
        if _needs_costs(spec, record, owners, retry):
            row.costs.append(spec)
    return rows


def _key(names: Names, spec: TrialSpec) -> Key:
    return spec.model, spec.task, names.row(spec)


def _has_costs(record: Record | None) -> bool:
    return record is not None and record.status == "completed" and record.costs_from is None


def _needs_costs(spec: TrialSpec, record: Record | None, owners: dict[str, str], retry: bool) -> bool:
    """Whether costs are measured with this trial; if so it owns them from here on."""
    if spec.costs is None:
        return False
    if record is None:
        return owners.setdefault(spec.cost_id, spec.trial_id) == spec.trial_id
    owner = owners.get(spec.cost_id)
    waiting = costing.awaiting(record, spec, owner if owner != spec.trial_id else None)
    return costing.to_fill(waiting, retry)


def _rehearsed(search: Search, kept: Mapping[str, Record], row: Todo) -> Tuning | None:
    """Let a search go to its end; what it finds, if all its records were there."""
    steps = search_steps(search, lambda search, steps, share: None)
    known, whole = dict(kept), steps_of(search.default)
    every: set[str] = set()
    wanted = next(steps)
    while True:
        every |= {each.spec.trial_id for each in wanted.asked}
        stage: dict[str, Leg] = {}
        for each in wanted.asked:
            key = each.spec.trial_id
            if key not in stage and not each.met(known.get(key)):
                stage[key] = Leg(each.spec, _reached(known.get(key)), each.until)
        known |= {key: _invented(search, leg, known.get(key), whole) for key, leg in stage.items()}
        if stage:
            row.search.append([*stage.values()])
        try:
            wanted = steps.send([known[each.spec.trial_id] for each in wanted.asked])
        except StopIteration as end:
            row.trials += len(every)
            found: Tuning = end.value
            return None if row.search else found


def _reached(record: Record | None) -> int:
    """The last step at which a trial was scored."""
    return max((point.step for point in record.curve), default=0) if record else 0


def _invented(search: Search, leg: Leg, before: Record | None, whole: int) -> Record:
    """Stands for the record of a training that is not run."""
    assert leg.until is not None  # a search says how far
    point = CurvePoint(step=leg.until, train_loss=0.0, selection={search.metric.name: 0.0})
    construct: Any = Record.model_construct
    made: Record = construct(
        trial_id=leg.spec.trial_id,
        status="completed" if leg.until >= whole else "pruned",
        curve=(*(before.curve if before else ()), point),
        wall_seconds=0.0,
    )
    return made

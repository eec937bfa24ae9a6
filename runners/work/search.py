"""Running the searches of a study: optuna suggests settings, trials score them on the selection split.

Settings are tried in brackets, all of one to the first rung, the better half of them to the next, the best
to the end (:mod:`runners.plan.halving`). optuna's own ``SuccessiveHalvingPruner`` is not used: it decides
about a trial as it comes by, against those before it. The first is always promoted, how many are depends on
the order of the scores, and what it stopped cannot go on: one method would get more examples than another.
The sampler is told what that pruner would have told it: scores at the rungs, and who was stopped.

A search is replayed from its records: the sampler is seeded by what is searched, so that it suggests the
same settings again, and a setting with a record is not trained again. A killed run loses what the trial that
it was at has done since its last rung.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import Trial, TrialState

from methods.core import Dimension, LogUniform
from reports.records.schema import Record, SearchStep, Tuning
from reports.records.tuning import LISTED
from runners import processes
from runners.executors.local import Local
from runners.plan.halving import steps_in_all
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.plan.tuning import Search, in_order
from runners.trials import batches
from runners.trials.jobs import Executor
from runners.trials.trial import forget
from runners.work import shelf
from runners.work.checking import check_data, check_known_elsewhere, check_models
from runners.work.execute import Ear, How, Observer, retried
from runners.work.rungs import Asked, Stopped, Tried, Wanted, joined, promoted
from runners.work.shelf import Shelf

FOLDER = "search"
"""Where the records of searches are, inside the folder of the study's records."""

RANDOM_TRIALS = 3
"""Finished trials, the default one among them, before the sampler's model takes over from chance. It does not
depend on the budget: a search that is given a larger one goes on where it was."""

SAMPLER = "optuna TPE"

Told = Callable[[Search, Sequence[SearchStep], float], None]
"""Is told of a search: the settings that are done with, and the share of its examples that is spent."""

Steps = Generator[Wanted, list[Record], Tuning]
"""A search as it goes on: it asks for trials, is sent their records, and ends with what it found."""


@processes.together()
def run_searches(
    study: Study,
    folder: Path,
    observers: list[Observer],
    *,
    told: Told = lambda search, steps, share: None,
    retry: bool = False,
    how: How | None = None,
    executor: Executor | None = None,
) -> Study:
    """Run what is missing of the searches of a study; return it with its trials known.

    The searches go on side by side, as far as the executor does. Each asks for its next trials when it
    knows the last ones: what it finds depends neither on the others nor on which trial is done first.

    Args:
        study: what to search.
        folder: of the study's records.
        observers: are told of every trial that is run, and again when one goes on from a rung.
        told: is told what a search knows, when it begins and after each of its rungs, kept ones included.
        retry: run again what failed or ran out of memory.
        how: how it is run.
        executor: where it is run; None for here.

    Raises:
        SpecError: the folder's records are of other data, or of a model that was replaced.
        PeerError: another process could not go on.
    """
    how, executor = how or How(), executor or Local()
    if not isinstance(executor, Local):
        check_known_elsewhere(search.default for search in study.searches)
    there = processes.by_first(partial(shelf.read, folder / FOLDER, searches=True))
    shelf.warn_of(there.faulty, how.say)
    defaults = [search.default for search in study.searches]
    trials = processes.by_first(partial(shelf.read, folder))
    check_models([*there.records, *trials.records], defaults)
    kept = retried({record.trial_id: record for record in there.records}, retry)
    board = Shelf(folder / FOLDER, how.say)
    going = [_Going(search, search_steps(search, told), order) for order, search in enumerate(study.searches)]
    ears: dict[str, Ear] = {}

    def advance() -> None:
        """Let every search go on as far as records are there, and submit what it then waits for."""
        for one in going:
            while one.tuning is None and all(each.met(kept.get(each.spec.trial_id)) for each in one.asked):
                check_data(kept, [each.spec for each in one.asked])
                one.send([kept[each.spec.trial_id] for each in one.asked])
                for done in one.stopped:
                    stop(done)
            for each in one.asked:
                key = each.spec.trial_id
                if not each.met(kept.get(key)) and key not in ears:
                    ears[key] = Ear(each.spec, observers, board.put, how.say)
                    job = how.job(each.spec, study.name, folder)
                    executor.submit(replace(job, order=one.order, until=each.until), ears[key])

    def stop(one: Stopped) -> None:
        """Say in its record why a trial goes no further, unless another search has it go on, or had."""
        key, record = one.spec.trial_id, kept[one.spec.trial_id]
        if key in ears or record.status != "pruned":
            return
        if record.training and record.training.steps == one.at and record.message != one.why:
            kept[key] = record.model_copy(update={"message": one.why})
            board.put(kept[key])
        forget(one.spec, folder)

    advance()
    while ears:
        job, record = executor.next()
        key = record.trial_id
        kept[key] = joined(record, kept.get(key))
        if board.put(kept[key]) and record.status != "pruned":
            forget(job.spec, folder)
        ears.pop(key).finished(record)
        advance()
    board.settle()
    found = [one.tuning for one in going if one.tuning is not None]
    specs = in_order(study.searches, [tuning.chosen for tuning in found])
    tunings = {
        spec.trial_id: tuning
        for search, tuning in reversed(list(zip(study.searches, found, strict=True)))
        for spec in search.best(tuning.chosen)
    }
    return replace(study, specs=specs, tunings=tunings)


class _Going:
    """A search that goes on: what it waits for, or what it found."""

    def __init__(self, search: Search, steps: Steps, order: int) -> None:
        self.search, self.order = search, order
        self._steps = steps
        self.tuning: Tuning | None = None
        self._wanted = next(steps)

    @property
    def asked(self) -> Sequence[Asked]:
        """The trials that it waits for."""
        return self._wanted.asked

    @property
    def stopped(self) -> Sequence[Stopped]:
        """Those that it has just stopped."""
        return self._wanted.stopped

    def send(self, records: list[Record]) -> None:
        """Tell it the records of what it asked for."""
        try:
            self._wanted = self._steps.send(records)
        except StopIteration as end:
            self.tuning, self._wanted = end.value, Wanted()


def search_steps(search: Search, told: Told) -> Steps:
    """One search, in the order of the grid or the default setting first; among equals the earliest wins."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    metric, whole = search.metric, steps_of(search.default)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=_seed(search)),
        direction="maximize" if metric.higher_is_better else "minimize",
    )
    for setting in search.grid or (search.default_values,):
        study.enqueue_trial(dict(setting))
    distributions = {name: _distribution(dimension) for name, dimension in search.space.items()}
    plan = search.brackets(whole)
    budget = steps_in_all(plan)
    steps: list[SearchStep] = []
    records: dict[str, Record] = {}
    spent = 0
    told(search, steps, 0.0)
    for bracket in plan:
        trials = [study.ask(distributions) for _ in range(bracket.settings[0])]
        values = [{name: trial.params[name] for name in search.space} for trial in trials]
        field = [Tried(one, search.trials_at(one), metric) for one in values]
        alive, stopped = field, list[Stopped]()
        for rung, until in enumerate(bracket.rungs):
            found = yield Wanted([Asked(spec, until) for one in alive for spec in one.specs], stopped)
            records |= {record.trial_id: record for record in found}
            for number, tried in enumerate(alive):
                first = number * len(search.seeds)
                tried.take(found[first : first + len(search.seeds)], until, last=until == whole)
            alive, stopped = promoted(alive, bracket, rung)
            spent += bracket.parts[rung]
            told(search, [*steps, *(one.step for one in field if one not in alive)], spent / budget)
        for trial, tried in zip(trials, field, strict=True):
            _tell(study, trial, tried)
        steps += [tried.step for tried in field]
    best = search.best_of(steps) or steps[0]
    return Tuning(
        split="selection",
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        trials=search.trials,
        examples=budget * examples_a_step(search.default) * len(search.seeds),
        rungs=tuple(sorted({rung for bracket in plan for rung in bracket.rungs[:-1]})),
        seconds=sum(record.wall_seconds for record in records.values()),
        seed=search.default.seed,
        seeds=len(search.seeds),
        tolerance=search.budget.tolerance,
        sampler=LISTED if search.grid else SAMPLER,
        space={name: dimension.describe() for name, dimension in search.space.items()},
        chosen=best.values,
        protocol=dict(search.protocol),
        history=tuple(steps),
    )


def _seed(search: Search) -> int:
    """Of the sampler: by what is searched, and the same whether settings are stopped or not."""
    return int(search.default.model_copy(update={"halving": False}).trial_id[:8], 16)


def _tell(study: optuna.Study, trial: Trial, tried: Tried) -> None:
    """Tell the sampler. It puts those that were trained whole first, then those that got furthest.

    A setting that diverged or has no score counts as worse than any that has one: it is told as pruned
    without a value, which the sampler puts last. A failure says nothing of the setting.
    """
    step = tried.step
    if step.status == "failed":
        study.tell(trial, state=TrialState.FAIL)
        return
    if step.score is None:
        study.tell(trial, state=TrialState.PRUNED)
        return
    for rung, score in tried.curve.items():
        if score is not None:
            trial.report(score, rung)
    if step.status == "pruned":
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, step.score)


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, LogUniform):
        return FloatDistribution(dimension.low, dimension.high, log=True)
    return CategoricalDistribution(dimension.values)


def steps_of(spec: TrialSpec) -> int:
    """Optimiser steps of a trial that completes."""
    protocol = spec.protocol
    return protocol.steps or batches.steps_of(protocol.epochs, _rows(spec), protocol.batch_size)


def examples_a_step(spec: TrialSpec) -> int:
    """Training examples of each of them."""
    return min(_rows(spec), spec.protocol.batch_size)


def _rows(spec: TrialSpec) -> int:
    rows = batches.load(spec.declared, spec.data).sizes["train"]
    return min(rows, spec.protocol.train_examples or rows)

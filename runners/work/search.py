"""Running the searches of a study: optuna suggests settings, trials score them on the selection split.

A search is replayed from its records: the sampler is seeded by what is searched, so that it suggests the
same settings again, and a setting with a record is not trained again. A killed run loses the trial it was at.
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
from runners import processes
from runners.executors.local import Local
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.plan.tuning import Search, in_order
from runners.trials import batches
from runners.trials.jobs import Executor
from runners.trials.trial import forget
from runners.work import shelf
from runners.work.checking import check_data, check_models
from runners.work.execute import Ear, How, Observer, retried
from runners.work.shelf import Shelf

FOLDER = "search"
"""Where the records of searches are, inside the folder of the study's records."""

RANDOM_TRIALS = 3
"""Finished trials, the default one among them, before the sampler's model takes over from chance. It does not
depend on the budget: a search that is given a larger one goes on where it was."""

SAMPLER = "optuna TPE"

Told = Callable[[Search, Sequence[SearchStep]], None]


Steps = Generator[list[TrialSpec], list[Record], Tuning]
"""A search as it goes on: it asks for trials, is sent their records, and ends with what it found."""


@processes.together()
def run_searches(
    study: Study,
    folder: Path,
    observers: list[Observer],
    *,
    told: Told = lambda search, steps: None,
    retry: bool = False,
    how: How | None = None,
    executor: Executor | None = None,
) -> Study:
    """Run what is missing of the searches of a study; return it with its trials known.

    The searches go on side by side, as far as the executor does. Each asks for its next trials when it
    knows the last ones: what it finds does not depend on the others.

    Args:
        study: what to search.
        folder: of the study's records.
        observers: are told of every trial that is run.
        told: is told what a search knows, when it begins and after each of its trials, kept ones included.
        retry: run again what failed or ran out of memory.
        how: how it is run.
        executor: where it is run; None for here.

    Raises:
        SpecError: the folder's records are of other data, or of a model that was replaced.
        PeerError: another process could not go on.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    how, executor = how or How(), executor or Local()
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
            while one.tuning is None and all(spec.trial_id in kept for spec in one.asked):
                check_data(kept, one.asked)
                one.send([kept[spec.trial_id] for spec in one.asked])
            for spec in one.asked if one.tuning is None else ():
                if spec.trial_id not in kept and spec.trial_id not in ears:
                    ears[spec.trial_id] = Ear(spec, observers, board.put, how.say)
                    job = replace(how.job(spec, study.name, folder), order=one.order)
                    executor.submit(job, ears[spec.trial_id])

    advance()
    while ears:
        job, record = executor.next()
        if board.put(record):
            forget(job.spec, folder)
        kept[record.trial_id] = record
        ears.pop(record.trial_id).finished(record)
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
        self.asked = next(steps)

    def send(self, records: list[Record]) -> None:
        """Tell it the records of what it asked for."""
        try:
            self.asked = self._steps.send(records)
        except StopIteration as end:
            self.tuning = end.value


def search_steps(search: Search, told: Told) -> Steps:
    """One search, the default setting first; among equals the earliest wins."""
    metric = search.metric
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(
            n_startup_trials=RANDOM_TRIALS, seed=int(search.default.trial_id[:8], 16)
        ),
        direction="maximize" if metric.higher_is_better else "minimize",
    )
    study.enqueue_trial(search.default_values)
    distributions = {name: _distribution(dimension) for name, dimension in search.space.items()}
    steps: list[SearchStep] = []
    records: dict[str, Record] = {}
    told(search, steps)
    for _ in range(search.trials):
        trial = study.ask(distributions)
        values = {name: trial.params[name] for name in search.space}
        (record,) = yield [search.trial(values)]
        records[record.trial_id] = record
        score = record.scores.selection[metric.name] if record.scores else None
        steps.append(SearchStep(values=values, score=score, status=record.status))
        _tell(study, trial, steps[-1])
        told(search, steps)
    best = search.best_of(steps) or steps[0]
    return Tuning(
        split="selection",
        metric=metric.name,
        higher_is_better=metric.higher_is_better,
        trials=search.trials,
        examples=search.trials * examples(search.default),
        seconds=sum(record.wall_seconds for record in records.values()),
        seed=search.default.seed,
        sampler=SAMPLER,
        space={name: dimension.describe() for name, dimension in search.space.items()},
        chosen=best.values,
        protocol=dict(search.protocol),
        history=tuple(steps),
    )


def _tell(study: optuna.Study, trial: Trial, step: SearchStep) -> None:
    """Tell the sampler. A setting that diverged or has no score counts as worse than any that has one.

    It is told as pruned without a value, which the sampler puts last. A failure says nothing of the setting.
    """
    if step.status == "failed":
        study.tell(trial, state=TrialState.FAIL)
    elif step.score is None:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, step.score)


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, LogUniform):
        return FloatDistribution(dimension.low, dimension.high, log=True)
    return CategoricalDistribution(dimension.values)


def examples(spec: TrialSpec) -> int:
    """Training examples of a trial that completes, repeats counted."""
    protocol = spec.protocol
    rows = batches.load(spec.task, spec.data).sizes["train"]
    rows = min(rows, protocol.train_examples or rows)
    steps = protocol.steps or batches.steps_of(protocol.epochs, rows, protocol.batch_size)
    return steps * min(rows, protocol.batch_size)

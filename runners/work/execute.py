"""Running a study: what is missing, one trial after another, each written the moment it is done.

The folder of records is the only memory. A run that was killed is started again with the same command
and does what has no record yet; records are written atomically, so a killed run leaves no half of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol as Interface

import tasks
from reports.records.schema import Record, Tuning
from runners import models
from runners.plan.spec import SpecError, TrialSpec
from runners.plan.study import Study
from runners.work import batches, costing, feasible, shelf
from runners.work.loop import Progress, Watch
from runners.work.shelf import Found, Say, Shelf
from runners.work.trial import Keeping, run_trial


class Observer(Interface):
    """Whoever watches a study run: a terminal, W&B. Nothing depends on it."""

    def started(self, spec: TrialSpec) -> None:
        """A trial begins."""

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """A trial goes on."""

    def finished(self, spec: TrialSpec, record: Record) -> None:
        """A trial has its record."""


@dataclass(frozen=True)
class How:
    """How a study is run, beside what it says; the outcome of no trial depends on it."""

    checkpoint_every: int | None = None
    """Steps between two snapshots of a training; None makes none."""
    keep_models: bool = False
    """Whether the trained methods are kept beside the records."""
    say: Say = lambda line: None
    """Shows one line to the user."""

    def keeping(self, folder: Path, put: Callable[[Record], None]) -> Keeping:
        """What of a trial outlives it."""
        return Keeping(put, folder, self.checkpoint_every, self.keep_models, self.say)


def check(study: Study, say: Say = lambda line: None) -> None:
    """Find out before the first trial what would end them all: data, models; say what will be slow.

    Raises:
        DataError, ModelError, SpecError: one sentence on what is missing or cannot be, and what to do.
    """
    specs = [*study.specs, *(search.default for search in study.searches)]
    for model in dict.fromkeys(spec.model for spec in specs):
        models.config(model)
        models.tokenizer(model)
    for task, data in dict.fromkeys((spec.task, spec.data) for spec in specs):
        batches.load(tasks.get(task).name, data)
    for line in feasible.check(specs):
        say(line)


def existing(study: Study, folder: Path) -> dict[str, Record]:
    """The records of a study's trials in a folder, by trial id.

    A trial that was tuned and the same one with fixed settings train the same, and are two records.
    """
    return _of(study, shelf.read(folder))


def _of(study: Study, found: Found) -> dict[str, Record]:
    ids = {spec.trial_id for spec in study.specs}
    return {
        record.trial_id: record
        for record in found.records
        if record.trial_id in ids and (record.tuning is not None) == (record.trial_id in study.tunings)
    }


def retried(done: dict[str, Record], retry: bool) -> dict[str, Record]:
    """The records that need not be made again: all, or those that neither failed nor ran out of memory."""
    kept = ("completed", "diverged")
    return {key: record for key, record in done.items() if not retry or record.status in kept}


def check_data(kept: Mapping[str, Record], specs: Iterable[TrialSpec]) -> None:
    """What is kept must have been measured on the data that the trials to come will have.

    A trial is known by its task, wherever a machine keeps the data of it; another content is another task.

    Raises:
        SpecError: a record was measured on other data.
    """
    for spec in specs:
        record = kept.get(spec.trial_id)
        before = record.task.data_sha256 if record and record.task else None
        if before is not None and before != (now := batches.load(spec.task, spec.data).sha256):
            raise SpecError(
                f"{spec.label} has a record that was measured on other data (sha256 {before[:12]}) than "
                f"{spec.data or 'its package or the hub'} holds ({now[:12]}): choose another --out."
            )


def run_study(
    study: Study,
    folder: Path,
    observers: list[Observer],
    *,
    retry: bool = False,
    how: How | None = None,
    run: Callable[..., Record] = run_trial,
) -> list[Record]:
    """Run the trials of a study that have no record yet, and measure what costs are missing.

    A trial in whose place there is a file that cannot be read is left out; the file is named.

    Args:
        study: what to run; its searches are done.
        folder: where records are.
        observers: are told what happens.
        retry: run again what failed or ran out of memory, and measure again what could not be measured.
        how: how it is run.
        run: turns a spec into a record.

    Returns:
        The records of all trials.

    Raises:
        SpecError: the folder's records are of other data.
        UnwrittenError: records could not be written; they were printed.
    """
    how = how or How()
    found = shelf.read(folder)
    shelf.warn_of(found.faulty, how.say)
    done = retried(_of(study, found), retry)
    check_data(done, study.specs)
    board = Shelf(folder, how.say)
    records: list[Record] = []
    measured: dict[str, str] = {}  # the trial whose record has the costs, by what they are costs of
    for spec in study.specs:
        if found.blocks(spec):
            continue
        for_trial = partial(_amended, tuning=study.tunings.get(spec.trial_id))
        record = done.get(spec.trial_id)
        if record is None:
            for observer in observers:
                observer.started(spec)
            keeping = how.keeping(folder, partial(_put, board, for_trial))
            made = run(
                spec,
                study=study.name,
                watch=watch(spec, observers),
                costs_from=measured.get(spec.cost_id),
                keeping=keeping,
            )
            record = for_trial(made)
            board.put(record)
            keeping.forget(spec)
            for observer in observers:
                observer.finished(spec, record)
        else:
            # A search that went on may have chosen what it had chosen before: the trial is the same.
            now = costing.awaiting(for_trial(record), spec, measured.get(spec.cost_id))
            if costing.to_fill(now, retry):
                now = costing.fill(now, spec, folder)
            if now != record:
                board.put(now)
            record = now
        if spec.costs is not None and record.status == "completed" and record.costs_from is None:
            measured.setdefault(spec.cost_id, spec.trial_id)
        records.append(record)
    board.settle()
    return records


def _put(board: Shelf, amend: Callable[[Record], Record], record: Record) -> None:
    board.put(amend(record))


def _amended(record: Record, tuning: Tuning | None) -> Record:
    return record.model_copy(update={"tuning": tuning})


def missing(study: Study, folder: Path) -> list[TrialSpec]:
    """The trials that have no record yet."""
    done = existing(study, folder)
    return [spec for spec in study.specs if spec.trial_id not in done]


def watch(spec: TrialSpec, observers: list[Observer]) -> Watch:
    """What a trial tells its progress to: all observers."""

    def tell(progress: Progress) -> None:
        for observer in observers:
            observer.progress(spec, progress)

    return tell

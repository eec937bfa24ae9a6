"""Running a study: what is missing, one trial after another, each written the moment it is done.

The folder of records is the only memory. A run that was killed is started again with the same command
and does what has no record yet; records are written atomically, so a killed run leaves no half of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol as Interface

from reports.records.schema import Record, Tuning
from runners import processes
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials import costing, kept
from runners.trials.loop import Progress, Watch
from runners.trials.trial import Keeping, run_trial
from runners.work import checking, shelf
from runners.work.shelf import Found, Say, Shelf


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

    def keeping(self, folder: Path, put: Callable[[Record], object]) -> Keeping:
        """What of a trial outlives it."""
        return Keeping(put, folder, self.checkpoint_every, self.keep_models, self.say)


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
    stay = ("completed", "diverged")
    return {key: record for key, record in done.items() if not retry or record.status in stay}


@processes.together()
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
        SpecError: the folder's records are of other data, or of a model that was replaced.
        UnwrittenError: records could not be written; they were printed.
        PeerError: another process could not go on.
    """
    how = how or How()
    found = processes.by_first(partial(shelf.read, folder))  # so that all do the same trials
    shelf.warn_of(found.faulty, how.say)
    done = retried(_of(study, found), retry)
    checking.check_data(done, study.specs)
    checking.check_models(found.records, study.specs)
    board = Shelf(folder, how.say)
    records: list[Record] = []
    unkept = 0  # trained methods that are asked for, and gone
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
            if board.put(record):  # else the snapshot is all that a next run would have
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
            unkept += how.keep_models and record.status == "completed" and kept.find(folder, spec) is None
        if spec.costs is not None and record.status == "completed" and record.costs_from is None:
            measured.setdefault(spec.cost_id, spec.trial_id)
        records.append(record)
    if unkept:
        how.say(
            f"{unkept} of {len(records)} trials have a record already and no trained method in "
            f"{folder / kept.FOLDER}: only a training keeps one; another --out trains them again."
        )
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

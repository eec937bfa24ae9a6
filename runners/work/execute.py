"""Running a study: here are specs, give me records, each written the moment it is there.

The folder of records is the only memory. A run that was killed is started again with the same command
and does what has no record yet; records are written atomically, so a killed run leaves no half of one.
Where the trials are run is not known here: an executor is handed jobs and gives records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol as Interface

from reports.records.schema import Record
from runners import processes
from runners.executors.local import Local
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials import costing, kept
from runners.trials.jobs import Executor, Job
from runners.trials.loop import Progress
from runners.trials.trial import forget
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

    def job(self, spec: TrialSpec, study: str, folder: Path) -> Job:
        """A trial as a job."""
        return Job(spec, study, folder, checkpoint_every=self.checkpoint_every, keep_model=self.keep_models)


@dataclass(frozen=True)
class Ear:
    """Hears of one job, for the observers of a study and for its folder of records."""

    spec: TrialSpec
    observers: list[Observer]
    put: Callable[[Record], object]
    """Keeps a record whose score is known."""
    say: Say

    def started(self) -> None:
        """The trial begins."""
        for observer in self.observers:
            observer.started(self.spec)

    def progress(self, progress: Progress) -> None:
        """It goes on."""
        for observer in self.observers:
            observer.progress(self.spec, progress)

    def scored(self, record: Record) -> None:
        """Its score is known."""
        self.put(record)

    def finished(self, record: Record) -> None:
        """It has its record."""
        for observer in self.observers:
            observer.finished(self.spec, record)


class CostEar(Ear):
    """Hears of costs that are measured after the trial was finished."""

    def started(self) -> None:
        """They are measured now."""
        self.progress(Progress("costs"))


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
    again = ("failed", "out_of_memory")
    return {key: record for key, record in done.items() if not retry or record.status not in again}


@processes.together()
def run_study(
    study: Study,
    folder: Path,
    observers: list[Observer],
    *,
    retry: bool = False,
    how: How | None = None,
    executor: Executor | None = None,
) -> list[Record]:
    """Run the trials of a study that have no record yet, then measure what costs are missing.

    A trial in whose place there is a file that cannot be read is left out; the file is named.

    Args:
        study: what to run; its searches are done.
        folder: where records are.
        observers: are told what happens.
        retry: run again what failed or ran out of memory, and measure again what could not be measured.
        how: how it is run.
        executor: where it is run; None for here.

    Returns:
        The records of all trials.

    Raises:
        SpecError: the folder's records are of other data, or of a model that was replaced; or other processes
            are to run what was registered in this one.
        UnwrittenError: records could not be written; they were printed.
        PeerError: another process could not go on.
    """
    how = how or How()
    if executor is not None and not isinstance(executor, Local):
        checking.check_known_elsewhere(study.specs)
    found = processes.by_first(partial(shelf.read, folder))  # so that all do the same trials
    shelf.warn_of(found.faulty, how.say)
    done = retried(_of(study, found), retry)
    checking.check_data(done, study.specs)
    checking.check_models(found.records, study.specs)
    specs = [spec for spec in study.specs if not found.blocks(spec)]
    run = _Run(study, specs, folder, observers, how, executor or Local(), Shelf(folder, how.say), done)
    unkept = run.unkept()
    run.train()
    run.measure_costs(retry)
    if unkept:
        how.say(
            f"{unkept} of {len(specs)} trials have a record already and no trained method in "
            f"{folder / kept.FOLDER}: only a training keeps one; another --out trains them again."
        )
    run.board.settle()
    return [run.records[spec.trial_id] for spec in specs]


@dataclass
class _Run:
    """One run of a study: what there is, and the two phases of what is missing."""

    study: Study
    specs: list[TrialSpec]
    folder: Path
    observers: list[Observer]
    how: How
    executor: Executor
    board: Shelf
    done: dict[str, Record]
    """The records that were there before, as they are in the folder."""
    records: dict[str, Record] = field(default_factory=dict)
    """All that there are by now."""

    def __post_init__(self) -> None:
        for spec in self.specs:
            if spec.trial_id in self.done:
                # A search that went on may have chosen what it had chosen before: the trial is the same.
                self.records[spec.trial_id] = self._tuned(self.done[spec.trial_id])

    def unkept(self) -> int:
        """How many trained methods are asked for, and gone."""
        if not self.how.keep_models:
            return 0
        there = [spec for spec in self.specs if self._completed(spec)]
        return sum(kept.find(self.folder, spec) is None for spec in there)

    def train(self) -> None:
        """Run the trials that have no record."""
        ears: dict[str, Ear] = {}
        measured = self._measured()
        for spec in self.specs:
            if spec.trial_id in self.records:
                continue
            job = self.how.job(spec, self.study.name, self.folder)
            if spec.costs is not None:
                # With the first seed, which is expected to complete; where it does not, they come later.
                job = replace(job, costs_from=measured.get(spec.cost_id))
                measured.setdefault(spec.cost_id, spec.trial_id)
            ears[spec.trial_id] = Ear(spec, self.observers, self._put, self.how.say)
            self.executor.submit(job, ears[spec.trial_id])
        for _ in range(len(ears)):
            job, record = self.executor.next()
            if self._put(record):  # else the snapshot is all that a next run would have
                forget(job.spec, self.folder)
            ears[job.spec.trial_id].finished(self.records[job.spec.trial_id])

    def measure_costs(self, retry: bool) -> None:
        """Fill the gaps of records, one after another."""
        measured = self._measured()
        for spec in self.specs:
            before, owner = self.records[spec.trial_id], measured.get(spec.cost_id)
            record = costing.awaiting(before, spec, owner if owner != spec.trial_id else None)
            # What could not be measured in this very run is not tried again in it.
            if costing.to_fill(record, retry and spec.trial_id in self.done):
                job = replace(self.how.job(spec, self.study.name, self.folder), record=record)
                self.executor.submit(job, CostEar(spec, self.observers, self._put, self.how.say))
                _, record = self.executor.next()
            if (record == self.done.get(spec.trial_id, before) or self._put(record)) and not record.gaps:
                kept.forget(self.folder, spec)
            if self._completed(spec) and record.costs_from is None:
                measured.setdefault(spec.cost_id, spec.trial_id)

    def _measured(self) -> dict[str, str]:
        """The trial whose record has the costs, by what they are costs of."""
        found: dict[str, str] = {}
        for spec in self.specs:
            if self._completed(spec) and self.records[spec.trial_id].costs_from is None:
                found.setdefault(spec.cost_id, spec.trial_id)
        return found

    def _completed(self, spec: TrialSpec) -> bool:
        record = self.records.get(spec.trial_id)
        return record is not None and record.status == "completed"

    def _put(self, record: Record) -> bool:
        """Keep a record; return whether it is written."""
        record = self._tuned(record)
        self.records[record.trial_id] = record
        return self.board.put(record)

    def _tuned(self, record: Record) -> Record:
        return record.model_copy(update={"tuning": self.study.tunings.get(record.trial_id)})


def missing(study: Study, folder: Path) -> list[TrialSpec]:
    """The trials that have no record yet."""
    done = existing(study, folder)
    return [spec for spec in study.specs if spec.trial_id not in done]

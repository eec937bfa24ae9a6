"""What is handed to whoever runs trials, and what is heard of them meanwhile.

A job is plain data and a listener stays where the study is: a job can be done here, in another process or on
another machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

from reports.records.schema import Record
from runners.plan.spec import TrialSpec
from runners.trials import costing
from runners.trials.loop import Progress
from runners.trials.trial import Keeping, lost, run_trial


@dataclass(frozen=True)
class Job:
    """A trial to be run, or the costs of one to be measured."""

    spec: TrialSpec
    study: str = ""
    """Its name, for the record."""
    folder: Path | None = None
    """Of the study's records: beside them lie snapshots and trained methods."""
    costs_from: str | None = None
    """The trial whose record has the costs of this setting; None to measure them."""
    record: Record | None = None
    """Of a trial that is scored, with the gaps to be filled; None to run the trial."""
    checkpoint_every: int | None = None
    """Steps between two snapshots of a training; None makes none."""
    keep_model: bool = False
    """Whether the trained method is kept beside the records."""
    until: int | None = None
    """The step after which a trial of a search stops, to go on in another job or not; None for the last."""
    order: int = 0
    """Of the jobs that wait, those of the smallest number are done first, among equals in the order given."""


class Listener(Interface):
    """What a job tells while it is done; the record is told at the end, by the executor."""

    def started(self) -> None:
        """It begins."""

    def progress(self, progress: Progress) -> None:
        """It goes on."""

    def scored(self, record: Record) -> None:
        """The score is known; the costs may follow."""

    def say(self, line: str) -> None:
        """One line for the user."""


class Executor(Interface):
    """Does jobs, each by :func:`do`, in one place or another; equal jobs have equal scores everywhere."""

    @property
    def alone(self) -> bool:
        """Whether no job has a neighbour.

        Then costs are measured right after a training, model in hand. Else they are jobs of their own, with
        the machine for itself.
        """

    def submit(self, job: Job, listener: Listener) -> None:
        """Take a job."""

    def next(self) -> tuple[Job, Record]:
        """Wait for any job that was taken and not yet given back; it with its record."""


def do(
    job: Job,
    listener: Listener,
    run: Callable[..., Record] = run_trial,
    *,
    costs: bool = True,
    side_by_side: int | None = 1,
) -> Record:
    """Do a job here and now.

    Args:
        job: what is to be done.
        listener: is told what happens.
        run: turns a spec into a record.
        costs: whether a trial's costs are measured too; else they are gaps of its record.
        side_by_side: how many trials this machine trains at once, this one among them; None where that is
            not known.
    """
    listener.started()
    if job.record is not None:
        assert job.folder is not None
        return costing.fill(job.record, job.spec, job.folder)
    keeping = Keeping(listener.scored, job.folder, job.checkpoint_every, job.keep_model, listener.say)
    return run(
        job.spec,
        study=job.study,
        watch=listener.progress,
        costs_from=job.costs_from,
        keeping=keeping,
        costs=costs,
        until=job.until,
        side_by_side=side_by_side,
    )


def undone(job: Job, why: str, scored: Record | None = None) -> Record:
    """The record of a job that nobody could do to its end.

    A score that was told stands; costs that were to be measured are gaps, which a retry fills.

    Args:
        job: what was to be done.
        why: what happened, in one sentence.
        scored: what the job told when the score was known.
    """
    if job.record is not None:
        return job.record.model_copy(update={"gaps": dict.fromkeys(job.record.gaps, why)})
    return scored or lost(job.spec, why, study=job.study, costs_from=job.costs_from)

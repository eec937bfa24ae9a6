"""Running a study: what is missing, one trial after another, each written the moment it is done.

The folder of records is the only memory. A run that was killed is started again with the same command
and does what has no record yet; records are written atomically, so a killed run leaves no half of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol as Interface

from filelock import FileLock, Timeout

import tasks
from reports.records.schema import Record
from reports.records.store import read_records, write_record
from runners import device, models
from runners.plan.spec import SpecError, TrialSpec
from runners.plan.study import Study
from runners.work import batches
from runners.work.training import Progress
from runners.work.trial import Watch, run_trial


class Observer(Interface):
    """Whoever watches a study run: a terminal, W&B. Nothing depends on it."""

    def started(self, spec: TrialSpec) -> None:
        """A trial begins."""

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """A trial goes on."""

    def finished(self, spec: TrialSpec, record: Record) -> None:
        """A trial has its record."""


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Hold the folder of a study: two runs at once would do the same trials twice.

    The lock is the operating system's and ends with the process, however it ends.

    Raises:
        SpecError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise SpecError(
            f"another run is at work in {folder}: wait for it, or choose another --out."
        ) from None
    try:
        yield
    finally:
        lock.release()


def check(study: Study) -> None:
    """Find out before the first trial what would end them all: data, models.

    Raises:
        DataError, ModelError: one sentence on what is missing and what to do.
    """
    specs = [*study.specs, *(search.default for search in study.searches)]
    for model in dict.fromkeys(spec.model for spec in specs):
        models.config(model)
        models.tokenizer(model)
    for task, data in dict.fromkeys((spec.task, spec.data) for spec in specs):
        batches.load(tasks.get(task).name, data)


def existing(study: Study, folder: Path) -> dict[str, Record]:
    """The records of a study's trials in a folder, by trial id.

    A trial that was tuned and the same one with fixed settings train the same, and are two records.
    """
    ids = {spec.trial_id for spec in study.specs}
    found = read_records(folder) if any(folder.glob("*.json")) else []
    return {
        record.trial_id: record
        for record in found
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
    run: Callable[..., Record] = run_trial,
) -> list[Record]:
    """Run the trials of a study that have no record yet; return the records of all.

    Args:
        study: what to run; its searches are done.
        folder: where records are.
        observers: are told what happens.
        retry: run again what failed or ran out of memory.
        run: turns a spec into a record.

    Raises:
        SpecError: the folder's records are of other data.
    """
    done = retried(existing(study, folder), retry)
    check_data(done, study.specs)
    records = []
    for spec in study.specs:
        tuning = {"tuning": study.tunings.get(spec.trial_id)}
        kept = done.get(spec.trial_id)
        if kept is not None:
            # A search that went on may have chosen what it had chosen before: the trial is the same.
            record = kept.model_copy(update=tuning)
            if record != kept and device.is_main_process():
                write_record(record, folder)
            records.append(record)
            continue
        for observer in observers:
            observer.started(spec)
        record = run(spec, study=study.name, watch=watch(spec, observers)).model_copy(update=tuning)
        if device.is_main_process():
            write_record(record, folder)
        records.append(record)
        for observer in observers:
            observer.finished(spec, record)
    return records


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

"""Running the trials of a study with a live table, for the commands that do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners.cli.executors import Where
from runners.cli.options import err, say, speaks
from runners.cli.stopping import StopCheck

if TYPE_CHECKING:
    from reports.records.schema import Record
    from runners.plan.parts import Part
    from runners.plan.study import Study
    from runners.trials.jobs import Executor
    from runners.work.execute import How, Observer


def run_trials(
    study: Study,
    folder: Path,
    *,
    wandb: bool,
    retry: bool,
    how: How | None = None,
    where: Where | None = None,
    part: Part | None = None,
    typed: Mapping[str, Any] | None = None,
) -> list[Record]:
    """Run what is missing of a study, with a live table on the terminal.

    Args:
        study: what to run, of a part that part of it.
        folder: of the records.
        wandb: whether W&B is told of it.
        retry: run again what failed or ran out of memory.
        how: how it is run.
        where: where it is run; None for here.
        part: which part of a study it is; None for the whole.
        typed: the content of its file, which is kept beside the records; None where there is one.
    """
    if part is not None and not (study.specs or study.searches):
        say(f"Part {part} has no trials: there are fewer settings than parts.")
        return []
    with err.status("Reading data and models ..."):
        from reports.stats.busy import caution, neighbours
        from runners import device
        from runners.cli.live import LiveTable
        from runners.work import checking, execute, shelf

        how, where = how or execute.How(say=say), where or Where()
        checking.check(study, how.say if speaks() else lambda line: None)
        device.settle()
    observers: list[Observer] = [StopCheck()]
    if wandb and speaks():
        from runners.work.tracking import Tracker

        observers.append(Tracker(study, Path(), warn=say))
    with shelf.sole_owner(folder, len(execute.missing(study, folder)), part), where.executor() as executor:
        if typed is not None and device.is_first_process():
            _keep(typed, folder)
        study = _searched(study, folder, observers, retry, how, where, executor)
        with LiveTable(study, execute.existing(study, folder), err, where.lanes) as live:
            records = execute.run_study(
                study, folder, [live, *observers], retry=retry, how=how, executor=executor
            )
    for sentence in filter(None, (neighbours(records), caution(records))):
        say(sentence)
    return records


def _keep(typed: Mapping[str, Any], folder: Path) -> None:
    """Keep what was typed as a study file beside its records, and say where."""
    from runners.plan.typed import keep

    try:
        say(f"As a study file: {keep(typed, folder)}")
    except OSError as error:  # the records, which matter, are looked after by themselves
        say(f"What was typed could not be kept as a study file in {folder} ({error.strerror}).")


def _searched(
    study: Study,
    folder: Path,
    observers: list[Observer],
    retry: bool,
    how: How,
    where: Where,
    executor: Executor | None,
) -> Study:
    """The study with its trials known: at once, or after its searches."""
    if not study.searches:
        return study
    from runners.cli.live_search import LiveSearch
    from runners.work.search import run_searches

    with LiveSearch(study, err, where.lanes) as live:
        return run_searches(
            study, folder, [live, *observers], told=live.told, retry=retry, how=how, executor=executor
        )

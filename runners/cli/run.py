"""``paretune run``: a study of any kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runners.cli import intrinsic, latency, plan
from runners.cli.options import (
    CheckpointEvery,
    Data,
    Json,
    KeepModels,
    Out,
    Retry,
    Wandb,
    begins,
    err,
    out,
    processes,
    say,
    speaks,
)
from runners.cli.stopping import StopCheck

if TYPE_CHECKING:
    from reports.records.schema import Record
    from runners.plan.study import Study
    from runners.work.execute import How, Observer


MOST_TOLD = 20
"""Gaps that are listed."""


def run(
    study: Annotated[str, typer.Argument(help="A YAML file, or a built-in study (see `paretune studies`).")],
    out_dir: Out = None,
    data: Data = None,
    wandb: Wandb = False,
    retry: Retry = False,
    keep_models: KeepModels = False,
    checkpoint_every: CheckpointEvery = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what it would take, as `paretune plan`, and run nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Run the trials of a study that have no record yet."""
    from reports.records.cuts import much_cut
    from reports.records.tuning import how_set
    from runners.plan.errors import SpecError
    from runners.plan.intrinsic import parse_intrinsic_study
    from runners.plan.latency_study import parse_latency_study
    from runners.plan.study import content as content_of
    from runners.plan.study import parse_study

    content = content_of(study)
    folder = out_dir or Path("results") / str(content["name"])
    if dry_run:
        if processes() > 1:
            raise SpecError(
                f"--dry-run tells of one process, received {processes()}: start it without a launcher."
            )
        plan.show(content, folder, data, retry=retry, json_=json_)
        return
    if content.get("kind") == "latency":
        if processes() > 1:
            raise SpecError(
                f"a study of latency runs in one process, received {processes()}: start it without a "
                "launcher."
            )
        if keep_models or checkpoint_every:
            raise SpecError(
                "a study of latency trains nothing: leave out --keep-models and --checkpoint-every."
            )
        timed = parse_latency_study(content)
        begins(timed.title, timed.size, folder)
        latency.run_study(timed, folder, json_)
        if not json_:
            _say_where(folder)
        return
    if content.get("kind") == "intrinsic":
        searched = parse_intrinsic_study(content, data)
        begins(searched.title, searched.size, folder)
        how = _how(checkpoint_every, keep_models)
        intrinsic.run_study(searched, folder, json_, retry=retry, how=how)
        return
    parsed = parse_study(content, data)
    begins(parsed.title, parsed.size, folder)
    how = _how(checkpoint_every, keep_models)
    records = run_trials(parsed, folder, wandb=wandb, retry=retry, how=how)
    if json_:
        print(json.dumps([record.model_dump(mode="json") for record in records]))
    else:
        out.print(f"Settings: {how_set(records)}", soft_wrap=True)
        for sentence in much_cut(records):
            out.print(sentence, soft_wrap=True, markup=False, highlight=False)
        _say_where(folder)
    gaps = say_gaps(records)
    missing = len(parsed.specs) > len(records)
    if gaps or missing or any(record.status in ("failed", "out_of_memory") for record in records):
        raise typer.Exit(1)


def _how(checkpoint_every: int | None, keep_models: bool) -> How:
    from runners.work.execute import How

    return How(checkpoint_every, keep_models, say)


def say_gaps(records: Sequence[Record]) -> bool:
    """Name the costs that could not be measured, if there are any; return whether there are."""
    found = [(record, part, why) for record in records for part, why in record.gaps.items()]
    for record, part, why in found[:MOST_TOLD]:
        which = f"{record.spec['task']} / {record.spec['method']} / seed {record.spec['seed']}"
        say(f"{which}: {part} was not measured ({why}); --retry measures it, without training.")
    if len(found) > MOST_TOLD:
        say(f"... and {len(found) - MOST_TOLD} more.")
    return bool(found)


def _say_where(folder: Path) -> None:
    out.print(f"Records: {folder}", soft_wrap=True)
    out.print(f"Page:    paretune report {folder} --out {folder / 'site'}", soft_wrap=True)


def run_trials(
    study: Study, folder: Path, *, wandb: bool, retry: bool, how: How | None = None
) -> list[Record]:
    """Run what is missing of a study, with a live table on the terminal."""
    with err.status("Reading data and models ..."):
        from reports.stats.busy import caution
        from runners.cli.live import LiveTable
        from runners.work import checking, execute, shelf

        how = how or execute.How(say=say)
        checking.check(study, how.say if speaks() else lambda line: None)
    observers: list[Observer] = [StopCheck()]
    if wandb and speaks():
        from runners.work.tracking import Tracker

        observers.append(Tracker(study, Path(), warn=say))
    with shelf.sole_owner(folder, len(execute.missing(study, folder))):
        study = _searched(study, folder, observers, retry, how)
        with LiveTable(study, execute.existing(study, folder), err) as live:
            records = execute.run_study(study, folder, [live, *observers], retry=retry, how=how)
    if slowed := caution(records):
        say(slowed)
    return records


def _searched(study: Study, folder: Path, observers: list[Observer], retry: bool, how: How) -> Study:
    """The study with its trials known: at once, or after its searches."""
    if not study.searches:
        return study
    from runners.cli.live_search import LiveSearch
    from runners.work.search import run_searches

    with LiveSearch(study, err) as live:
        return run_searches(study, folder, [live, *observers], told=live.told, retry=retry, how=how)

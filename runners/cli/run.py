"""``paretune run``: a study of any kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports import yaml_text
from runners.cli import asked, intrinsic, latency, plan
from runners.cli.executors import LOCAL, Where
from runners.cli.options import (
    Address,
    CheckpointEvery,
    CpusPerTrial,
    Data,
    ExecutorName,
    GpusPerTrial,
    Json,
    KeepModels,
    Limit,
    OnlyThese,
    Out,
    PartOf,
    Retry,
    Wandb,
    Workers,
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
    from runners.plan.parts import Part
    from runners.plan.study import Study
    from runners.trials.jobs import Executor
    from runners.work.execute import How, Observer


MOST_TOLD = 20
"""Gaps that are listed."""


def run(
    study: Annotated[
        str | None,
        typer.Argument(
            help="A YAML file, or a built-in study (see `paretune studies`). Or --task and --method."
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Hub id, folder or `embedded`; may be repeated. [default: embedded, or of the study]",
        ),
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="See `paretune tasks`; may be repeated.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", help="NAME or NAME:KEY=VALUE,..; may be repeated.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="How many, such as 3, or which, such as 0,5,7. [default: 1]")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Of every training. [default: 3 epochs]")
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option("--protocol", help="KEY=VALUE of the training protocol; may be repeated."),
    ] = None,
    no_costs: Annotated[
        bool,
        typer.Option("--no-costs", help="Train and score alone: no memory, latency, FLOPs and serving."),
    ] = False,
    limit: Limit = None,
    only: OnlyThese = None,
    out_dir: Out = None,
    data: Data = None,
    wandb: Wandb = False,
    retry: Retry = False,
    keep_models: KeepModels = False,
    checkpoint_every: CheckpointEvery = None,
    workers: Workers = None,
    executor: ExecutorName = LOCAL,
    address: Address = None,
    cpus_per_trial: CpusPerTrial = None,
    gpus_per_trial: GpusPerTrial = None,
    part: PartOf = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what it would take, as `paretune plan`, and run nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Run the trials of a study that have no record yet.

    The study is a file, or what --task, --method and others say. What is typed is kept as a file beside the
    records, study.yaml, to go on from.
    """
    from reports.records.cuts import much_cut
    from reports.records.tuning import how_set
    from runners.plan.errors import SpecError
    from runners.plan.intrinsic import parse_intrinsic_study
    from runners.plan.latency_study import parse_latency_study
    from runners.plan.only import Only, chosen
    from runners.plan.parts import Part
    from runners.plan.study import parse_study
    from runners.plan.typed import Typed

    where = Where(workers, executor, address, cpus_per_trial, gpus_per_trial)
    where.check()
    own = Part.parse(part) if part is not None else None
    these = Only.parse(only) if only else None
    typed = Typed(model or (), task or (), method or (), seeds, steps, protocol or (), no_costs)
    content = typed.content(data, limit) if study is None else typed.beside(study)
    folder, kind = out_dir or Path("results") / str(content["name"]), content.get("kind")
    asked.check(
        str(kind),
        {
            "--keep-models": keep_models,
            "--checkpoint-every": checkpoint_every,
            "--workers": workers,
            "--executor": executor != LOCAL,
            "--part": own,
            "--only": these,
            "--limit": limit,
        },
    )
    if dry_run:
        if processes() > 1:
            raise SpecError(
                f"--dry-run tells of one process, received {processes()}: start it without a launcher."
            )
        if study is None and not json_:
            out.print(yaml_text.dump(content), markup=False, highlight=False, soft_wrap=True)
        plan.show(
            *(content, folder, data),
            workers=workers,
            part=own,
            only=these,
            limit=limit,
            retry=retry,
            json_=json_,
        )
        return
    if kind == "latency":
        timed = parse_latency_study(content)
        begins(timed.title, timed.size, folder)
        latency.run_study(timed, folder, json_)
        if not json_:
            _say_where(folder)
        return
    if kind == "intrinsic":
        searched = parse_intrinsic_study(content, data)
        begins(searched.title, searched.size, folder, searched.notes)
        how = _how(checkpoint_every, keep_models)
        intrinsic.run_study(searched, folder, json_, retry=retry, how=how, where=where)
        return
    parsed = chosen(parse_study(content, data, limit), own, these)
    begins(parsed.title, parsed.size, folder, parsed.notes)
    how, kept = _how(checkpoint_every, keep_models), content if study is None else None
    records = run_trials(parsed, folder, wandb=wandb, retry=retry, how=how, where=where, part=own, typed=kept)
    if json_:
        print(json.dumps([record.model_dump(mode="json") for record in records]))
    else:
        if records:
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

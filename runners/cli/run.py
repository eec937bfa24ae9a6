"""``paretune run``: a study of any kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reports import yaml_text
from runners.cli import asked, complete, intrinsic, latency, plan, serve_cost
from runners.cli.executors import LOCAL, Where
from runners.cli.options import (
    KEYS,
    METHOD,
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
    Options,
    Out,
    PartOf,
    Retry,
    Seeds,
    Wandb,
    Workers,
    begins,
    out,
    processes,
    say,
)
from runners.cli.outcome import undone
from runners.cli.trials import run_trials

if TYPE_CHECKING:
    from runners.work.execute import How


def run(
    context: typer.Context,
    study: Annotated[
        str | None,
        typer.Argument(
            help="A YAML file, or a built-in study (see `paretune studies`). Or --task and --method.",
            show_default="what --task and --method say",
            autocompletion=complete.studies,
        ),
    ] = None,
    options: Options = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Hub id, folder or `embedded`; may be repeated.",
            show_default="the study's; else embedded",
            autocompletion=complete.models,
        ),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            metavar="TASK",
            help="See `paretune tasks`; may be repeated.",
            show_default="the study's",
            autocompletion=complete.tasks,
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help=METHOD,
            show_default="the study's",
            autocompletion=complete.methods,
        ),
    ] = None,
    seeds: Seeds = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            min=1,
            help="Of every training.",
            show_default="the study's; else 3 epochs",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            metavar="KEY=VALUE",
            help=KEYS,
            show_default="the study's",
            autocompletion=complete.protocol,
        ),
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
    from runners.plan.only import Only, chosen
    from runners.plan.parts import Part
    from runners.plan.study import parse_study
    from runners.plan.typed import Typed

    where = Where(workers, executor, address, cpus_per_trial, gpus_per_trial)
    where.check()
    own = Part.parse(part) if part is not None else None
    these = Only.parse(only) if only else None
    study, pairs = _study_or_option(study, options or [])
    typed = Typed(model or (), task or (), method or (), seeds, steps, protocol or (), no_costs, pairs)
    content = typed.content(data, limit) if study is None else typed.beside(study)
    asked.check(content, asked.given(context))
    folder, kind = out_dir or Path("results") / str(content["name"]), content.get("kind")
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
        _time(content, folder, json_)
        return
    if kind == "serving":
        _serve(content, folder, json_)
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
    if undone(records, len(parsed.specs)):
        raise typer.Exit(1)


def _time(content: Mapping[str, Any], folder: Path, json_: bool) -> None:
    """Run a study of latency."""
    from runners.plan.latency_study import parse_latency_study

    study = parse_latency_study(content)
    begins(study.title, study.size, folder)
    whole = latency.run_study(study, folder, json_)
    if not json_:
        _say_where(folder)
    if not whole:
        raise typer.Exit(1)


def _serve(content: Mapping[str, Any], folder: Path, json_: bool) -> None:
    """Run a study of serving."""
    from runners.plan.serving_study import parse_serving_study

    study = parse_serving_study(content)
    begins(study.title, study.size, folder)
    whole = serve_cost.run_study(study, folder, json_)
    if not json_:
        _say_where(folder)
    if not whole:
        raise typer.Exit(1)


def _study_or_option(study: str | None, options: list[str]) -> tuple[str | None, list[str]]:
    """The study and the options of a method: the first word is a study, if there is no `=` or a file."""
    if study is not None and "=" in study and not Path(study).is_file():
        return None, [study, *options]
    return study, options


def _how(checkpoint_every: int | None, keep_models: bool) -> How:
    from runners.work.execute import How

    return How(checkpoint_every, keep_models, say)


def _say_where(folder: Path) -> None:
    out.print(f"Records: {folder}", soft_wrap=True)
    out.print(f"Page:    paretune report {folder} --out {folder / 'site'}", soft_wrap=True)

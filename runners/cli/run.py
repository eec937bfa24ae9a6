"""``paretune run``: a study of any kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from runners.cli import intrinsic, latency
from runners.cli.options import Data, Json, Out, Retry, Wandb, err, out

if TYPE_CHECKING:
    from reports.records.schema import Record
    from runners.plan.study import Study
    from runners.work.execute import Observer


def run(
    study: Annotated[str, typer.Argument(help="A YAML file, or a built-in study (see `paretune studies`).")],
    out_dir: Out = None,
    data: Data = None,
    wandb: Wandb = False,
    retry: Retry = False,
    json_: Json = False,
) -> None:
    """Run the trials of a study that have no record yet."""
    from reports.records.tuning import how_set
    from runners.plan.intrinsic import parse_intrinsic_study
    from runners.plan.latency_study import parse_latency_study
    from runners.plan.study import content as content_of
    from runners.plan.study import parse_study

    content = content_of(study)
    folder = out_dir or Path("results") / str(content["name"])
    if content.get("kind") == "latency":
        latency.run_study(parse_latency_study(content), folder, json_)
        if not json_:
            _say_where(folder)
        return
    if content.get("kind") == "intrinsic":
        intrinsic.run_study(parse_intrinsic_study(content, data), folder, json_, retry=retry)
        return
    records = run_trials(parse_study(content, data), folder, wandb=wandb, retry=retry)
    if json_:
        print(json.dumps([record.model_dump(mode="json") for record in records]))
    else:
        out.print(f"Settings: {how_set(records)}", soft_wrap=True)
        _say_where(folder)
    if any(record.status in ("failed", "out_of_memory") for record in records):
        raise typer.Exit(1)


def _say_where(folder: Path) -> None:
    out.print(f"Records: {folder}", soft_wrap=True)
    out.print(f"Page:    paretune report {folder} --out {folder / 'site'}", soft_wrap=True)


def run_trials(study: Study, folder: Path, *, wandb: bool, retry: bool) -> list[Record]:
    """Run what is missing of a study, with a live table on the terminal."""
    from runners import device
    from runners.cli.live import LiveTable
    from runners.work import execute

    with err.status("Reading data and models ..."):
        execute.check(study)
    observers: list[execute.Observer] = []
    main_process = device.is_main_process()
    console = err if main_process else Console(quiet=True)
    if wandb and main_process:
        from runners.work.tracking import Tracker

        observers.append(Tracker(study, Path(), warn=lambda line: console.print(line, markup=False)))
    if not main_process:
        study = _searched(study, folder, observers, console, retry)
        return execute.run_study(study, folder, observers, retry=retry)
    with execute.sole_owner(folder):
        study = _searched(study, folder, observers, console, retry)
        with LiveTable(study, execute.existing(study, folder), console) as live:
            return execute.run_study(study, folder, [live, *observers], retry=retry)


def _searched(study: Study, folder: Path, observers: list[Observer], console: Console, retry: bool) -> Study:
    """The study with its trials known: at once, or after its searches."""
    if not study.searches:
        return study
    from runners.cli.live_search import LiveSearch
    from runners.work.search import run_searches

    with LiveSearch(study, console) as live:
        return run_searches(study, folder, [live, *observers], told=live.told, retry=retry)

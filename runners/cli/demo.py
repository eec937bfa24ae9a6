"""``paretune demo``: the quickstart study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runners.cli.executors import Where
from runners.cli.options import Json, Retry, Wandb, Workers, begins, speaks
from runners.cli.outcome import undone
from runners.cli.report import write_page
from runners.cli.trials import run_trials


def demo(
    json_: Json = False,
    wandb: Wandb = False,
    retry: Retry = False,
    workers: Workers = None,
    out_dir: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Of the records.")] = Path(
        "results/demo"
    ),
) -> None:
    """Compare nine methods on real sentences, offline, in minutes; ends with the path of the page."""
    from runners.plan.study import read_study

    where = Where(workers)
    where.check()
    study = read_study("demo")
    begins(study.title, study.size, out_dir)
    records = run_trials(study, out_dir, wandb=wandb, retry=retry, where=where)
    incomplete = undone(records, len(study.specs))
    if speaks():
        write_page(records, out_dir / "site", json_)
    if incomplete:
        raise typer.Exit(1)

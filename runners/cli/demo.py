"""``paretune demo``: the quickstart study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runners.cli.executors import Where
from runners.cli.options import Json, Wandb, Workers, begins, speaks
from runners.cli.report import write_page
from runners.cli.run import run_trials, say_gaps


def demo(
    json_: Json = False,
    wandb: Wandb = False,
    workers: Workers = None,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the records.")] = Path("results/demo"),
) -> None:
    """Compare nine methods on real sentences, offline, in minutes; ends with the path of the page."""
    from runners.plan.study import read_study

    where = Where(workers)
    where.check()
    study = read_study("demo")
    begins(study.title, study.size, out_dir)
    records = run_trials(study, out_dir, wandb=wandb, retry=False, where=where)
    say_gaps(records)
    if speaks():
        write_page(records, out_dir / "site", json_)

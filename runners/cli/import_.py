"""``paretune import``: what other suites measured, as records of our schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from runners.cli.help import Command, Group
from runners.cli.options import Json, out

Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Of the records.")]

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Turn results of other suites into records; a page shows them apart from ours.",
)


@app.callback()
def _group() -> None:
    """Keep the suite's name a command of its own, though there is only one so far."""


@app.command(cls=Command)
def peft(
    files: Annotated[
        list[Path], typer.Argument(help="Result files of PEFT's method_comparison, or folders of them.")
    ],
    out_dir: Out,
    json_: Json = False,
) -> None:
    """Import results of the PEFT library's own comparison (MetaMathQA).

    What they do not tell stays missing, failed runs stay failed, and the whole file is kept in the record. Of
    several runs of one experiment the most recent counts.
    """
    from reports.records.files import find
    from reports.records.peft_comparison import latest, read_peft_result
    from reports.records.store import write_record

    found = [read_peft_result(path) for path in find(files).trials]
    records = latest(found)
    written = [write_record(record, out_dir) for record in records]
    if json_:
        print(json.dumps([str(path) for path in written]))
        return
    older = len(found) - len(records)
    failed = sum(record.status != "completed" for record in records)
    out.print(
        f"{len(records)} records in {out_dir}"
        + (f", {failed} of them did not complete" if failed else "")
        + (f"; {older} older runs of the same experiments left out" if older else ""),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    out.print(f"Page: paretune report {out_dir} --out {out_dir / 'site'}", markup=False, soft_wrap=True)

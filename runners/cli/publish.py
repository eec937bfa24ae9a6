"""``paretune publish``: a site to a folder or to the Hugging Face hub, its tables to W&B."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from runners.cli.options import Json

SHOWN = 20
"""Files listed one by one; a site of many records has thousands."""


def publish(
    site: Annotated[Path, typer.Argument(help="A folder that `paretune report` made.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="PLACE",
            help="hf://spaces/NAME, hf://datasets/NAME, or a folder.",
            show_default="nowhere: --wandb alone",
        ),
    ] = None,
    wandb: Annotated[
        bool, typer.Option("--wandb", help="Log the tables to Weights & Biases; offline unless logged in.")
    ] = False,
    send: Annotated[
        bool, typer.Option("--send", help="Do it; without it, only say what would be sent.")
    ] = False,
    json_: Json = False,
) -> None:
    """Say what would be sent where; send it with --send.

    On the hub a Space serves the pages and a dataset shows the tables. The token is that of `hf auth login`
    or HF_TOKEN.
    """
    from reports import text
    from runners.share import publish as work

    if to is None and not wandb:
        raise work.PublishError("nowhere to publish to: give --to, or --wandb.")
    target = work.parse_target(to) if to is not None else None
    # Looked at without another target as well: W&B gets the tables of a site, and of nothing else.
    found = work.files(site, target or work.Target("folder", ""))
    tables = [file for file in found if isinstance(file.content, Path) and file.path.endswith(".csv")]
    done: list[str] = []
    if send and target:
        done.append(work.send(found, target))
    if send and wandb:
        from runners.work.tracking import log_tables

        done.append(log_tables([file.content for file in tables if isinstance(file.content, Path)], Path()))
    if json_:
        print(
            json.dumps(
                {
                    "to": target.told if target else None,
                    "wandb": [file.path for file in tables] if wandb else [],
                    "files": {file.path: file.size for file in found} if target else {},
                    "bytes": sum(file.size for file in found) if target else 0,
                    "sent": send,
                    "at": done,
                }
            )
        )
        return
    out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    if target:
        # What lies on top first: a site's own pages, not the documents below `api/`.
        for file in sorted(found, key=lambda file: (file.path.count("/"), file.path))[:SHOWN]:
            out.print(f"{text.size(file.size):>8}  {text.clean(file.path)}", markup=False)
        if len(found) > SHOWN:
            out.print(f"... and {len(found) - SHOWN:,} more")
        what = f"{text.plural(len(found), 'file')}, {text.size(sum(file.size for file in found))}"
        out.print(f"{'Sent' if send else 'Would send'} {what}, to {target.told}.", markup=False)
    if wandb:
        names = text.listing([file.path for file in tables])
        out.print(f"{'Logged' if send else 'Would log'} to Weights & Biases: {names}.", markup=False)
    for where in done:
        out.print(where, markup=False)
    if not send:
        out.print("Nothing was sent: add --send.", markup=False)

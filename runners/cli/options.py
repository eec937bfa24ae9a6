"""What several commands share: their consoles, tables and options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

out, err = Console(), Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
Wandb = Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases; offline unless logged in.")]
Retry = Annotated[bool, typer.Option("--retry", help="Run again what failed or ran out of memory.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the records. [default: results/STUDY]")]
Data = Annotated[
    str | None, typer.Option("--data", help="Folder with the tasks' data, in the layout of nyu-mll/glue.")
]


def table(*columns: str) -> Table:
    """An empty table; numbers are on the right."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = column in ("parameters", "of the base", "trials")
        made.add_column(column, justify="right" if numeric else "left", no_wrap=column in ("task", "study"))
    return made

"""What several commands share: their consoles, tables and options."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from runners.cli import complete

# What is printed holds users' labels, paths and names: `[x]` and `:cat:` in them are no markup.
out, err = Console(markup=False, emoji=False), Console(stderr=True, markup=False, emoji=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
Wandb = Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases; offline unless logged in.")]
Retry = Annotated[
    bool, typer.Option("--retry", help="Run again what failed or ran out of memory, and costs that miss.")
]
KeepModels = Annotated[
    bool, typer.Option("--keep-models", help="Keep every trained method beside its record, in models/.")
]
CheckpointEvery = Annotated[
    int | None,
    typer.Option(
        "--checkpoint-every",
        metavar="N",
        min=1,
        help="Steps between snapshots of a training, from which a killed one goes on.",
        show_default="no snapshots",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Run so many trials side by side, each with its share of the cores; costs are measured alone, "
        "afterwards.",
        show_default="one trial after another",
    ),
]
ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="NAME",
        help="Where trials are run: `local`, or `ray` for a cluster.",
        autocompletion=complete.words("local", "ray"),
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Of the Ray cluster, or `auto`.",
        show_default="Ray on this machine",
    ),
]
CpusPerTrial = Annotated[
    float | None,
    typer.Option(
        "--cpus-per-trial", metavar="X", help="CPUs of a trial on a cluster, and threads.", show_default="1"
    ),
]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-trial",
        metavar="X",
        help="GPUs of a trial on a cluster, or a part of one.",
        show_default="1 where there is one",
    ),
]
PartOf = Annotated[
    str | None,
    typer.Option(
        "--part",
        metavar="I/N",
        help="Run only the I-th of N parts, as one of several machines.",
        show_default="the whole",
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="N",
        help="How many, such as 3, or which, such as 0,5,7.",
        show_default="the study's; else 1",
    ),
]
OnlyThese = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="KEY=VALUE",
        help="Run only some trials of it; model, task, method or seed, such as method=lora:rank=4. May be "
        "repeated: values of one key are alternatives, keys have to agree.",
        show_default="all",
        autocompletion=complete.only,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        help="Train on at most so many examples, and score as many of each split: to try something out.",
        show_default="as the study says",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Of the records.", show_default="results/STUDY"),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="With the tasks' data, in the layout of nyu-mll/glue: one folder for each, such as mrpc.",
        show_default="the study's, or from the hub",
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Options of the method, as in NAME:KEY=VALUE.",
        show_default="the method's own",
    ),
]
Size = Annotated[
    str,
    typer.Argument(
        help="A hub id, folder, config.json, `embedded`, or a known size such as `gpt3-175b`.",
        autocompletion=complete.sizes,
    ),
]
DTYPES: Final = ("float32", "bfloat16", "float16")
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        metavar="DTYPE",
        help="float32, bfloat16 or float16.",
        autocompletion=complete.words(*DTYPES),
    ),
]
Lengths = Annotated[
    str, typer.Option("--length", metavar="N,N,..", help="Input lengths in tokens, such as 16,128.")
]
Width = Annotated[
    float,
    typer.Option(
        "--width", metavar="X", min=0.0001, max=1, help="Go on until every interval of a ratio is narrower."
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", metavar="N", min=1, help="Threads of a CPU.", show_default="torch's"),
]
METHOD: Final = "NAME or NAME:KEY=VALUE,..; may be repeated."
KEYS: Final = "KEY=VALUE of the training protocol; may be repeated."


def numbers(typed: str, option: str) -> list[int]:
    """Read ``1,16,256``, each once.

    Raises:
        SpecError: it is something else.
    """
    from runners.plan.errors import SpecError

    try:
        found = [int(part) for part in typed.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise SpecError(f"received {option} {typed!r}, expected whole numbers of at least 1, such as 1,8.")
    return list(dict.fromkeys(found))


def say(line: str) -> None:
    """Show one line to the user, beside whatever is drawn."""
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def begins(title: str, size: str, folder: Path, notes: Iterable[str] = ()) -> None:
    """Show what was read and is begun with: torch is imported next, which takes seconds."""
    say(f"{title}: {size}; records go to {folder}.")
    for note in notes:
        say(note)


def speaks() -> bool:
    """Whether this process talks to the user: of those that a launcher started, the first."""
    return _launched(("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK"), 0) == 0


def processes() -> int:
    """How many processes a launcher started."""
    return _launched(("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"), 1)


def _launched(names: tuple[str, ...], alone: int) -> int:
    return next((int(os.environ[name]) for name in names if name in os.environ), alone)


@contextmanager
def one_speaks() -> Iterator[None]:
    """Only the first process prints; what ends another one is shown all the same."""
    if speaks():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """An empty table: words on the left, then numbers on the right.

    On a narrow terminal numbers stay whole, with their headings, and words go on in the next line.
    """
    numbers = list(numbers)
    made = Table(box=None, pad_edge=False, collapse_padding=bool(numbers), header_style="bold")
    for column in columns:
        numeric = column in ("parameters", "of the base", "trials", "hours")
        whole = numeric or column in ("task", "study")
        made.add_column(column, justify="right" if numeric else "left", no_wrap=whole, overflow="fold")
    for column in numbers:
        made.add_column(column, justify="right", no_wrap=True, overflow="fold")
    return made

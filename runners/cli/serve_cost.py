"""``paretune serve-cost``: many tasks of a method from one base, and studies of the same kind."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from runners.cli import complete
from runners.cli.options import DTYPES, Dtype, Json, Lengths, Options, Threads, Width, err, numbers, say
from runners.cli.outcome import noting
from runners.cli.served_tables import show

if TYPE_CHECKING:
    from runners.plan.contenders import Choice
    from runners.plan.serving_study import ServingStudy


def serve_cost(
    model: Annotated[
        str,
        typer.Argument(
            help="A hub id, folder, `embedded`, or a known size such as `gpt2-medium`.",
            autocompletion=complete.sizes,
        ),
    ],
    options: Options = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="NAME or NAME:KEY=VALUE,KEY=VALUE; may be given several times.",
            show_default="all that a bank serves",
            autocompletion=complete.methods,
        ),
    ] = None,
    tasks: Annotated[
        str, typer.Option("--tasks", metavar="N,N,..", help="Numbers of tasks on the base.")
    ] = "1,16,256",
    batch: Annotated[
        str, typer.Option("--batch", metavar="N,N,..", help="Batch sizes, such as 1,8.")
    ] = "1,8,32",
    length: Lengths = "16",
    mix: Annotated[
        str,
        typer.Option(
            "--mix",
            metavar="MIX",
            help="How rows of a batch draw their tasks: uniform, zipf, or one for all.",
            autocompletion=complete.words("uniform", "zipf", "one"),
        ),
    ] = "uniform",
    no_arrivals: Annotated[
        bool, typer.Option("--no-arrivals", help="Simulate no requests that arrive one by one.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="X",
            min=0.001,
            help="Requests a second that are simulated.",
            show_default="about half of what the base serves",
        ),
    ] = None,
    limit: Annotated[
        float,
        typer.Option(
            "--limit", metavar="MS", min=0.001, help="Within which 99 of 100 requests have to be answered."
        ),
    ] = 1000.0,
    width: Width = 0.02,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", metavar="S", min=0.1, help="Time limit of each batch size and number of tasks."
        ),
    ] = 30.0,
    dtype: Dtype = "float32",
    threads: Threads = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="Of weights, tasks, inputs and their order.")
    ] = 0,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Keep the records here, for `paretune report`.",
            show_default="nothing is kept",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Measure what many tasks of a method cost on one base: in memory, to switch, and mixed in one batch.

    A batch whose rows belong to several tasks is served mixed (each row with its own task's tensors), task
    after task, and, where the method merges, by merging each task in turn; all are timed interleaved, beside
    the untouched base. Tasks have random values of about the size that training gives them: what they cost
    does not depend on it.
    """
    from reports import text
    from reports.records.serving_schema import Mix
    from runners.known import location
    from runners.plan.contenders import parse_contenders
    from runners.plan.errors import SpecError
    from runners.plan.serving_study import Asked, AskedArrivals, ServingStudy

    for given, valid, what in ((dtype, DTYPES, "dtype"), (mix, get_args(Mix), "mix")):
        if given not in valid:
            from methods.errors import nearest

            raise SpecError(f"received the {what} {given!r}; {nearest(given, valid)}.")
    location(model)
    asked = Asked(
        sorted(numbers(tasks, "--tasks")),
        sorted(numbers(batch, "--batch")),
        sorted(numbers(length, "--length")),
        mix=mix,  # type: ignore[arg-type]
        width=width,
        seconds=seconds,
        seed=seed,
    )
    choices = parse_contenders(method or (), options or ()) or served(model)
    arriving = None if no_arrivals else AskedArrivals(rate=rate, limit_ms=limit)
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    title = "Many tasks from one base"
    study = ServingStudy("", title, "", model, dtype, tuple(choices), asked, arriving)  # type: ignore[arg-type]
    say(f"{study.size}: about {text.seconds(study.most_seconds)} at the most.")
    if not run_study(study, out_dir, json_):
        raise typer.Exit(1)


def served(model: str) -> list[Choice]:
    """The methods that a bank serves, as far as this model can carry them."""
    import methods
    from runners.plan.contenders import contenders

    return [one for one in contenders(model, None, also_free=True) if methods.get(one.method).served]


def run_study(study: ServingStudy, folder: Path | None, json_: bool) -> bool:
    """Run a study of serving and print its tables; return whether every batch could be measured."""
    from runners.measure.serving.cost import Watch
    from runners.work import serving_study, shelf

    left_out: list[str] = []
    owned = shelf.sole_owner(folder, len(study.choices)) if folder is not None else nullcontext()
    with owned, err.status(f"{study.title} ...") as status:
        watch = Watch(lambda what: status.update(f"{what} ..."), noting(left_out))
        records = serving_study.run(study, folder, watch=watch, done=(lambda record: None) if json_ else show)
    if json_:
        print(json.dumps([record.model_dump(mode="json") for record in records]))
    return not left_out

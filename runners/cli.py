"""The ``paretune`` command."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from runners import (
    cli_claims,
    cli_flops,
    cli_import,
    cli_intrinsic,
    cli_latency,
    cli_lists,
    cli_memory,
    cli_publish,
    cli_validate,
)

if TYPE_CHECKING:
    from reports.schema import Record
    from runners.execute import Observer
    from runners.study import Study

app = typer.Typer(
    name="paretune",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which tuning method should I pick? One protocol for every method, and what each costs.",
)
out, err = Console(), Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
Wandb = Annotated[bool, typer.Option("--wandb", help="Log to Weights & Biases; offline unless logged in.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the records. [default: results/STUDY]")]


def main() -> None:
    """Run the command; a mistake of the user ends with one sentence and exit code 2."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        app()
    except KeyboardInterrupt:
        err.print("Stopped. Records are kept: the same command goes on with what is missing.")
        sys.exit(130)
    except ValueError as error:
        if not _is_for_the_user(error):
            raise
        from reports import text

        err.print(f"error: {text.clean(error, 2000)}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


def _is_for_the_user(error: ValueError) -> bool:
    """Whether the message of an error was written as a sentence for the user."""
    from methods import MethodError
    from reports import RecordError
    from runners.models import ModelError
    from runners.publish import PublishError
    from runners.spec import SpecError
    from tasks import DataError, TaskError

    ours = MethodError | TaskError | DataError | ModelError | SpecError | RecordError | PublishError
    return isinstance(error, ours)


@app.command()
def demo(
    json_: Json = False,
    wandb: Wandb = False,
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the records.")] = Path("results/demo"),
) -> None:
    """Compare nine methods on real sentences, offline, in minutes; ends with the path of the page."""
    from runners import study as studies

    study = studies.read("demo")
    records = _run(study, out_dir, wandb=wandb, retry=False)
    _write_page(records, out_dir / "site", json_)


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="A YAML file, or a built-in study (see `paretune studies`).")],
    out_dir: Out = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Folder with the tasks' data, in the layout of nyu-mll/glue.")
    ] = None,
    wandb: Wandb = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Run again what failed or ran out of memory.")
    ] = False,
    json_: Json = False,
) -> None:
    """Run the trials of a study that have no record yet."""
    from reports.tuning import how_set
    from runners import intrinsic, latency_study
    from runners import study as studies

    content = studies.content(study)
    folder = out_dir or Path("results") / str(content["name"])
    if content.get("kind") == "latency":
        cli_latency.run_study(latency_study.parse(content), folder, json_)
        if not json_:
            _say_where(folder)
        return
    if content.get("kind") == "intrinsic":
        cli_intrinsic.run_study(intrinsic.parse(content, data), folder, json_, retry=retry)
        return
    read = studies.parse(content, data)
    records = _run(read, folder, wandb=wandb, retry=retry)
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


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="Record files, or folders of them.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the page.")],
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    json_: Json = False,
) -> None:
    """Write the comparison as pages with their tables as data; records of claims make a page of verdicts."""
    from reports.latency import located_latencies
    from reports.origins import origins
    from reports.records import located_records
    from runners import claims

    trials, timed = located_records(results), located_latencies(results)
    known = origins({**trials, **timed})
    judged, records, latencies = claims.sort_out(list(trials.values()), list(timed.values()), known)
    options: dict[str, Any] = {"title": title} if title else {}
    _write_page(records, out_dir, json_, latencies=latencies, origins=known, claims=judged, **options)


app.command()(cli_intrinsic.intrinsic)
app.command()(cli_latency.latency)
app.command()(cli_memory.memory)
app.command()(cli_flops.flops)
app.command()(cli_claims.claims)
app.command()(cli_validate.validate)
app.add_typer(cli_import.app, name="import")
app.command()(cli_publish.publish)
app.command()(cli_lists.methods)
app.command()(cli_lists.tasks)
app.command()(cli_lists.studies)


@app.command()
def count(
    model: Annotated[
        str, typer.Argument(help="A hub id, folder, config.json, `embedded`, or e.g. `gpt3-175b`.")
    ],
    method: Annotated[str, typer.Argument(help="A method, see `paretune methods`.")],
    options: Annotated[
        list[str] | None, typer.Argument(help="Options as KEY=VALUE.", metavar="[KEY=VALUE]...")
    ] = None,
    labels: Annotated[int, typer.Option(min=1, help="Outputs of the task head.")] = 2,
    json_: Json = False,
) -> None:
    """Count a method's parameters on any model, without loading weights.

    Some published architectures are known by name and need no download: bert-base, bert-large, roberta-base,
    roberta-large, deberta-v2-xxlarge, gpt2, gpt2-medium, gpt2-large, gpt2-xl and gpt3-175b.
    """
    import methods
    from runners import models
    from runners.contenders import parse_option

    methods.get(method)
    values = dict(parse_option(text) for text in options or [])
    adapted = methods.apply(models.skeleton(model, labels), method, **values)
    counts = adapted.parameter_counts()
    stored = adapted.stored_count()
    result = {
        "model": model,
        "method": method,
        "options": adapted.options.model_dump(mode="json"),
        **counts,
        "parts": adapted.parts(),
        "stored": stored,
        "trainable_share": counts["method"] / counts["base"],
    }
    if json_:
        print(json.dumps(result))
        return
    table = cli_lists.table("", "parameters", "of the base")
    rows = [("base", counts["base"]), (method, counts["method"])]
    rows += [(f"  {part}", size) for part, size in adapted.parts().items() if len(adapted.parts()) > 1]
    rows += [("  kept in a checkpoint", stored)] if stored != counts["method"] else []
    rows += [("task head", counts["head"]), ("trainable", counts["trainable"])]
    for name, size in rows:
        table.add_row(name, f"{size:,}", f"{size / counts['base']:.4%}")
    out.print(table)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="A folder that `save()` of a trained method made.")],
    format_: Annotated[str, typer.Option("--format", help="The library that shall read it: peft.")] = "peft",
    model: Annotated[
        str | None,
        typer.Option(help="Its base: hub id, folder or `embedded`. [default: what it was trained on]"),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder to write. [default: CHECKPOINT/FORMAT]")
    ] = None,
    json_: Json = False,
) -> None:
    """Write a trained method for another library; of its base only the configuration is read."""
    import methods
    from methods.errors import nearest
    from runners import models
    from runners.spec import SpecError

    writers = {"peft": methods.export_peft}
    if format_ not in writers:
        raise SpecError(f"there is no format {format_!r}; {nearest(format_, writers)}.")
    saved = methods.Checkpoint.read(checkpoint)
    base = model or saved.model.get("name")
    if base is None:
        raise SpecError(f"{checkpoint} does not say what it was trained on: give its base with --model.")
    skeleton = models.skeleton(base, saved.model.get("num_labels", 2), saved.model.get("class"))
    folder = writers[format_](skeleton, saved, out_dir or checkpoint / format_)
    files = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
    if json_:
        print(json.dumps({"folder": str(folder), "base": base, "bytes": files}))
    else:
        print(folder)


def _run(study: Study, folder: Path, *, wandb: bool, retry: bool) -> list[Record]:
    """Run what is missing of a study, with a live table on the terminal."""
    from runners import device, execute
    from runners.live import LiveTable

    with err.status("Reading data and models ..."):
        execute.check(study)
    observers: list[execute.Observer] = []
    main_process = device.is_main_process()
    console = err if main_process else Console(quiet=True)
    if wandb and main_process:
        from runners.tracking import Tracker

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
    from runners.live_search import LiveSearch
    from runners.search import run_searches

    with LiveSearch(study, console) as live:
        return run_searches(study, folder, [live, *observers], told=live.told, retry=retry)


def _write_page(records: list[Record], folder: Path, json_: bool, **options: Any) -> None:
    """Write the site; the path of its first page is the last line of standard output."""
    from reports import build_site
    from runners.catalogue import catalogue

    page = build_site(records, folder, catalogue=catalogue(), **options).resolve()
    if json_:
        count = len(records) + sum(len(claim.records) for claim in options.get("claims", ()))
        print(json.dumps({"page": str(page), "records": count}))
    else:
        print(page)


if __name__ == "__main__":
    main()

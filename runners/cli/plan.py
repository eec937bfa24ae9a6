"""``paretune plan``: what a study will take, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runners.cli import asked, complete
from runners.cli.options import Data, Json, Limit, OnlyThese, Out, PartOf, Seeds, err, out, say, speaks, table

if TYPE_CHECKING:
    from runners.plan.forecast import Forecast
    from runners.plan.latency_study import LatencyStudy
    from runners.plan.only import Only
    from runners.plan.parts import Part
    from runners.plan.serving_study import ServingStudy
    from runners.plan.study import Study

WORKERS = (2, 4, 8)
"""Numbers of workers whose hours are told, beside those asked for."""


def plan(
    context: typer.Context,
    study: Annotated[
        str,
        typer.Argument(
            help="A YAML file, or a built-in study (see `paretune studies`).", autocompletion=complete.studies
        ),
    ],
    out_dir: Out = None,
    data: Data = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Hub id, folder, `embedded`; may be repeated.",
            show_default="the study's",
            autocompletion=complete.models,
        ),
    ] = None,
    seeds: Seeds = None,
    limit: Limit = None,
    only: OnlyThese = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="Tell the hours on so many as well.",
            show_default="1, 2, 4 and 8 alone",
        ),
    ] = None,
    part: PartOf = None,
    retry: Annotated[bool, typer.Option("--retry", help="Plan what failed once more.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Time no training step: within a factor of two.")
    ] = False,
    json_: Json = False,
) -> None:
    """Tell what a study will take: trials, examples, hours here and on several workers, memory, disk.

    Nothing is trained. Data and models are checked as a run checks them. What has a record already is not
    planned again. To tell the time, a few steps of two methods are taken for each model and thrown away.
    """
    from runners.plan.only import Only
    from runners.plan.parts import Part
    from runners.plan.typed import Typed

    own = Part.parse(part) if part is not None else None
    these = Only.parse(only) if only else None
    content = Typed(model or (), seeds=seeds).beside(study)
    asked.check(content, asked.given(context))
    folder = out_dir or Path("results") / str(content["name"])
    chosen: dict[str, Any] = {"part": own, "only": these, "limit": limit, "retry": retry, "quick": quick}
    show(content, folder, data, workers=workers, json_=json_, **chosen)


def show(
    content: dict[str, Any],
    folder: Path,
    data: str | None = None,
    *,
    workers: int | None = None,
    part: Part | None = None,
    only: Only | None = None,
    limit: int | None = None,
    retry: bool = False,
    quick: bool = False,
    json_: bool = False,
) -> None:
    """Print the forecast of a study of any kind.

    Args:
        content: of its file.
        folder: of its records.
        data: a data folder that replaces the study's own.
        workers: whose hours are told as well.
        part: which part of a study of trials; None for all.
        only: which trials of a study of trials; None for all.
        limit: the most examples that a trial takes; None as the study says.
        retry: what failed is planned once more.
        quick: no step is timed.
        json_: print JSON.

    Raises:
        SpecError, DataError, ModelError: as of a run.
    """
    from runners.plan.intrinsic import parse_intrinsic_study
    from runners.plan.latency_study import parse_latency_study
    from runners.plan.only import chosen
    from runners.plan.serving_study import parse_serving_study
    from runners.plan.study import parse_study

    if content.get("kind") == "latency":
        _show_latency(parse_latency_study(content), json_)
        return
    if content.get("kind") == "serving":
        _show_serving(parse_serving_study(content), json_)
        return
    if content.get("kind") == "intrinsic":
        searched = parse_intrinsic_study(content, data)
        parsed, at_most = searched.step(searched.specs), True
        parsed = replace(parsed, notes=searched.notes)
    else:
        parsed, at_most = chosen(parse_study(content, data, limit), part, only), False
    for note in parsed.notes:
        say(note)
    found = _forecast(parsed, folder, retry, quick, at_most)
    numbers = sorted({1, *WORKERS, *([workers] if workers else [])})
    if json_:
        print(json.dumps(_told(parsed, found, numbers)))
    else:
        _print(parsed, found, numbers)


def _forecast(study: Study, folder: Path, retry: bool, quick: bool, at_most: bool) -> Forecast:
    from runners.work import checking
    from runners.work.forecast import forecast

    with err.status("Reading data and models ...") as status:
        checking.check(study, say if speaks() else lambda line: None)
        return forecast(study, folder, quick=quick, retry=retry, at_most=at_most, told=status.update)


def _told(study: Study, found: Forecast, numbers: Sequence[int]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "study": study.name,
        "at_most": found.at_most,
        "rows": [{**asdict(row), "total_seconds": row.total} for row in found.rows],
        "trials": sum(row.trials for row in found.rows),
        "missing": found.missing,
        "examples": sum(row.examples for row in found.rows),
        "seconds": found.stages(),
        "workers": [
            {
                "workers": number,
                "seconds_here": found.here(number) if number <= found.machine.cores else None,
                "seconds_on_as_many_machines": found.elsewhere(number),
                "peak_bytes": found.peak_bytes(number),
            }
            for number in numbers
        ],
        "machine": asdict(found.machine),
        "disk": found.disk(),
        "assumed": list(found.assumed),
    }


def _print(study: Study, found: Forecast, numbers: Sequence[int]) -> None:
    from reports import text

    out.print(f"{study.title} · {study.settings}", highlight=False, markup=False)
    _print_rows(found)
    if not found.missing and not found.load.costs:
        out.print("Everything has its record: a run would do nothing.")
        return
    most = "at most " if found.at_most else ""
    stages = [f"{name} {text.seconds(value)}" for name, value in found.stages().items() if value]
    _line(f"Here, one trial after another: {most}{text.seconds(found.load.alone)} ({', '.join(stages)}).")
    _print_workers(found, numbers)
    disk = {name: text.size(value) for name, value in found.disk().items()}
    _line(
        f"Disk: records about {disk['records']}, {disk['records_most']} at most; with --keep-models "
        f"{disk['models']} more; with --checkpoint-every {disk['snapshot']} for each worker meanwhile."
    )
    fit = [number for number in numbers if number <= found.machine.cores]
    short = [number for number in fit if (found.peak_bytes(number) or 0) > found.machine.free_bytes]
    if short:
        _line(
            f"Warning: {text.plural(short[0], 'worker')} may need {text.size(found.peak_bytes(short[0]))} of "
            f"memory, and {text.size(found.machine.free_bytes)} are free."
        )
    for sentence in found.assumed:
        _line(sentence)


def _print_rows(found: Forecast) -> None:
    from reports import text

    models = len({row.model for row in found.rows}) > 1
    shown = table(*(["model"] if models else []), "task", "method")
    for column in ("trials", "examples", "memory", "time", "training"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in found.rows:
        trials = str(row.trials) if row.missing == row.trials else f"{row.missing} of {row.trials}"
        shown.add_row(
            *([row.model] if models else []),
            row.task,
            row.method,
            trials,
            text.count(row.examples),
            text.size(row.peak_bytes),
            text.seconds(row.total),
            text.seconds(row.seconds["training"]),
        )
    out.print(shown)


def _print_workers(found: Forecast, numbers: Sequence[int]) -> None:
    from reports import text

    if not found.missing:
        return
    shown = table("workers")
    for column in ("side by side here", "memory", "on as many machines"):
        shown.add_column(column, justify="right")
    for number in numbers:
        fits = number <= found.machine.cores  # a run takes no more than one a core
        here = (found.here(number), found.peak_bytes(number)) if fits else (None, None)
        shown.add_row(
            str(number), text.seconds(here[0]), text.size(here[1]), text.seconds(found.elsewhere(number))
        )
    out.print(shown)
    neighbours = (
        f"share the {text.plural(found.machine.devices, 'accelerator')} and gain nothing where two have one"
        if found.machine.devices
        else f"share {text.plural(found.machine.cores, 'core')}, at least one each: two with one thread do "
        "1.3 times the work of one with two threads"
    )
    _line(
        f"Workers here {neighbours}. Machines are taken to be like this one. A search waits for its last "
        "trial, trials for all searches; costs come at the end, one after another."
    )


def _show_latency(study: LatencyStudy, json_: bool) -> None:
    from reports import text

    if json_:
        told = {"study": study.name, "at_most": True, "rows": [], "cells": len(study.cells)}
        print(json.dumps({**told, "missing": 0, "seconds": {"latency": study.most_seconds}}))
        return
    out.print(study.title, highlight=False, markup=False)
    _line(
        f"{text.plural(len(study.cells), 'input')} x {text.plural(len(study.choices), 'method')}, nothing is "
        f"trained: at most {text.seconds(study.most_seconds)}, and the time to read the model."
    )


def _show_serving(study: ServingStudy, json_: bool) -> None:
    from reports import text

    grid = study.asked
    batches = len(grid.tasks) * len(grid.batches) * len(grid.lengths)
    if json_:
        told = {"study": study.name, "at_most": True, "rows": [], "cells": batches}
        print(json.dumps({**told, "missing": 0, "seconds": {"serving": study.most_seconds}}))
        return
    out.print(study.title, highlight=False, markup=False)
    _line(
        f"{text.plural(batches, 'batch size')} x {text.plural(len(study.choices), 'method')}, nothing is "
        f"trained: about {text.seconds(study.most_seconds)} at the most, and the time to read the model."
    )


def _line(sentence: str) -> None:
    out.print(sentence, markup=False, highlight=False, soft_wrap=True)

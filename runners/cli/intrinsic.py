"""``paretune intrinsic``: how many dimensions of a random subspace are enough; studies of the same kind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runners.cli import complete
from runners.cli.executors import Where
from runners.cli.options import (
    KEYS,
    Data,
    Json,
    Options,
    Retry,
    Workers,
    begins,
    err,
    out,
    say,
    speaks,
    table,
)
from runners.cli.outcome import undone
from runners.cli.stopping import StopCheck

if TYPE_CHECKING:
    from reports.records.schema import Record
    from reports.stats.intrinsic import Curve
    from runners.plan.intrinsic import IntrinsicStudy
    from runners.plan.names import Names
    from runners.plan.spec import TrialSpec
    from runners.trials.loop import Progress
    from runners.work.execute import How

DEFAULTS = "intrinsic"
"""The built-in study whose settings hold where the command line gives none."""
STUDYS = "the built-in study's"


def intrinsic(
    model: Annotated[
        str, typer.Argument(help="A hub id, folder or `embedded`.", autocompletion=complete.models)
    ],
    task: Annotated[str, typer.Argument(help="A task, see `paretune tasks`.", autocompletion=complete.tasks)],
    options: Options = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="NAME or NAME:KEY=VALUE,.. that trains in a subspace.",
            show_default=f"{STUDYS} method",
            autocompletion=complete.methods,
        ),
    ] = None,
    dimensions: Annotated[
        str | None,
        typer.Option(
            "--dimensions",
            metavar="D,D,..",
            help="The grid of d, such as 16,64,256.",
            show_default=f"{STUDYS} grid",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", metavar="N", min=1, help="Seeds of every trial.", show_default=f"{STUDYS} seeds"
        ),
    ] = None,
    rates: Annotated[
        str | None,
        typer.Option(
            "--learning-rates",
            metavar="X,X,..",
            help="To choose from for every d, on the selection split.",
            show_default=f"{STUDYS} rates",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            "--protocol",
            metavar="KEY=VALUE",
            help=KEYS,
            show_default=f"{STUDYS} protocol",
            autocompletion=complete.protocol,
        ),
    ] = None,
    data: Data = None,
    out_dir: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Of the records.")] = Path(
        "results/intrinsic"
    ),
    retry: Retry = False,
    workers: Workers = None,
    json_: Json = False,
) -> None:
    """Find d90, the smallest dimension that reaches 90 % of full fine-tuning's score.

    Beside it stands the dimension that reaches 90 % of the gain over the majority class. Full fine-tuning is
    trained first; what has a record in the folder is not run again. The last line is the page's path.
    """
    from runners.plan import study as studies
    from runners.plan.contenders import parse_contenders, parse_options
    from runners.plan.intrinsic import parse_intrinsic_study
    from runners.plan.levels import overlaid

    where = Where(workers)
    where.check()
    content = studies.content(DEFAULTS)
    tuned = parse_options(protocol or [])
    same = (studies.entry(item, "task") for item in content["tasks"])
    of_task = next((item.protocol for item in same if item.name == task), {})
    content["protocol"] = overlaid(
        ("the study's protocol", content.get("protocol", {})),
        (f"the task {task}", of_task),
        ("--protocol", tuned),
    )
    content |= {"model": model, "tasks": [task]}
    for choice in parse_contenders([] if method is None else [method], options or ()):
        content["method"] = {"method": choice.method, "options": dict(choice.options)}
    if dimensions is not None:
        content["dimensions"] = sorted(set(_numbers(dimensions, "--dimensions", int)))
    if rates is not None:
        content["learning_rates"] = _numbers(rates, "--learning-rates", float)
    if seeds is not None:
        content["seeds"] = list(range(seeds))
    parsed = parse_intrinsic_study(content, data)
    begins(parsed.title, parsed.size, out_dir)
    run_study(parsed, out_dir, json_, retry=retry, where=where)


def run_study(
    study: IntrinsicStudy,
    folder: Path,
    json_: bool,
    *,
    retry: bool = False,
    how: How | None = None,
    where: Where | None = None,
) -> None:
    """Run a study of intrinsic dimension, print its answers and write its page."""
    from runners.plan.names import Names
    from runners.work import intrinsic, shelf
    from runners.work.execute import How

    with err.status("Reading data and models ...") as status:
        lines = _Lines(status, Names(study.specs))
        with shelf.sole_owner(folder, len(study.specs)), (where or Where()).executor() as executor:
            how = how or How(say=say)
            records = intrinsic.run(
                study, folder, [StopCheck(), lines], say=say, retry=retry, how=how, executor=executor
            )
    whole = not undone(records)
    if speaks():
        _present(records, folder, json_)
    if not whole:
        raise typer.Exit(1)


def _present(records: Sequence[Record], folder: Path, json_: bool) -> None:
    """Print the answers, and write the pages."""
    from reports import build_site
    from reports.stats.intrinsic import curves
    from runners.share.catalogue import catalogue

    found = curves(records)
    page = build_site(records, folder / "site", catalogue=catalogue()).resolve()
    page = page.parent / "intrinsic.html" if found else page
    if json_:
        print(json.dumps({"page": str(page), "records": len(records), "curves": [_plain(c) for c in found]}))
        return
    show(found)
    print(page)


def show(found: Sequence[Curve]) -> None:
    """Print every curve with its answer."""
    from reports import text
    from reports.records.published import dimensions_on
    from reports.stats.intrinsic import lines, sentences

    words = {None: "–", True: "reached", False: "not reached"}
    for curve in found:
        out.print(f"\n{curve.task} on {curve.model}, {curve.method}", style="bold", highlight=False)
        of = ("90 % of\nthe score", "90 % of\nthe gain")
        made = table(numbers=("d", curve.metric, "95 %\ninterval", "seeds", "rate", *of))
        for line in lines(curve):
            score = line.point.score
            made.add_row(
                text.count(line.point.dimension),
                text.score(score.value),
                text.score_range(score.interval) if score.interval else "–",
                str(score.n),
                "–" if line.point.learning_rate is None else f"{line.point.learning_rate:g}",
                words[line.score_passes],
                words[line.gain_passes],
            )
        out.print(made)
        for sentence in sentences(curve):
            out.print(sentence, markup=False, highlight=False)
        for row in dimensions_on(curve.task):
            out.print(
                f"Published: {row.method} on {row.model}, d90 = {row.dimension:,} ({row.source}).",
                style="dim",
                markup=False,
                highlight=False,
            )


def _plain(curve: Curve) -> dict[str, Any]:
    """A curve as JSON, with both answers."""
    from reports.stats.intrinsic import THRESHOLDS

    found = {of: curve.found(of) for of in THRESHOLDS}
    return {**asdict(curve), "found": {of: asdict(one) if one else None for of, one in found.items()}}


class _Lines:
    """Prints a line for every trial, and says what runs."""

    def __init__(self, status: Any, names: Names) -> None:
        self.status = status
        self.names = names

    def started(self, spec: TrialSpec) -> None:
        """A trial begins."""
        self.status.update(f"{self.names.trial(spec)} ...")

    def progress(self, spec: TrialSpec, progress: Progress) -> None:
        """A trial goes on."""
        steps = f" {progress.step}/{progress.steps}" if progress.steps else ""
        self.status.update(f"{self.names.trial(spec)}: {progress.phase}{steps}")

    def finished(self, spec: TrialSpec, record: Record) -> None:
        """A trial has its record."""
        from reports import text

        outcome = f"{record.status}: {record.message}"
        if record.status == "completed" and record.scores and record.task:
            outcome = text.score(record.scores.report.get(record.task.main_metric))
        say(f"{self.names.trial(spec)}: {outcome} ({text.seconds(record.wall_seconds)})")


def _numbers(text: str, option: str, kind: type[Any]) -> list[Any]:
    from runners.plan.errors import SpecError

    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        what = "whole numbers such as 16,64,256" if kind is int else "numbers such as 0.1,0.3"
        raise SpecError(f"received {option} {text!r}, expected {what}.") from None

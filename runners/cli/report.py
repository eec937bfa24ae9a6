"""``paretune report``: records as a site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runners.cli.options import Json, err

if TYPE_CHECKING:
    from reports.records.schema import Record


def report(
    results: Annotated[list[Path], typer.Argument(help="Record files, or folders of them.")],
    out_dir: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Of the pages.")],
    title: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Heading of the page.", show_default="Which tuning method should I pick?"
        ),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="By how much a method may be worse and still be called as good: in points of the score on "
            "one task, in shares of what can be gained on several.",
        ),
    ] = 0.01,
    strict: Annotated[
        bool, typer.Option("--strict", help="Make no page if any file has to be left out.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write the comparison as pages with their tables as data; records of claims make a page of verdicts.

    A file with a fault is named and left out, and so is one that repeats another.
    """
    from reports import RecordError, text
    from reports.records.reading import read_all
    from reports.stats.sections import repeats
    from runners.work import claims

    reading = read_all(results)
    judged, records, latencies, servings = claims.sort_out(
        list(reading.trials.values()),
        list(reading.latencies.values()),
        reading.origins,
        list(reading.servings.values()),
    )
    left_out = [f"{text.clean(path, 500)}: {reason}" for path, reason in reading.left_out.items()]
    again = dict(repeats(records, reading.origins))
    left_out += again.values()
    records = [record for index, record in enumerate(records) if index not in again]
    for sentence in left_out:
        err.print(f"left out: {text.clean(sentence, 1000)}", markup=False, highlight=False, soft_wrap=True)
    if strict and left_out:
        count = text.plural(len(left_out), "record")
        raise RecordError(f"{count} had to be left out, and --strict makes no page then.")
    options: dict[str, Any] = {"title": title} if title else {}
    write_page(
        records,
        out_dir,
        json_,
        latencies=latencies,
        servings=servings,
        origins=reading.origins,
        claims=judged,
        unmeasured=claims.unmeasured(judged),
        margin=margin,
        left_out=left_out,
        **options,
    )


def write_page(records: list[Record], folder: Path, json_: bool, **options: Any) -> None:
    """Write the site; the path of its first page is the last line of standard output."""
    from reports import build_site
    from runners.share.catalogue import catalogue

    page = build_site(records, folder, catalogue=catalogue(), **options).resolve()
    if json_:
        count = len(records) + sum(len(claim.records) for claim in options.get("claims", ()))
        print(
            json.dumps({"page": str(page), "records": count, "left_out": list(options.get("left_out", ()))})
        )
    else:
        print(page)

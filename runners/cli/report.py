"""``paretune report``: records as a site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runners.cli.options import Json

if TYPE_CHECKING:
    from reports.records.schema import Record


def report(
    results: Annotated[list[Path], typer.Argument(help="Record files, or folders of them.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Folder of the page.")],
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    json_: Json = False,
) -> None:
    """Write the comparison as pages with their tables as data; records of claims make a page of verdicts."""
    from reports.records.latency_files import located_latencies
    from reports.records.origins import origins
    from reports.records.store import located_records
    from runners.work import claims

    trials, timed = located_records(results), located_latencies(results)
    known = origins({**trials, **timed})
    judged, records, latencies = claims.sort_out(list(trials.values()), list(timed.values()), known)
    options: dict[str, Any] = {"title": title} if title else {}
    write_page(records, out_dir, json_, latencies=latencies, origins=known, claims=judged, **options)


def write_page(records: list[Record], folder: Path, json_: bool, **options: Any) -> None:
    """Write the site; the path of its first page is the last line of standard output."""
    from reports import build_site
    from runners.share.catalogue import catalogue

    page = build_site(records, folder, catalogue=catalogue(), **options).resolve()
    if json_:
        count = len(records) + sum(len(claim.records) for claim in options.get("claims", ()))
        print(json.dumps({"page": str(page), "records": count}))
    else:
        print(page)

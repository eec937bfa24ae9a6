"""``paretune claims``: run the studies that test a claim, and write the page of verdicts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from runners.cli import complete
from runners.cli.executors import Where
from runners.cli.options import Data, Json, Retry, Workers, err, out, say
from runners.cli.outcome import noting, undone
from runners.cli.stopping import StopCheck

if TYPE_CHECKING:
    from reports.claims import Judgement
    from runners.plan.claims import ClaimStudy
    from runners.work.execute import Observer

STYLES = {"supported": "green", "not supported": "red", "not decided": "yellow"}


def claims(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            help="Claims (see --list), or study files with a claim.",
            show_default="all built-in ones",
            autocompletion=complete.claims,
        ),
    ] = None,
    out_dir: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="Of the page and, by claim, of the records."),
    ] = Path("results/claims"),
    data: Data = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Run nothing; judge the records that are there.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Say what is claimed, and run nothing.")] = False,
    workers: Workers = None,
    retry: Retry = False,
    json_: Json = False,
) -> None:
    """Put what is claimed of these methods to the test; again after a stop: does what has no record yet.

    Every claim's rule stands in its study file, written before measuring. All of them take hours.
    """
    from runners.plan.claims import names, read_claim

    _check(list_, report_only, workers, retry)
    where = Where(workers)
    where.check()
    read = [read_claim(which, data) for which in name or names()]
    items = list({item.name: item for item in read}.values())
    if list_:
        _list(items, json_)
        return
    from reports.site.claims import write_claims_page
    from runners.work import claims as work

    ran = [_run(item, out_dir / item.name, where, retry) for item in items if not report_only]
    judgements = [work.judged(item, out_dir / item.name) for item in items]
    page = write_claims_page(judgements, out_dir).resolve()
    if json_:
        verdicts = [_as_data(judgement) for judgement in judgements]
        print(json.dumps({"page": str(page), "claims": verdicts}))
    else:
        _show(judgements)
        print(page)
    if not all(ran):
        raise typer.Exit(1)


def _check(list_: bool, report_only: bool, workers: int | None, retry: bool) -> None:
    """Refuse what says something to a run where nothing is run.

    Raises:
        SpecError: one sentence.
    """
    from reports import text
    from runners.plan.errors import SpecError

    typed = {"--report-only": report_only, "--workers": workers, "--retry": retry}
    reason = "--list" if list_ else "--report-only" if report_only else None
    if reason and (useless := [name for name, value in typed.items() if value and name != reason]):
        raise SpecError(f"received {reason}, which runs nothing: leave out {text.listing(useless)}.")


def _run(item: ClaimStudy, folder: Path, where: Where, retry: bool) -> bool:
    """Run a claim's study; where its data or model is not here, say so and go on with the next.

    Returns:
        Whether nothing of it misses.
    """
    from runners.cli.live import LiveTable
    from runners.errors import ModelError
    from runners.plan.study import Study
    from runners.work import claims as work
    from runners.work import execute
    from tasks import DataError

    say(f"{item.claim.number}. {item.claim.statement}")
    try:
        if isinstance(item.study, Study):
            done = execute.existing(item.study, folder)
            with LiveTable(item.study, done, err, where.lanes) as live, where.executor() as executor:
                observers: list[Observer] = [StopCheck(), live]
                records = work.run(item, folder, say=say, observers=observers, executor=executor, retry=retry)
            return not undone(records, len(item.study.specs))
        left_out: list[str] = []
        with err.status(f"{item.study.title} ..."):
            work.run(item, folder, say=noting(left_out))
        return not left_out
    except (DataError, ModelError) as error:
        say(f"The claim {item.name} was not run: {error}")
        return False


def _list(items: list[ClaimStudy], json_: bool) -> None:
    if json_:
        rows = [
            {
                "name": item.name,
                "number": item.claim.number,
                "statement": item.claim.statement,
                "source": item.claim.source,
                "study": item.study.description,
                "parts": [part.model_dump(mode="json") for part in item.claim.parts],
            }
            for item in items
        ]
        print(json.dumps(rows))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "name", "claim", "study"):
        table.add_column(column, no_wrap=column == "name")
    for item in items:
        table.add_row(str(item.claim.number), item.name, item.claim.statement, item.study.description)
    out.print(table)


def _show(judgements: list[Judgement]) -> None:
    from reports.tables.claims import MARKS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "claim", "verdict", "found", "records"):
        table.add_column(column, justify="right" if column == "records" else "left")
    for judgement in judgements:
        table.add_row(
            str(judgement.claim.number),
            judgement.claim.statement,
            Text(judgement.verdict, style=STYLES[judgement.verdict]),
            "\n".join(
                f"{MARKS[finding.verdict]} {part.says} {finding.told}"
                for part, finding in zip(judgement.claim.parts, judgement.findings, strict=True)
            ),
            str(judgement.rests_on),
        )
    out.print(table, highlight=False)


def _as_data(judgement: Judgement) -> dict[str, Any]:
    """A verdict with the numbers of its parts; an open end of an interval is null."""
    parts = []
    for part, finding in zip(judgement.claim.parts, judgement.findings, strict=True):
        ends = finding.estimate.interval
        parts.append(
            {
                "says": part.says,
                "verdict": finding.verdict,
                "found": finding.said,
                "value": finding.estimate.value,
                "interval": [end if math.isfinite(end) else None for end in ends] if ends else None,
                "p": finding.p,
                "records": finding.records,
            }
        )
    return {
        "name": judgement.name,
        "number": judgement.claim.number,
        "claim": judgement.claim.statement,
        "source": judgement.claim.source,
        "verdict": judgement.verdict,
        "needs": judgement.claim.needs if judgement.verdict == "not decided" else None,
        "parts": parts,
    }

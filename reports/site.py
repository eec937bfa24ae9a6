"""The comparison as a static site: pages, their data in several formats, and the scripts they need.

Opens from disk and from any host, and requests nothing from any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reports.board import Board, make_board
from reports.catalogue import Catalogue
from reports.errors import RecordError
from reports.export import json_table, latex_table, markdown_report, parquet_table, safe_csv
from reports.files import Folder
from reports.html import Page, Shell, assets, nonce, render
from reports.latency import frame
from reports.links import record_page
from reports.pages.front import front_page
from reports.pages.latency import latency_page
from reports.pages.memory import memory_page
from reports.pages.method import method_pages
from reports.pages.protocol import protocol_page
from reports.pages.record import record_pages
from reports.pages.task import task_pages
from reports.schema import LatencyRecord, Record
from reports.standing import comparisons_frame
from reports.table import compare, trials

QUESTION = "Which tuning method should I pick?"
NAV = {
    "index.html": "Comparison",
    "tasks/index.html": "Tasks",
    "methods/index.html": "Methods",
    "latency.html": "Latency",
    "memory.html": "Memory",
    "claims.html": "Claims",
    "protocol.html": "Protocol",
}
"""What the bar on top links to, where the site has it."""


def build_site(
    records: Sequence[Record],
    out: Path | str,
    *,
    latencies: Sequence[LatencyRecord] = (),
    title: str = QUESTION,
    catalogue: Catalogue | None = None,
    more: Sequence[Page] = (),
) -> Path:
    """Write the pages and their data files into `out` and return the path of the first page.

    What an earlier build wrote there and this one does not is removed; other files are left alone.

    Args:
        records: trials.
        out: folder of the site, made if absent.
        latencies: latency comparisons.
        title: heading of the front page.
        catalogue: what is said of methods and tasks beside their results.
        more: further pages; the bar on top names those that it knows.

    Raises:
        RecordError: there is nothing to show, or the records contradict each other.
    """
    if not records and not latencies:
        raise RecordError("there are no records to report on: run a study first, or name its folder.")
    board = make_board(records, title, latencies, catalogue)
    pages = [*_pages(board), *more]
    raw = [record.model_dump_json() for record in board.records]
    stamp = nonce([title, *raw, *(item.model_dump_json() for item in board.latencies), *assets().values()])
    paths = {page.path for page in pages}
    nav = tuple((path, name) for path, name in NAV.items() if path in paths)
    shell = Shell(title=title, nonce=stamp, nav=nav)
    with Folder(Path(out)) as folder:
        for page in pages:
            folder.write(page.path, render(page, shell))
        for page in record_pages(board):
            folder.write(page.path, render(page, shell))
        for record, content in zip(board.records, raw, strict=True):
            folder.write(record_page(record).removesuffix("html") + "json", content)
        for name, content in assets().items():
            folder.write(f"assets/{name}", content)
        for name, data in _data(board):
            folder.write(name, data)
    return Path(out) / pages[0].path


def _pages(board: Board) -> Iterator[Page]:
    """Every page but those of the trials, the first one first."""
    if board.records:
        yield front_page(board)
        yield from task_pages(board)
        yield from method_pages(board)
    for page in (latency_page(board), memory_page(board)):
        if page:
            yield page
    if board.records:
        yield protocol_page(board)


def _data(board: Board) -> Iterator[tuple[str, str | bytes]]:
    """The tables by file name."""
    if board.latencies:
        yield "latency.csv", safe_csv(frame(board.latencies))
    if not board.records:
        return
    table, every = compare(board.records), trials(board.records)
    yield "table.md", markdown_report(board)
    yield "table.csv", safe_csv(table)
    yield "table.json", json_table(table)
    yield "table.tex", latex_table(board.records)
    yield "table.parquet", parquet_table(table)
    yield "trials.csv", safe_csv(every)
    yield "trials.parquet", parquet_table(every)
    alone = [view.standing for view in board.views if view.standing]
    if found := [*board.overall, *alone]:
        yield "comparisons.csv", safe_csv(comparisons_frame(found))

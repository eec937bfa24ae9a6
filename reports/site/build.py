"""The comparison as a static site: pages, their data in several formats, and the scripts they need.

Opens from disk and from any host, and requests nothing from any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from reports.claims import Judgement, Unmeasured
from reports.errors import RecordError
from reports.records.latency_schema import LatencyRecord
from reports.records.origins import Origins, superseded
from reports.records.schema import Record
from reports.records.serving_schema import ServingRecord
from reports.site.api import INDEX, documents
from reports.site.claims import claims_page
from reports.site.compare import compare_page
from reports.site.front import front_pages, results_page
from reports.site.intrinsic import intrinsic_page
from reports.site.latency import latency_page
from reports.site.markdown import markdown_report
from reports.site.memory import memory_page
from reports.site.method import method_pages
from reports.site.parts.board import Board, make_board
from reports.site.parts.catalogue import Catalogue
from reports.site.parts.folder import Folder
from reports.site.parts.html import Page, Shell, assets, render
from reports.site.parts.links import record_page
from reports.site.parts.paths import IMPORTED, SUPERSEDED, Paths
from reports.site.protocol import protocol_page
from reports.site.record import shown, trial_page
from reports.site.serving import serving_page
from reports.site.superseded import superseded_page
from reports.site.task import task_pages
from reports.stats.intrinsic import curves
from reports.stats.verdict import MARGIN
from reports.tables.claims import claims_frame, claims_markdown
from reports.tables.comparison import compare_sections, trials
from reports.tables.formats import json_table, parquet_table, safe_csv
from reports.tables.intrinsic import intrinsic_frame
from reports.tables.latency import latency_frame
from reports.tables.latex import latex_sections
from reports.tables.serving import arrivals_frame, serving_frame
from reports.tables.standing import comparisons_frame

QUESTION = "Which tuning method should I pick?"
IMPORTED_TITLE = "What other suites measured"
SUPERSEDED_TITLE = "The superseded board {}"
NAV = {
    "index.html": "Choose",
    "results.html": "Results",
    "compare.html": "Two methods",
    "tasks/index.html": "Tasks",
    "methods/index.html": "Methods",
    "latency.html": "Latency",
    "serving.html": "Serving",
    "memory.html": "Memory",
    "intrinsic.html": "Dimensions",
    "claims.html": "Claims",
    IMPORTED.page: "Other suites",
    SUPERSEDED: "Superseded",
    "protocol.html": "Protocol",
}
"""What the bar on top links to, where the site has it."""
DOCUMENTS = "docs/index.html"
"""The documentation, where `make docs` has put it into the same folder."""


def build_site(
    records: Sequence[Record],
    out: Path | str,
    *,
    latencies: Sequence[LatencyRecord] = (),
    servings: Sequence[ServingRecord] = (),
    origins: Origins | None = None,
    title: str = QUESTION,
    catalogue: Catalogue | None = None,
    claims: Sequence[Judgement] = (),
    unmeasured: Sequence[Unmeasured] = (),
    margin: float = MARGIN,
    left_out: Sequence[str] = (),
) -> Path:
    """Write the pages and their data files into `out` and return the path of the first page.

    What other suites measured is a comparison of its own, on `imported.html` with tables of its own: never
    ranked with ours. So is each board in whose place another has come; `superseded.html` lists them. Where
    there is nothing else, the first of these takes the names of the front page and its tables.

    Files that would be the same are not touched. What an earlier build wrote there and this one does not is
    removed; other files are left alone.

    Args:
        records: trials.
        out: folder of the site, made if absent.
        latencies: latency comparisons.
        servings: records of serving many tasks from one base.
        origins: who measured a record; what is not in it is self-reported.
        title: heading of the front page.
        catalogue: what is said of methods and tasks beside their results.
        claims: verdicts, for a page of their own; their records are not among the others.
        unmeasured: claims that have a rule and no records, for the same page.
        margin: by how much a method may be worse and still be called as good.
        left_out: sentences on what was not taken, for the protocol's page.

    Raises:
        RecordError: there is nothing to show.
    """
    if not (records or latencies or servings or claims):
        raise RecordError("there are no records to report on: run a study first, or name its folder.")
    boards = _boards(records, latencies, servings, origins, title, catalogue, margin)
    if boards:
        boards[0] = replace(boards[0], left_out=(*left_out, *boards[0].left_out))
    pages = [page for board in boards for page in _pages(board)]
    old = [board for board in boards[1:] if board.superseded]
    pages += [superseded_page(old)] if old else []
    pages += [claims_page(claims, unmeasured)] if claims else []
    paths = {page.path for page in pages}
    nav = tuple((path, name) for path, name in NAV.items() if path in paths)
    documented = (Path(out) / DOCUMENTS).is_file()
    nav = (*nav, (DOCUMENTS, "Documentation")) if documented else nav
    programs = INDEX if any(board.records for board in boards) else ""
    shell = Shell(title=title, nav=nav, programs=programs)
    with Folder(Path(out)) as folder:
        for page in pages:
            folder.write(page.path, render(page, shell))
        for name, document in documents(boards, title):
            folder.write(name, document)
        for board in boards:
            _write_trials(board, shell, folder)
            for name, data in _data(board):
                folder.write(name, data)
        if claims:
            folder.write("claims.csv", safe_csv(claims_frame(claims)))
            folder.write("claims.md", claims_markdown(claims))
        for name, content in assets().items():
            folder.write(f"assets/{name}", content)
    return Path(out) / pages[0].path


def _write_trials(board: Board, shell: Shell, folder: Folder) -> None:
    """A page for each trial, and its record. Made are those pages of which something changed."""
    for record, around in shown(board):
        path = record_page(record)  # has a hash of the record in it
        made_from = hashlib.sha256(f"{shell.digest} {around!r}".encode("utf-8", "replace")).hexdigest()
        if not folder.keep(path, made_from):
            folder.write(path, render(trial_page(record, around), shell), made_from)
        folder.write(path.removesuffix("html") + "json", record.model_dump_json())


def _boards(
    records: Sequence[Record],
    latencies: Sequence[LatencyRecord],
    servings: Sequence[ServingRecord],
    origins: Origins | None,
    title: str,
    catalogue: Catalogue | None,
    margin: float,
) -> list[Board]:
    """Ours, what is superseded, and what other suites measured: the first one is on the front page."""
    if not (records or latencies or servings):
        return []
    ours: list[Record] = []
    old: dict[str, list[Record]] = {}
    theirs: list[Record] = []
    for record in records:
        other = superseded(record, origins)
        group = theirs if record.suite else old.setdefault(other.study, []) if other else ours
        group.append(record)
    apart = [
        (some, SUPERSEDED_TITLE.format(study), Paths.beside(f"superseded-{study}"), catalogue)
        for study, some in sorted(old.items())
    ]
    if theirs:
        apart.append((theirs, IMPORTED_TITLE, IMPORTED, None))  # of another suite the cards say nothing
    first, cards = ours, catalogue
    if not ours and apart:
        first, _, _, cards = apart.pop(0)
    beside: dict[str, Any] = {"origins": origins, "margin": margin}
    main = make_board(first, title, latencies, cards, servings=servings, beside_ours=bool(old), **beside)
    return [
        main,
        *(make_board(some, name, catalogue=said, paths=to, **beside) for some, name, to, said in apart),
    ]


def _pages(board: Board) -> Iterator[Page]:
    """Every page but those of the trials, the first one first."""
    for page in _of_trials(board):
        yield replace(page, notes=board.superseded)
    if board.paths.folder:  # what is of the whole site is of its first board
        return
    for found in (latency_page(board), serving_page(board), intrinsic_page(board)):
        if found:
            yield found
    if board.records and not board.measured_by:  # another suite has another protocol
        yield protocol_page(board)


def _of_trials(board: Board) -> Iterator[Page]:
    """The pages that compare trials."""
    if not board.records:
        return
    yield from front_pages(board)
    for page in (results_page(board), compare_page(board)):
        if page:
            yield page
    yield from task_pages(board)
    yield from method_pages(board)
    if page := memory_page(board):
        yield page


def _data(board: Board) -> Iterator[tuple[str, str | bytes]]:
    """The tables by file name."""
    if board.latencies:
        yield "latency.csv", safe_csv(latency_frame(board.latencies, board.origins))
    if board.servings:
        yield "serving.csv", safe_csv(serving_frame(board.servings, board.origins))
    if any(record.arrivals for record in board.servings):
        yield "arrivals.csv", safe_csv(arrivals_frame(board.servings, board.origins))
    if not board.records:
        return
    if not (board.measured_by or board.paths.folder) and (found := curves(board.records, board.origins)):
        yield "intrinsic.csv", safe_csv(intrinsic_frame(found))
    yield from _tables(board, board.paths)


def _tables(board: Board, where: Paths) -> Iterator[tuple[str, str | bytes]]:
    found = [view.section for view in board.views]
    table = compare_sections(found)
    yield f"{where.table}.md", markdown_report(board)
    yield f"{where.table}.csv", safe_csv(table)
    yield f"{where.table}.json", json_table(table)
    yield f"{where.table}.tex", latex_sections(found)
    yield f"{where.table}.parquet", parquet_table(table)
    every = trials(board.records, board.origins)
    yield f"{where.prefix}trials.csv", safe_csv(every)
    yield f"{where.prefix}trials.parquet", parquet_table(every)
    alone = [view.standing for view in board.views if view.standing]
    if compared := [*board.overall, *alone]:
        yield f"{where.prefix}comparisons.csv", safe_csv(comparisons_frame(compared))

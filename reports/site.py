"""The comparison as a static site: a list of pages, each a template with its context, and the data files.

A page is self-contained: style, plotly and figures are inside, and a Content-Security-Policy lets only
these very scripts run and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from reports import text
from reports.answer import answer
from reports.cost_score import weights_told
from reports.errors import RecordError
from reports.export import FRONT, csv_table, escape_markdown, markdown_sections, safe_csv
from reports.figures import figure_json, score_against_parameters
from reports.files import write_atomically
from reports.intrinsic import Curve, curves
from reports.intrinsic import frame as intrinsic_frame
from reports.intrinsic_page import views as intrinsic_views
from reports.latency import frame
from reports.latency_page import groups
from reports.origins import UNKNOWN, Origins
from reports.provenance import Provenance, provenance
from reports.schema import SCHEMA_VERSION, LatencyRecord, Record
from reports.sections import Section, sections
from reports.standing import Standing, all_standings, comparisons_frame, standing, standings
from reports.tuning import how_set

QUESTION = "Which tuning method should I pick?"
INTRINSIC_TITLE = "How many dimensions are enough?"
LATENCY_TITLE = "What does a method cost at inference?"
IMPORTED_TITLE = "What other suites measured"
HOLLOW = "○"
_FILTERS = (
    *("clean", "count", "share", "percent", "spread", "estimate"),
    *("size", "seconds", "ratio", "interval", "score"),
)


@dataclass(frozen=True)
class Page:
    """One page of the site: where it goes, the template that draws it and what the template is given."""

    path: str
    name: str
    template: str
    context: dict[str, Any]
    files: tuple[tuple[str, str], ...]
    """Its content as data: path and kind."""


@dataclass(frozen=True)
class SectionView:
    """A section with everything the template says about it; `anchor` is ours, never foreign text."""

    anchor: str
    section: Section
    answer: list[str]
    figure: Markup | None
    provenance: Provenance
    standing: Standing | None
    origins_told: bool
    """Whether each row says who measured it: not on a page of one's own results alone."""


def build_site(
    records: Sequence[Record],
    out: Path | str,
    *,
    latencies: Sequence[LatencyRecord] = (),
    origins: Origins | None = None,
    title: str = QUESTION,
) -> Path:
    """Write the pages and their data files into `out` and return the path of the first page.

    Trials make `index.html`, `table.md` and `table.csv`; those of other suites `imported.html`,
    `imported.md` and `imported.csv`, or the former names where there are no others; searches over dimensions
    of a random subspace `intrinsic.html` and `intrinsic.csv`; latency comparisons `latency.html` and
    `latency.csv`. `origins` tells who measured a trial.
    """
    if not records and not latencies:
        raise RecordError("there are no records to report on: run a study first, or name its folder.")
    out = Path(out)
    pages = []
    ours = [record for record in records if record.suite is None]
    imported = [record for record in records if record.suite is not None]
    for group, heading, stem, table in (
        (ours, title, "index", "table"),
        (imported, IMPORTED_TITLE if ours else title, *(("imported",) * 2 if ours else ("index", "table"))),
    ):
        if group:
            found = sections(group, origins)
            pages.append(front_page(found, heading, stem, table))
            write_atomically(out / f"{table}.md", markdown_report(found, heading))
            write_atomically(out / f"{table}.csv", csv_table(group, origins))
            if compared := all_standings(found):
                write_atomically(out / comparisons_file(stem), safe_csv(comparisons_frame(compared)))
    if curved := curves(ours):
        pages.append(intrinsic_page(curved))
        write_atomically(out / "intrinsic.csv", safe_csv(intrinsic_frame(curved)))
    if latencies:
        pages.append(latency_page(latencies))
        write_atomically(out / "latency.csv", safe_csv(frame(latencies)))
    for page in pages:
        others = [(other.path, other.name) for other in pages if other is not page]
        write_atomically(out / page.path, render(page, others))
    return out / pages[0].path


def latency_page(latencies: Sequence[LatencyRecord]) -> Page:
    """Every latency comparison, with its figure."""
    context = {"title": LATENCY_TITLE, "groups": groups(latencies)}
    files = (("latency.csv", "CSV"),)
    return Page("latency.html", "latency", "latency.html.j2", context, files)


def intrinsic_page(found: Sequence[Curve]) -> Page:
    """Every search for d90, with its curve."""
    context = {"title": INTRINSIC_TITLE, "views": intrinsic_views(found)}
    files = (("intrinsic.csv", "CSV"),)
    return Page("intrinsic.html", "dimensions", "intrinsic.html.j2", context, files)


def comparisons_file(page: str) -> str:
    """The file with every comparison of two methods of a page."""
    return "comparisons.csv" if page == "index" else f"{page}-comparisons.csv"


def front_page(found: Sequence[Section], title: str, page: str = "index", table: str = "table") -> Page:
    """The answer, the table, the figure and the provenance of every model and task.

    ``page`` and ``table`` are the stems of its files.
    """
    views = [_view(f"part-{number}", section) for number, section in enumerate(found, start=1)]
    records = [record for section in found for record in section.records]
    suites = sorted({section.suite for section in found if section.suite})
    methods = {row.identity.method for view in views for row in view.section.every_row}
    tasks = {view.section.task for view in views}
    models = {view.section.model for view in views}
    scope = ", ".join(
        text.plural(len(group), noun)
        for group, noun in ((methods, "method"), (tasks, "task"), (models, "model"), (records, "trial"))
    )
    overall = standings([view.section for view in views])
    context = {
        "title": title,
        "scope": scope,
        "measured_by": text.listing([text.clean(suite) for suite in suites]),
        "chosen": how_set(records),
        "views": views,
        "overall": [(f"model-{number}", item) for number, item in enumerate(overall, start=1)],
        "weights": weights_told(),
    }
    files = [(f"{table}.md", "Markdown"), (f"{table}.csv", "CSV")]
    if overall or any(view.standing for view in views):
        files.append((comparisons_file(page), "every comparison of two methods"))
    name = "other suites" if suites else "methods"
    return Page(f"{page}.html", name, "page.html.j2", context, tuple(files))


def render(page: Page, others: Sequence[tuple[str, str]] = ()) -> str:
    """The HTML of a page; every value from a record is escaped by the template engine.

    ``others`` are the paths and names of the site's other pages.
    """
    scripts = [_plotly(), _source("page.js")]
    return (
        _templates()
        .get_template(page.template)
        .render(
            **page.context,
            others=others,
            files=page.files,
            scripts=[Markup(script) for script in scripts],
            script_hashes=[_hash(script) for script in scripts],
            front=FRONT,
            hollow=HOLLOW,
            generator=_generator(),
            schema_version=SCHEMA_VERSION,
        )
    )


def markdown_report(found: Sequence[Section], title: str = QUESTION) -> str:
    """The page as Markdown: the answers and the table."""
    parts = [f"# {escape_markdown(title)}"]
    for item in standings(found):
        parts.append(f"## All {len(item.tasks)} tasks on {escape_markdown(item.model)}")
        parts.append(escape_markdown(" ".join(item.sentences), limit=20_000))
    for section in found:
        parts.append(f"## {escape_markdown(section.task)} on {escape_markdown(section.model)}")
        parts.append(escape_markdown(" ".join(answer(section)), limit=20_000))
        alone = standing([section])
        if alone:
            parts.append(escape_markdown(" ".join(alone.sentences), limit=20_000))
        parts.append(markdown_sections([section]).strip())
    return "\n\n".join(parts) + "\n"


def _view(anchor: str, section: Section) -> SectionView:
    figure = score_against_parameters(section)
    return SectionView(
        anchor=anchor,
        section=section,
        answer=answer(section),
        figure=Markup(figure_json(figure)) if figure else None,
        provenance=provenance(section),
        standing=standing([section]),
        origins_told=any(row.origin != UNKNOWN for row in section.every_row),
    )


@cache
def _templates() -> Environment:
    """The template engine: escaping everywhere, an unknown name is an error."""
    engine = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        engine.filters[name] = getattr(text, name)
    engine.filters |= {"ms": text.milliseconds, "flops": text.flops}
    return engine


@cache
def _source(name: str) -> str:
    return _inline((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))


@cache
def _plotly() -> str:
    return _inline(get_plotlyjs())


def _inline(script: str) -> str:
    """A script that can stand in a page: it must not close its own element."""
    script = script.replace("\r\n", "\n")
    if "</script" in script.lower() or "<!--" in script:
        script = script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return script


@cache
def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _generator() -> str:
    try:
        return f"Paretune {version('paretune')}"
    except PackageNotFoundError:  # run from a bare checkout
        return "Paretune"

"""Pages as HTML: the template engine, the policy that every page carries, and the files beside them.

Nothing but this site's own scripts and styles may run or load. They carry a nonce, which browsers accept from
disk as well as from a host; each page has its own, a hash of everything that the page says, so that nothing
on it can hold it, and no page changes with what others say.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from reports import text
from reports.records.schema import SCHEMA_VERSION
from reports.site.parts.again import again
from reports.site.parts.board import columns
from reports.site.parts.links import https, method_page, record_page, sources, task_page
from reports.stats.busy import busy
from reports.stats.section import measured_by
from reports.tables.markdown import MARKS

STATIC = Path(__file__).parents[1] / "static"
SIGNS = {**MARKS, "dominated": "○"}
_FILTERS = (
    *("clean", "count", "share", "percent", "spread", "estimate", "setting", "plural"),
    *("name", "outcome", "learned_nothing", "amount"),
    *("size", "seconds", "training_time", "ratio", "interval", "score", "score_range", "printed"),
)
FIGURES = ("d3.min.js", "plot.umd.min.js", "figures.js")
"""What draws figures: Observable Plot 0.6.17 on D3 7.9.0, as the npm registry has them."""
_PLOT_STYLE = """:where(.drawn) {
  --plot-background: white;
  display: block;
  height: auto;
  height: intrinsic;
  max-width: 100%;
}
:where(.drawn text),
:where(.drawn tspan) {
  white-space: pre;
}"""
"""What Plot puts into every figure of the class `drawn`; the policy lets in this text and no other."""


@dataclass(frozen=True)
class Page:
    """One page of the site: where it goes, the template that draws it and what the template is given."""

    path: str
    title: str
    template: str
    context: dict[str, Any]
    files: tuple[tuple[str, str], ...] = ()
    """Its content as data: path from the site's root, and kind."""
    scripts: tuple[str, ...] = ()
    """Of ``assets/``, in order."""
    about: str = ""
    """One line for search engines and previews."""
    alone: bool = False
    """Without the bar and the foot of the other pages: to be framed."""
    notes: tuple[str, ...] = ()
    """Sentences above everything: what a reader has to know of all that the page says."""

    @property
    def root(self) -> str:
        """From the page to the site's root."""
        return "../" * self.path.count("/")


@dataclass(frozen=True)
class Shell:
    """What is the same on every page of a site."""

    title: str
    nav: tuple[tuple[str, str], ...] = field(default=())
    """Path and name of what the bar on top links to."""
    programs: str = ""
    """Path of the list of documents for programs; empty where there are none."""

    @cached_property
    def digest(self) -> str:
        """A hash of all that a page is made from beside its own content, the code among it."""
        return hashlib.sha256(f"{self!r}\n{generator()}\n{code()}".encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class Sealed(Shell):
    """A shell with the value that marks our own scripts on one page."""

    nonce: str = ""


def _sealed(page: Page, shell: Shell, body: str) -> Sealed:
    """128 bits of a hash of all that is foreign on a page: to write them into it would take knowing them."""
    said = "\0".join((shell.title, page.path, page.title, page.about, body))
    digest = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    return Sealed(shell.title, shell.nav, shell.programs, digest[:32])


def render(page: Page, shell: Shell) -> str:
    """The HTML of a page; every value from a record is escaped by the template engine."""
    return _template(page.template).render(
        **page.context,
        page=page,
        root=page.root,
        sealed=partial(_sealed, page, shell),
        shell=shell,
        plot_style=plot_style() if FIGURES[0] in page.scripts else "",
        signs=SIGNS,
        generator=generator(),
        schema_version=SCHEMA_VERSION,
    )


def assets() -> dict[str, str]:
    """Scripts, style and licences by file name."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(STATIC.iterdir())}


@cache
def plot_style() -> str:
    """The style that Plot adds to a figure, as the policy names it: it cannot carry our nonce."""
    return f"sha256-{base64.b64encode(hashlib.sha256(_PLOT_STYLE.encode()).digest()).decode()}"


@cache
def code() -> str:
    """A hash of the code and the templates that pages are made by."""
    digest = hashlib.sha256(version("jinja2").encode())
    package = STATIC.parents[1]
    for path in sorted(p for kind in ("*.py", "*.j2") for p in package.rglob(kind)):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def generator() -> str:
    """Name and version of what made the site."""
    try:
        return f"Paretune {version('paretune')}"
    except PackageNotFoundError:  # run from a bare checkout
        return "Paretune"


@cache
def _template(name: str) -> Any:
    return _engine().get_template(name)


@cache
def _engine() -> Environment:
    """The template engine: escaping everywhere, an unknown name is an error."""
    engine = Environment(
        loader=PackageLoader("reports.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        engine.filters[name] = getattr(text, name)
    engine.filters |= {"ms": text.milliseconds, "flops": text.flops, "https": https, "sources": sources}
    engine.filters |= {"measured_by": measured_by, "busy": busy, "again": again, "columns": columns}
    engine.filters |= {"task_page": task_page, "method_page": method_page, "record_page": record_page}
    return engine

"""Whether every link of a built site leads to a page and an anchor, and nothing is fetched from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
"""What a browser asks for by itself."""
NOT_FETCHED = {"canonical", "next", "prev", "alternate", "edit", "author", "license"}


@dataclass
class _Page(HTMLParser):
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        for name in ("href", "src"):
            if not given.get(name):
                continue
            idle = tag == "link" and set(given.get("rel", "").split()) & NOT_FETCHED
            into = self.fetched if (tag, name) in FETCHED and not idle else self.links
            into.append(given[name])


def faults(site: Path, beside: tuple[str, ...] = ()) -> list[str]:
    """A sentence for each link that leads nowhere, and for each page that asks another host for something.

    Args:
        site: the folder of the site.
        beside: addresses, from the site's first page, that are built elsewhere.
    """
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    elsewhere = {(site / address).resolve() for address in beside}
    found = []
    for path, page in pages.items():
        if path.name == "404.html":  # its addresses begin at the root of the host
            continue
        where = path.relative_to(site)
        for address in page.fetched:
            if urlsplit(address).netloc:
                found.append(f"{where} fetches {address}, expected no other host.")
        for address in [*page.links, *page.fetched]:
            if urlsplit(address).scheme or urlsplit(address).netloc or address.startswith("javascript:"):
                continue
            place, anchor = urldefrag(address)
            target = (path.parent / unquote(urlsplit(place).path)).resolve() if place else path.resolve()
            if target in elsewhere:
                continue
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                found.append(f"{where} links to {address}, which is not there.")
                continue
            other = pages.get(site / target.relative_to(site.resolve())) if target.suffix == ".html" else None
            if anchor and other is not None and unquote(anchor) not in other.anchors:
                found.append(f"{where} links to {address}, which has no such anchor.")
    return list(dict.fromkeys(found))


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page

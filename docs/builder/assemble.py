"""The folder that the site is made from: pages by hand, pages from the code, and the site's settings."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from docs.builder import api_pages, method_pages, record_page

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
HERE = Path(__file__).parent

BOARD = "../index.html"
"""Where the comparison is, from the first page here: `paretune report` writes it one folder above."""

NAV: dict[str, Any] = {
    "Start": {
        "Paretune": "index.md",
        "First steps": "first-steps.md",
        "Your task": "your-task.md",
        "Your model": "your-model.md",
        "Choosing": "choosing.md",
        "Practice": "practice.md",
    },
    "Guides": {
        "Measuring latency": "latency.md",
        "Tuning": "tuning.md",
        "Text that a model writes": "written.md",
        "Many tasks, one base": "serving.md",
        "Sizes: few bits, half precision": "sizes.md",
        "Scale: workers, machines, clusters": "scale.md",
        "What a trial survives": "trials.md",
        "On a GPU": "gpu.md",
    },
    "Methods": {},
    "Results": {
        "Claims": "claims.md",
        "The protocol of the boards": "protocol.md",
        "Superseded boards": "superseded.md",
        "Statistics": "statistics.md",
        "GPT-3's memory": "gpt3-memory.md",
        "The embedded model": "embedded.md",
        "Every method on every architecture": "matrix.md",
        "Parity": "parity.md",
        "Overhead": "overhead.md",
        "Speed": "speed.md",
    },
    "Reference": {
        "The command line": "commands.md",
        "The record": "record.md",
        "The site": "site.md",
        "paretune": "api/paretune.md",
        "methods": "api/methods.md",
        "tasks": "api/tasks.md",
        "runners": "api/runners.md",
        "reports": "api/reports.md",
    },
    "Project": {"Contributing": "contributing.md", "Changelog": "changelog.md"},
}
"""What the site's bar lists, and behind it the board; a page of `docs/` that is not here is a fault."""

COPIED = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Documents of the repository's root that are pages too."""


def assemble(build: Path) -> Path:
    """Write the pages and the settings into a folder, made anew; return the file of the settings.

    Raises:
        RuntimeError: a page is in no list, or a list names a page that there is not.
    """
    source = build / "pages"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    pages = {path.name: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
    pages = {name: _within(text) for name, text in pages.items()}
    for name, page in COPIED.items():
        pages[page] = _within((ROOT / name).read_text(encoding="utf-8").replace("](docs/", "]("))
    made = method_pages.pages()
    pages |= made | api_pages.pages() | {"record.md": record_page.page()}
    for name, text in pages.items():
        place = source / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    for name, schema in record_page.files().items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(json.dumps(schema, indent=1), encoding="utf-8")
    for image in DOCS.glob("*.png"):
        shutil.copy2(image, source)
    shutil.copytree(HERE / "assets", source / "assets")
    nav = {
        **NAV,
        "Methods": {"All methods": "methods/index.md"} | {Path(m).stem: m for m in made if "index" not in m},
    }
    _check(nav, set(pages))
    settings = yaml.safe_load((HERE / "site.yaml").read_text(encoding="utf-8"))
    settings |= {
        "docs_dir": "pages",
        "site_dir": "site",
        "nav": [
            *({title: [{name: page} for name, page in group.items()]} for title, group in nav.items()),
            {"The comparison": BOARD},
        ],
    }
    settings["plugins"][-1]["mkdocstrings"]["handlers"]["python"]["paths"] = [str(ROOT)]
    file = build / "mkdocs.yml"
    file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return file


def _within(text: str) -> str:
    """A page whose links stay on the site: the root's documents are pages, other files lose the link."""
    for name, page in COPIED.items():
        text = text.replace(f"](../{name}", f"]({page}").replace(f"]({name}", f"]({page}")
    text = text.replace("](../README.md", "](index.md")
    return re.sub(
        r"\[([^\]\[]+)\]\((?!https?:|#|(?:methods/|api/)?[\w-]+\.(?:md|png))[^()\s]+\)", r"\1", text
    )


def _check(nav: dict[str, Any], pages: set[str]) -> None:
    listed = {page for group in nav.values() for page in group.values()}
    if listed != pages:
        raise RuntimeError(
            f"the site's bar and its pages differ: {sorted(listed ^ pages)}; the list is NAV in {__file__}."
        )

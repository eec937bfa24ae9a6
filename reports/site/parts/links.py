"""Where the pages of a site are: names that are safe as files and links, whatever a record says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from reports.records.schema import Record
from reports.records.store import safe_name

ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
CODE = re.compile(r"\b([A-Za-z0-9-]+/[A-Za-z0-9_.-]+)@([0-9a-f]{7,40})\b")


def slug(name: str) -> str:
    """A short file name for a foreign one; what had to be changed is told apart by a hash.

    Small letters only, because some file systems do not tell them from capitals.
    """
    plain = safe_name(name, 40).lower()
    if plain == name:
        return plain
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:6]}"


def task_page(name: str) -> str:
    """Path of a task's page from the site's root."""
    return f"tasks/{slug(name)}.html"


def method_page(name: str) -> str:
    """Path of a method's page from the site's root."""
    return f"methods/{slug(name)}.html"


def record_page(record: Record) -> str:
    """Path of a trial's page from the site's root.

    What other suites measured has a folder of its own; a trial may be there as set by hand and as a search
    found it.
    """
    name = record.trial_id
    name = name if re.fullmatch("[0-9a-f]{64}", name) else slug(name)
    return f"{'imported/' if record.suite else ''}records/{name}{'-tuned' if record.tuning else ''}.html"


def sources(source: str) -> Sequence[tuple[str, str]]:
    """The papers and repositories that a method's source names: what is shown, and its https address."""
    papers = [(f"arXiv {number}", f"https://arxiv.org/abs/{number}") for number in ARXIV.findall(source)]
    code = [
        (f"{name} at {commit}", f"https://github.com/{name}/tree/{commit}")
        for name, commit in CODE.findall(source)
    ]
    return papers + code


def https(address: str) -> str | None:
    """The address if it is an https one without anything unusual in it, otherwise None."""
    return address if re.fullmatch(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/%#?=&+-]*)?", address) else None

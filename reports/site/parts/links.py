"""Where the pages of a site are: names that are safe as files and links, whatever a record says."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from reports.records.origins import content_key
from reports.records.schema import Record
from reports.records.store import safe_name

ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
RESERVED = frozenset({"index"})
"""Names of pages that lie beside those of tasks and methods."""
DIGITS = 32
HASHED = re.compile(rf"-[0-9a-f]{{{DIGITS}}}$")
CODE = re.compile(r"\b([A-Za-z0-9-]+/[A-Za-z0-9_.-]+)@([0-9a-f]{7,40})\b")


def slug(name: str) -> str:
    """A short file name for a foreign one, that no other name has.

    Small letters only, because some file systems do not tell them from capitals. What had to be changed is
    told apart by a hash; so is what is spoken for, and what ends as if it had such a hash.
    """
    plain = safe_name(name, 40).lower()
    if plain == name and plain not in RESERVED and not HASHED.search(plain):
        return plain
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:DIGITS]}"


def task_page(name: str) -> str:
    """Path of a task's page from the site's root."""
    return f"tasks/{slug(name)}.html"


def method_page(name: str) -> str:
    """Path of a method's page from the site's root."""
    return f"methods/{slug(name)}.html"


def record_page(record: Record) -> str:
    """Path of a trial's page from the site's root.

    It ends in a hash of everything that the record says: no other record can take it. What other suites
    measured has a folder of its own.
    """
    trial = re.sub("[^0-9a-f]", "", record.trial_id)[:12] or "x"
    return f"{'imported/' if record.suite else ''}records/{trial}-{content_key(record)[:40]}.html"


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

"""Which files hold records: the one list that checks, tables and pages are made from.

Only plain files count. A link, a pipe or a device is no record: what it shows may change while it is read,
and what it points to may be somebody else's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reports.errors import RecordError

LATENCY_SUFFIX: Final = ".latency.json"
"""Tells a latency comparison's file from a trial's record in the same folder."""

SERVING_SUFFIX: Final = ".serving.json"
"""Tells a file on serving many tasks from them."""

SEARCH_SUFFIX: Final = ".search.json"
"""Tells a trial of a search from those that are reported on."""

SITE_MARK: Final = ".paretune-site"
"""Lies in the folder of a site: its copies of records are no records."""

METHOD_MARK: Final = "paretune.json"
"""Lies in the folder of a trained method, which may be kept beside its record."""

MAX_FILES: Final = 100_000  # in one folder

Sources = Path | str | Iterable[Path | str]
"""A file, a folder (everything below it) or several of either."""


@dataclass
class Files:
    """Files by what their names say that they hold, each once and in a stable order."""

    trials: list[Path] = field(default_factory=list)
    searches: list[Path] = field(default_factory=list)
    latencies: list[Path] = field(default_factory=list)
    servings: list[Path] = field(default_factory=list)
    refused: dict[Path, str] = field(default_factory=dict)
    """What is named like a record and is no plain file, with what it is."""

    @property
    def every(self) -> list[Path]:
        """All that can be read."""
        return [*self.trials, *self.searches, *self.latencies, *self.servings]


def find(sources: Sources) -> Files:
    """The files given, and every `*.json` below the folders given.

    Raises:
        RecordError: there is no such file or folder, or a folder holds too many.
    """
    found = Files()
    for item in [sources] if isinstance(sources, (str, Path)) else sources:
        source = Path(item)
        if source.is_dir():
            for path in _below(source):
                _add(found, path)
        elif os.path.lexists(source):
            _add(found, source)
        else:
            raise RecordError(f"{source}: there is no such file or folder.")
    for group in (found.trials, found.searches, found.latencies, found.servings):
        group[:] = dict.fromkeys(group)
    return found


def plain(path: Path) -> str:
    """What a path is where it is no plain file, such as ``a link``; empty where it is one.

    Raises:
        OSError: it cannot be looked at.
    """
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode):
        return ""
    kinds = {
        stat.S_ISLNK: "a link",
        stat.S_ISFIFO: "a pipe",
        stat.S_ISDIR: "a folder",
        stat.S_ISSOCK: "a socket",
    }
    return next((name for test, name in kinds.items() if test(mode)), "a device")


def _below(folder: Path) -> list[Path]:
    """The shown `*.json` below a folder, links among them; what a site or a trained method has is none."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        here = Path(place)
        if SITE_MARK in names or METHOD_MARK in names:
            folders.clear()
            continue
        # Linked folders are named, for what lies behind them would be missed without a word.
        names += [name for name in folders if (here / name).is_symlink() and name.endswith(".json")]
        found += [here / name for name in names if name.endswith(".json") and not name.startswith(".")]
    if len(found) > MAX_FILES:
        raise RecordError(f"{folder}: there are {len(found)} files, of at most {MAX_FILES}.")
    return sorted(found)


def _add(found: Files, path: Path) -> None:
    kind = plain(path)
    if kind == "a folder":  # named like a file: it has been walked through
        return
    if kind:
        found.refused[path] = f"is {kind}, and a record is a plain file"
        return
    group = found.trials
    if path.name.endswith(LATENCY_SUFFIX):
        group = found.latencies
    elif path.name.endswith(SERVING_SUFFIX):
        group = found.servings
    elif path.name.endswith(SEARCH_SUFFIX):
        group = found.searches
    group.append(path)

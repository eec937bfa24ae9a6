"""The folder of a site."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from reports.records.atomic import write_atomically
from reports.records.files import SITE_MARK


class Folder:
    """A folder that can be made again at any time: at the end it holds what this build wrote.

    Files of an earlier build that this one did not write are removed; what others put there stays. The hidden
    file :data:`SITE_MARK` lists those of the last build.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[str] = []

    def write(self, name: str, content: str | bytes) -> None:
        """Write one file; ``name`` is a path inside the folder."""
        write_atomically(self.path / name, content, durable=False)
        self.written.append(name)

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        self.before = self._listed()
        # Before the first file, so that a build that was broken off is no folder of records either.
        self._list([*self.before, *self.written])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._list(sorted({*self.before, *self.written}))
            return
        inside = self.path.resolve()
        for name in set(self.before) - set(self.written):
            old = (self.path / name).resolve()
            if old.is_relative_to(inside) and old.is_file():
                old.unlink()
        self._list(sorted(self.written))

    def _list(self, names: list[str]) -> None:
        write_atomically(self.path / SITE_MARK, json.dumps(names, indent=0) + "\n")

    def _listed(self) -> list[str]:
        try:
            found = json.loads((self.path / SITE_MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []

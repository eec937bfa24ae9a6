"""The folder of a site."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from reports.records.atomic import write_atomically
from reports.records.files import SITE_MARK

MADE_MARK: Final = ".paretune-made"
"""Lies beside :data:`SITE_MARK`: of files that take time, what each was made from and what came out."""


class Folder:
    """A folder that can be made again at any time: at the end it holds what this build wrote.

    A file that is there and would be the same is not touched. Files of an earlier build that this one did not
    write are removed; what others put there stays. The hidden file :data:`SITE_MARK` lists those of the last
    build.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[str] = []
        self.made: dict[str, tuple[str, str]] = {}
        """What a file was made from, and the hash of what came out."""

    def write(self, name: str, content: str | bytes, made_from: str | None = None) -> None:
        """Write one file.

        Args:
            name: a path inside the folder.
            content: what it shall hold.
            made_from: a hash of all that it was made from, for :meth:`keep` in a later build.
        """
        data = content.encode("utf-8") if isinstance(content, str) else content
        if self._holds(name) != data:
            write_atomically(self.path / name, data, durable=False)
        self.written.append(name)
        if made_from is not None:
            self.made[name] = made_from, _hash(data)

    def keep(self, name: str, made_from: str) -> bool:
        """Whether an earlier build made a file from the same, and it still is what came out: it stays."""
        before = self.made_before.get(name)
        data = self._holds(name) if before and before[0] == made_from else None
        if before is None or data is None or _hash(data) != before[1]:
            return False
        self.written.append(name)
        self.made[name] = before
        return True

    def _holds(self, name: str) -> bytes | None:
        """What a file holds; None where there is none, or a link."""
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            return None
        with open(descriptor, "rb") as stream:
            return stream.read()

    def __enter__(self) -> Self:
        self.path.mkdir(parents=True, exist_ok=True)
        self.before = self._listed()
        self.made_before = self._made()
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
        if self.made or self.made_before:
            self._mark(MADE_MARK, self.made)

    def _list(self, names: list[str]) -> None:
        self._mark(SITE_MARK, names)

    def _mark(self, name: str, content: Any) -> None:
        told = json.dumps(content, indent=0, sort_keys=True) + "\n"
        if self._holds(name) != told.encode():
            write_atomically(self.path / name, told)

    def _listed(self) -> list[str]:
        try:
            found = json.loads((self.path / SITE_MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []

    def _made(self) -> dict[str, tuple[str, str]]:
        try:
            found = json.loads((self.path / MADE_MARK).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        items = found.items() if isinstance(found, dict) else ()
        return {name: (value[0], value[1]) for name, value in items if _is_pair(value)}


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

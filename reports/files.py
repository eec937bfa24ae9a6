"""Writing files so that a reader sees the old content or the new, never a half of either."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Final, Self


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> Path:
    """Write ``content`` to ``path`` through a temporary file in the same folder and one rename.

    The temporary file is hidden and does not end in the final suffix, so a crash leaves nothing that a
    reader of the folder would pick up. ``durable`` waits until it would survive a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[:80]}.{uuid.uuid4().hex}.tmp"
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)
    return path


class Folder:
    """A folder that can be made again at any time: at the end it holds what this build wrote.

    Files of an earlier build that this one did not write are removed; what others put there stays.
    """

    MANIFEST: Final = ".paretune-site"
    """Lists the files of the last build, and tells readers of records that the folder holds none."""

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
        write_atomically(self.path / self.MANIFEST, json.dumps(names, indent=0) + "\n")

    def _listed(self) -> list[str]:
        try:
            found = json.loads((self.path / self.MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def is_of_a_site(path: Path, below: Path) -> bool:
    """Whether a file lies in a site inside the folder ``below``: its copies of records are no records."""
    inside = path.relative_to(below).parents
    return any((below / folder / Folder.MANIFEST).is_file() for folder in inside)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system can open folders."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the content itself is already on disk
        pass
    finally:
        os.close(descriptor)

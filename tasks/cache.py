"""What was worked out from a task's files is kept on disk, so that the next start maps it into memory.

A kept table is one Arrow file in the folder `paretune` where `datasets` caches (HF_DATASETS_CACHE), called

    NAME-KEY-CONTENT.arrow

KEY is a hash of all that its rows depend on: the content of the files that they were read from, the code,
the libraries. So nothing kept is ever out of date: other files make another key. CONTENT is the hash of the
Arrow file itself, looked at whenever it is read: one that was cut short or changed is removed and made again.
A file gets its name when it is complete, and while one process makes a table, others that want it wait.

What cannot be kept, since the folder cannot be written to or the disk is full, is held in memory instead and
said in one sentence (`complaints`). The folder may be removed at any time.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import datasets
import pyarrow as pa
from filelock import FileLock

FOLDER: Final = "paretune"
"""Of what is kept, where `datasets` caches."""

KEPT_FROM: Final = 100_000
"""Bytes of files or of text: what is smaller is read again faster than it is looked for."""

_DIGITS: Final = 32  # of each hash in a name: 128 bits
_FACTS: Final = b"paretune"

_complaints: list[str] = []
_told: set[str] = set()


@dataclass(frozen=True)
class Kept:
    """A table, and what is known of it beside its rows."""

    table: datasets.Dataset
    facts: dict[str, Any] = field(default_factory=dict)


def folder() -> Path:
    """Where tables are kept."""
    return Path(datasets.config.HF_DATASETS_CACHE).expanduser() / FOLDER


def key(*of: object) -> str:
    """The hash of everything that a table depends on, all of it text and numbers."""
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()


@lru_cache(maxsize=16)
def code(*files: Path) -> str:
    """The hash of source files, for a key: what other code made is made again."""
    return key(*(hash_of(file) for file in files))


def hash_of(file: Path) -> str:
    """The hash of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def kept(name: str, of: str | None, make: Callable[[], Kept], *, worth: bool = True) -> Kept:
    """A table as it was kept, or else made and kept.

    Args:
        name: says to people what it is.
        of: its `key`; None where nothing tells what it would be made from, so that it is not kept.
        make: makes it; its errors are passed on, and nothing is kept then.
        worth: whether it is large enough to be kept.
    """
    if of is None or not worth or not datasets.is_caching_enabled():
        return make()
    stem = f"{name}-{of[:_DIGITS]}"
    if (found := _find(stem)) is not None:
        return found
    with _alone(stem) as alone:
        if alone and (found := _find(stem)) is not None:
            return found
        made = make()
        try:
            if alone:
                _sweep(stem)
            return _write(stem, made)
        except OSError as error:
            _complain(error)
            return made


def complaints() -> list[str]:
    """What could not be kept and has not been told yet, each reason once in a process."""
    told = list(_complaints)
    _complaints.clear()
    return told


def _complain(error: OSError) -> None:
    why = os.strerror(error.errno) if error.errno else str(error)  # Arrow's own words name a temporary file
    line = (
        f"What is made of the data cannot be kept in {folder()} ({why}): every start "
        "makes it again, and holds it in memory; HF_DATASETS_CACHE can name another folder."
    )
    if line not in _told:
        _told.add(line)
        _complaints.append(line)


def _find(stem: str) -> Kept | None:
    """What is kept under a name, if it is whole."""
    for file in sorted(folder().glob(f"{glob.escape(stem)}-*.arrow")):
        with contextlib.suppress(OSError):
            if file.stem.removeprefix(f"{stem}-") == hash_of(file)[:_DIGITS]:
                with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as stream:
                    facts = stream.schema.metadata[_FACTS]
                return Kept(datasets.Dataset.from_file(str(file)), json.loads(facts))
            file.unlink()
    return None


def _write(stem: str, made: Kept) -> Kept:
    """Keep a table, and return it as it is read from there."""
    folder().mkdir(parents=True, exist_ok=True)
    table: pa.Table = made.table.with_format("arrow")[:].combine_chunks()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _FACTS: json.dumps(made.facts)})
    unfinished = folder() / f".{stem}.{uuid.uuid4().hex}.unfinished"
    try:
        with pa.OSFile(str(unfinished), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        os.replace(unfinished, folder() / f"{stem}-{hash_of(unfinished)[:_DIGITS]}.arrow")
    finally:
        unfinished.unlink(missing_ok=True)
    return _find(stem) or made


def _sweep(stem: str) -> None:
    """Remove what a killed process was writing."""
    for file in folder().glob(f".{glob.escape(stem)}.*.unfinished"):
        file.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(stem: str) -> Iterator[bool]:
    """Wait until no other process makes this; False where there is nothing to wait by."""
    lock = FileLock(folder() / f".{stem}.lock")
    try:
        folder().mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()

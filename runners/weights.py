"""What the files of a local model hold, by hash: a folder may be moved, and its files may be replaced."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
"""The files that hold weights."""


def of_weights(folder: Path) -> str:
    """SHA-256 of the weight files of a model's folder, in hexadecimal."""
    return _together(file for pattern in WEIGHTS for file in folder.glob(pattern))


def _together(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        told = file.stat()
        digest.update(_hashed(file.resolve(), told.st_ino, told.st_size, told.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=1024)
def _hashed(file: Path, inode: int, size: int, changed: int) -> bytes:
    """The hash of a file; made again where it was replaced or written to."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()

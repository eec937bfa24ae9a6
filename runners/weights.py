"""What the files of a local model hold, by hash: a folder may be moved, and its files may be replaced."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")
"""The files that hold weights."""


FILES = (
    *(
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ),
    *("vocab.json", "vocab.txt", "merges.txt", "*.model"),
)
"""The other files that decide what a model does with a text."""


def local(name: str) -> Path | None:
    """The folder that a model's name means; None for a hub id, and where no model lies."""
    path = Path(name).expanduser()
    folder = path.parent if path.name == "config.json" else path
    return folder if (folder / "config.json").is_file() else None


def of_model(folder: Path) -> str:
    """SHA-256 of all that decides what the model in a folder does with a text, in hexadecimal."""
    digest = hashlib.sha256(of_weights(folder).encode())
    for file in sorted(file for pattern in FILES for file in folder.glob(pattern)):
        digest.update(f"\0{file.name}\0".encode() + _hash(file))
    return digest.hexdigest()


def of_weights(folder: Path) -> str:
    """SHA-256 of the weight files of a model's folder, in hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(file for pattern in WEIGHTS for file in folder.glob(pattern)):
        digest.update(_hash(file))
    return digest.hexdigest()


def of_files(folder: Path, names: Iterable[str]) -> str:
    """SHA-256 of some files of a folder, their names included, in hexadecimal.

    Raises:
        OSError: one of them cannot be read.
    """
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"\0{name}\0".encode() + _hash(folder / name))
    return digest.hexdigest()


def _hash(file: Path) -> bytes:
    told = file.stat()
    return _hashed(file.resolve(), told.st_ino, told.st_size, told.st_mtime_ns)


@lru_cache(maxsize=1024)
def _hashed(file: Path, inode: int, size: int, changed: int) -> bytes:
    """The hash of a file; made again where it was replaced or written to."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()

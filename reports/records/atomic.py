"""Writing files so that a reader sees the old content or the new, never a half of either."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_atomically(path: Path, content: str | bytes, *, durable: bool = True) -> Path:
    """Write ``content`` to ``path`` through a temporary file in the same folder and one rename.

    The temporary file is hidden and does not end in the final suffix, so a crash leaves nothing that a
    reader of the folder would pick up. ``durable`` waits until it would survive a power cut.
    """
    temporary = path.parent / f".{path.name[:80]}.{uuid.uuid4().hex}.tmp"
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        stream = temporary.open("xb")
    except FileNotFoundError:  # only then, for a site has ten thousand files in one folder
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = temporary.open("xb")
    try:
        with stream:
            stream.write(data)
            if durable:
                stream.flush()
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)
    return path


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

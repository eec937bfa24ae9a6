"""A saved method, in a folder of ours or of another library."""

from __future__ import annotations

from pathlib import Path

from methods.anatomy.anatomy import Anatomy
from methods.core.checkpoint import Checkpoint
from methods.core.exchange import Form


def read_from(form: Form | None, method: str, path: str | Path, anatomy: Anatomy) -> Checkpoint:
    """Read a folder of ours, or of the library's whose form it is given.

    Raises:
        MethodError: it is neither, or holds something that the method does not have.
    """
    if form is not None and form.holds(path) and not Checkpoint.lies_in(path):
        return form.read(method, path, anatomy)
    return Checkpoint.read(path)

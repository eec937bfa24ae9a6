"""What of a trial lies beside the records, and can be taken to another folder and back."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from reports.records.atomic import write_atomically
from runners.plan.spec import TrialSpec
from runners.trials import kept
from runners.trials.trial import snapshot_file

Contents = dict[str, np.ndarray]
"""Files by their path in a folder: what is in each, as uint8 (bytes)."""


def places(folder: Path, spec: TrialSpec) -> list[Path]:
    """Where something of a trial may lie: a file or a folder each."""
    return [snapshot_file(folder, spec), kept.place(folder, spec), kept.waiting(folder, spec)]


def files(folder: Path, spec: TrialSpec) -> list[Path]:
    """The files of a trial that lie beside the records of a folder."""
    found: list[Path] = []
    for place in places(folder, spec):
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        found += [path for path in inside if path.is_file()]
    return found


def contents(folder: Path, chosen: Iterable[Path]) -> Contents:
    """What is in some files of a folder; they are read when the bytes are."""
    return {path.relative_to(folder).as_posix(): _bytes(path) for path in chosen}


def _bytes(path: Path) -> np.ndarray:
    if path.stat().st_size == 0:  # which cannot be mapped
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, mode="r"))


def write(folder: Path, found: Mapping[str, np.ndarray]) -> None:
    """Write files into a folder, which is made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            stream.write(content.data)


def replace(folder: Path, spec: TrialSpec, found: Mapping[str, np.ndarray]) -> None:
    """Let the files of a trial be these, each file and each folder of them as a whole; others of it go.

    Raises:
        OSError: they cannot be written.
    """
    for place in places(folder, spec):
        name = place.relative_to(folder).as_posix()
        inside = {path[len(name) + 1 :]: found[path] for path in found if path.startswith(f"{name}/")}
        if name in found:
            write_atomically(place, found[name].tobytes())
        elif inside:
            made = place.parent / f".{place.name}.{uuid.uuid4().hex}.tmp"
            try:
                write(made, inside)
                shutil.rmtree(place, ignore_errors=True)
                os.replace(made, place)
            finally:
                shutil.rmtree(made, ignore_errors=True)
        elif place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

"""Models, data and texts that lie in folders of one machine and are needed on others: found by hash, or sent.

What is sent lies in the object store once, is fetched by a machine once, and is unpacked there once, into a
folder that is called by the hash of its content.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners import weights
from runners.plan.spec import TrialSpec
from runners.trials import beside, forgetting
from runners.trials.beside import Contents
from tasks import reading
from tasks.hub import HubSource
from tasks.own import preparing
from tasks.spec import FileSource

MODEL_FILES = (*weights.WEIGHTS, "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
"""What transformers may read of a model's folder."""


@dataclass(frozen=True)
class Freight:
    """Files of a folder on their way."""

    folder: str
    """Where the study has them, as an absolute path."""
    names: tuple[str, ...]
    """The files, by their path in the folder."""
    sha256: str
    """Of their names and contents."""
    load: Any = None
    """Where their contents are to be had; None if no machine but this one needs them."""


def of_model(spec: TrialSpec, store: Callable[[Contents], Any]) -> Freight | None:
    """The model of a trial as freight; None where it is no folder.

    Args:
        spec: the trial.
        store: makes contents available elsewhere; returns where.
    """
    folder = weights.local(spec.model)
    if folder is None:
        return None
    return _freight(folder, sorted({path for one in MODEL_FILES for path in folder.glob(one)}), store)


def of_data(spec: TrialSpec, store: Callable[[Contents], Any]) -> Freight | None:
    """The part of a folder of data that a trial reads, as freight; None where it reads none."""
    source = spec.declared.source
    if spec.data is None or not isinstance(source, HubSource | FileSource):
        return None
    folder = Path(spec.data).expanduser()
    if isinstance(source, FileSource):
        return _freight(folder, preparing.file_paths(source, str(folder)), store)
    inside = reading.inside(spec.declared, source, spec.data)
    return _freight(folder, sorted(inside.glob(source.pattern("*"))), store)


def of_text(spec: TrialSpec, store: Callable[[Contents], Any]) -> Freight | None:
    """The file of text that a trial's forgetting is measured on, as freight; None where there is none."""
    file = Path(forgetting.source(spec))
    return _freight(file.parent, [file], store) if file.is_file() else None


def _freight(folder: Path, paths: list[Path], store: Callable[[Contents], Any]) -> Freight:
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    there = folder.absolute()
    load = store(beside.contents(folder, paths))
    return Freight(str(there), names, weights.of_files(there, names), load)


def arrived(freight: Freight, cache: Path, fetch: Callable[[Any], Contents]) -> Path:
    """The folder that has the files here: where the study has them, if they are the same there, or unpacked.

    Any number of processes of a machine may call this at once.

    Args:
        freight: the files.
        cache: the folder of what is unpacked.
        fetch: gets contents from where they were stored.

    Raises:
        OSError: they cannot be unpacked.
    """
    folder = Path(freight.folder)
    try:
        if freight.load is None or weights.of_files(folder, freight.names) == freight.sha256:
            return folder
    except OSError:  # another machine's folder
        pass
    target = cache / freight.sha256
    if not target.is_dir():
        made = cache / f".{freight.sha256}.{uuid.uuid4().hex}.tmp"
        try:
            beside.write(made, fetch(freight.load))
            os.replace(made, target)
        except OSError:
            if not target.is_dir():  # else another process was faster
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return target

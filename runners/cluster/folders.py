"""Where jobs work on a node, and how what they leave is removed; needs nothing of what jobs need.

A process that only sweeps is started in a second, not in the many that torch takes to import.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import RayError

PATIENCE_S: Final = 10.0
"""For an answer of the mailbox, without which a job goes on as well."""

SWEEP_S: Final = 0.5
"""After which a folder that was removed must still be gone."""


def of_session() -> Path:
    """Paretune's part of Ray's own folder of the session."""
    told = ray.get_runtime_context()
    return Path(told.get_temp_dir()) / told.get_session_name() / "paretune"


@contextmanager
def of_job(number: int, mailbox: Any) -> Iterator[Path]:
    """A folder that is a job's own.

    Args:
        number: of the job.
        mailbox: is told of the folder.
    """
    own = of_session() / f"job-{uuid.uuid4().hex}"
    with suppress(RayError):  # waited for: whoever stops this job waits for the folders that are known
        ray.get(mailbox.begun.remote(number, own.name), timeout=PATIENCE_S)
    try:
        own.mkdir(parents=True)
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        mailbox.left.remote(number, own.name)


def sweep(names: Iterable[str]) -> None:
    """Remove folders of jobs that were stopped, of those that are on this node.

    A process that is killed may still write for a moment, so a folder counts as gone when it stays so.
    """
    left, end = {of_session() / name for name in names}, time.monotonic() + PATIENCE_S
    while left and time.monotonic() < end:
        there = {folder for folder in left if folder.exists()}
        for folder in there:
            shutil.rmtree(folder, ignore_errors=True)
        time.sleep(SWEEP_S)
        left = {folder for folder in there if folder.exists()}

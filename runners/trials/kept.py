"""Trained methods beside the records of a study.

Those in ``models/`` are kept for the user, for `methods.load` and `paretune export`. One in ``.unfinished/``
waits for its costs: where trials are trained beside others, they are measured later, and the rounding of a
merge is that of trained weights.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from methods import Adapted, Checkpoint
from reports.records.store import safe_name
from runners import processes
from runners.plan.spec import TrialSpec
from runners.trials import snapshots

FOLDER = "models"
"""Where the trained methods are, inside the folder of the study's records."""


def place(folder: Path, spec: TrialSpec) -> Path:
    """The folder of one trained method, named like the trial's record."""
    name = f"{safe_name(spec.task)}--{safe_name(spec.method)}--seed{spec.seed}--{spec.trial_id[:12]}"
    return folder / FOLDER / name


def waiting(folder: Path, spec: TrialSpec) -> Path:
    """The folder of a trained method whose costs are not measured yet."""
    return folder / snapshots.FOLDER / spec.trial_id[:16]


def keep(adapted: Adapted, target: Path, say: Callable[[str], None]) -> str | None:
    """Save the method and the head, as a whole or not at all; return their hash. The first process writes.

    Where there is no room for them, this is said, and there is no hash: the trial goes on.

    Args:
        adapted: what is trained.
        target: the folder, :func:`place` or :func:`waiting`.
        say: shows one line to the user.
    """

    def written() -> str | None:
        made = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
        try:
            adapted.save(made)
            shutil.rmtree(target, ignore_errors=True)
            os.replace(made, target)
        except Exception as error:  # no room for it, say: the score is there
            say(f"The trained method could not be kept in {target} ({error}).")
            return None
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return content_hash(target)

    return processes.by_first(written)


def find(folder: Path, spec: TrialSpec) -> Path | None:
    """The folder of a trial's trained method among those kept for the user; None where it is not there."""
    target = place(folder, spec)
    return target if Checkpoint.lies_in(target) else None


def trained(folder: Path, spec: TrialSpec) -> Path | None:
    """The folder of a trial's trained method, kept or waiting; None where there is none."""
    target = waiting(folder, spec)
    return find(folder, spec) or (target if Checkpoint.lies_in(target) else None)


def forget(folder: Path, spec: TrialSpec) -> None:
    """Remove the method of a trial that waits for nothing any more."""
    if processes.index() == 0:
        shutil.rmtree(waiting(folder, spec), ignore_errors=True)


def content_hash(folder: Path) -> str:
    """SHA-256 of the names and contents of the files in a folder, in hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()

"""Trained methods that a study keeps beside its records, for `methods.load` and `paretune export`."""

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

FOLDER = "models"
"""Where the trained methods are, inside the folder of the study's records."""


def place(folder: Path, spec: TrialSpec) -> Path:
    """The folder of one trained method, named like the trial's record."""
    name = f"{safe_name(spec.task)}--{safe_name(spec.method)}--seed{spec.seed}--{spec.trial_id[:12]}"
    return folder / FOLDER / name


def keep(adapted: Adapted, spec: TrialSpec, folder: Path, say: Callable[[str], None]) -> str | None:
    """Save the method and the head, as a whole or not at all; return their hash. The first process writes.

    Where there is no room for them, this is said, and there is no hash: the trial goes on.
    """

    def written() -> str | None:
        target = place(folder, spec)
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
    """The folder of a trial's trained method; None where it was not kept."""
    target = place(folder, spec)
    return target if Checkpoint.lies_in(target) else None


def content_hash(folder: Path) -> str:
    """SHA-256 of the names and contents of the files in a folder, in hexadecimal."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()

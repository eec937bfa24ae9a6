"""Snapshots of a training that is not done: where a trial that was killed goes on, bit by bit the same.

A snapshot has the trained weights and the best of them so far, the optimiser's and the schedule's state, the
random generators of every process, the position in the data and what was counted. The first process writes
it, atomically, and reads it for all.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from reports.records.atomic import write_atomically
from runners import processes

FOLDER = ".unfinished"
"""Where the snapshots of a study's trials are, inside the folder of its records."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Snapshots:
    """The snapshots of one trial: one file, the last one.

    Args:
        file: where it lies.
        every: steps between two; None writes none, and goes on from one that is there.
        of: what it must have been made of, such as the trial, the data and the number of processes.
        say: shows one line to the user.
    """

    file: Path
    every: int | None
    of: Mapping[str, Any]
    say: Say

    def due(self, step: int) -> bool:
        """Whether a snapshot is made after this step."""
        return self.every is not None and step % self.every == 0

    def save(self, state: dict[str, Any]) -> None:
        """Write the state; every process calls this. A full disk costs the snapshot, not the trial."""
        state = {**state, "generators": processes.gathered(state["generators"])}
        if processes.index() != 0:
            return
        content = io.BytesIO()
        torch.save({"of": dict(self.of), "state": state}, content)
        try:
            write_atomically(self.file, content.getvalue())
        except OSError as error:
            self.say(f"No snapshot of the training could be written to {self.file} ({error.strerror}).")

    def load(self) -> dict[str, Any] | None:
        """The state of the last snapshot; None where there is none of this very training.

        One that cannot be read, or is of other data, weights or processes, is named and left alone. The first
        process reads it, since it wrote it, and all go on from it or none.

        Raises:
            PeerError: another process could not go on.
        """
        state = processes.by_first(self._read)
        return state and {**state, "generators": state["generators"][processes.index()]}

    def _read(self) -> dict[str, Any] | None:
        if not self.file.is_file():
            return None
        try:
            # On the host, and nothing but tensors and plain values: a file of somebody else runs no code.
            found = torch.load(self.file, map_location="cpu", weights_only=True)
            made_of, state = dict(found["of"]), dict(found["state"])
        except (
            OSError,
            RuntimeError,
            pickle.UnpicklingError,
            EOFError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            self.say(
                f"The snapshot {self.file} cannot be read ({type(error).__name__}): training starts over."
            )
            return None
        other = [name for name, value in self.of.items() if made_of.get(name) != value]
        if other:
            self.say(
                f"The snapshot {self.file} is of another {other[0]} ({made_of.get(other[0])}, expected "
                f"{self.of[other[0]]}): training starts over."
            )
            return None
        return state

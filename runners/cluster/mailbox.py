"""Where nodes of a cluster leave word of their jobs until the study asks for it; needs nothing but Python.

A lost letter loses nothing: records come with the end of a task, not by mail.
"""

from __future__ import annotations


class Mailbox:
    """Holds letters, and the last snapshot of every training, as bytes that it does not look into."""

    def __init__(self) -> None:
        self._letters: list[bytes] = []
        self._snapshots: dict[int, bytes] = {}
        self._folders: dict[int, str] = {}
        self._standing: set[str] = set()

    def begun(self, job: int, folder: str) -> None:
        """A job has a folder of its own on its node; of an attempt before nothing is expected any more."""
        self._folders[job] = folder
        self._standing.add(folder)

    def left(self, job: int, folder: str) -> None:
        """It has removed it."""
        self._standing.discard(folder)
        if self._folders.get(job) == folder:
            del self._folders[job]

    def busy(self) -> bool:
        """Whether a job has yet to remove its folder."""
        return bool(self._folders)

    def standing(self) -> list[str]:
        """The folders that nobody has said are removed, such as those of processes that died."""
        return sorted(self._standing)

    def put(self, letter: bytes) -> None:
        """Leave a letter."""
        self._letters.append(letter)

    def taken(self) -> list[bytes]:
        """All letters since this was last asked, in the order in which they came."""
        letters, self._letters = self._letters, []
        return letters

    def keep(self, job: int, snapshot: bytes) -> None:
        """Keep the snapshot of a job in place of the one before."""
        self._snapshots[job] = snapshot

    def kept(self, job: int) -> bytes | None:
        """The last snapshot of a job: where it goes on when its node is gone."""
        return self._snapshots.get(job)

    def drop(self, job: int) -> None:
        """Forget the snapshot of a job that is done."""
        self._snapshots.pop(job, None)

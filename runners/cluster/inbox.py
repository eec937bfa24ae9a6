"""What nodes of a cluster wrote of their jobs, told to the listeners of a study."""

from __future__ import annotations

from dataclasses import dataclass

from reports.records.atomic import write_atomically
from reports.records.schema import Environment, Record
from runners.cluster.node import Letter
from runners.trials.jobs import Job, Listener
from runners.trials.trial import snapshot_file


@dataclass
class Heard:
    """A job that is done somewhere, and what was heard of it."""

    job: Job
    listener: Listener
    attempt: str | None = None
    """The one that began last; another's letters are of a node that was given up."""
    environment: Environment | None = None
    """Where that attempt is."""
    scored: Record | None = None
    """What was told when the score was known."""


class Inbox:
    """Reads letters. Those of jobs that are done, and of attempts that another one followed, are dropped."""

    def __init__(self) -> None:
        self._open: dict[int, Heard] = {}

    def expect(self, number: int, job: Job, listener: Listener) -> None:
        """Letters may come on a job."""
        self._open[number] = Heard(job, listener)

    def job(self, number: int) -> Heard:
        """A job that is not done, and what was heard of it."""
        return self._open[number]

    def close(self, number: int, attempt: str | None = None) -> Heard:
        """The job is done; whoever did not hear that it began, or began again, is told.

        Args:
            number: of the job.
            attempt: which it was that did it; None if none did. It may be done before its letters are read.
        """
        heard = self._open.pop(number)
        if heard.attempt is None:
            heard.listener.started()
        elif attempt not in (None, heard.attempt):
            _say_again(heard)
        return heard

    def read(self, letter: Letter) -> None:
        """Tell the listener of a job what a letter says."""
        heard = self._open.get(letter.number)
        if heard is None:
            return
        if letter.kind == "started":
            if heard.attempt is not None:
                _say_again(heard)
            else:
                heard.listener.started()
            heard.attempt, heard.environment = letter.attempt, letter.content
        if letter.attempt != heard.attempt:
            return
        match letter.kind:
            case "progress":
                heard.listener.progress(letter.content)
            case "scored":
                heard.scored = letter.content
                heard.listener.scored(letter.content)
            case "snapshot" if heard.job.folder is not None:
                _keep(heard, letter.content)


def _say_again(heard: Heard) -> None:
    heard.listener.say(f"{heard.job.spec.label}: its node or process is gone; it is done again.")


def _keep(heard: Heard, snapshot: bytes) -> None:
    assert heard.job.folder is not None
    file = snapshot_file(heard.job.folder, heard.job.spec)
    try:
        write_atomically(file, snapshot)
    except OSError as error:
        heard.listener.say(f"No snapshot of the training could be written to {file} ({error.strerror}).")

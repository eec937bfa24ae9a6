"""Letters of nodes: of a job that is done, or of an attempt that another one followed, none is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runners import device, environment
from runners.plan.spec import TrialSpec
from runners.trials.jobs import Job
from runners.trials.trial import lost, snapshot_file

pytest.importorskip("ray", reason="needs ray: pip install 'paretune[ray]'")

from runners.cluster.inbox import Inbox
from runners.cluster.node import Letter


class Told:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def started(self) -> None:
        self.heard.append("started")

    def progress(self, progress: Any) -> None:
        self.heard.append(progress)

    def scored(self, record: Any) -> None:
        self.heard.append(record)

    def say(self, line: str) -> None:
        self.heard.append(line)


def test_a_node_that_was_given_up_is_not_heard(tiny_model: str, tmp_path: Path) -> None:
    spec = TrialSpec(model=tiny_model, task="cola", method="head")
    inbox, told = Inbox(), Told()
    inbox.expect(7, Job(spec, folder=tmp_path), told)
    where, record = environment.describe(device.accelerator()), lost(spec, "here")

    def write(attempt: str, kind: str, content: Any = None, number: int = 7) -> None:
        inbox.read(Letter(number, attempt, kind, content))

    write("first", "progress", "before it began")
    write("first", "started", where)
    write("first", "progress", "a step")
    write("first", "snapshot", b"one")
    write("second", "started", where)
    write("first", "progress", "of a zombie")
    write("first", "scored", "of a zombie")
    write("first", "snapshot", b"of a zombie")
    write("second", "scored", record)
    assert snapshot_file(tmp_path, spec).read_bytes() == b"one"
    assert told.heard == [
        "started",
        "a step",
        "cola / head / seed 0: its node or process is gone; it is done again.",
        record,
    ]
    heard = inbox.close(7)
    assert (heard.environment, heard.scored) == (where, record)
    write("second", "progress", "after its end")
    write("third", "started", where, number=8)
    assert len(told.heard) == 4


def test_whoever_did_not_hear_of_the_beginning_is_told_at_the_end(tiny_model: str) -> None:
    inbox, told = Inbox(), Told()
    inbox.expect(0, Job(TrialSpec(model=tiny_model, task="cola", method="head")), told)
    inbox.close(0)
    assert told.heard == ["started"]


@pytest.mark.parametrize(("attempt", "again"), [("second", True), ("first", False), (None, False)])
def test_whoever_did_not_hear_that_it_began_again_is_told_at_the_end(
    tiny_model: str, attempt: str | None, again: bool
) -> None:
    """A short job may be done before a letter of its second attempt is read."""
    inbox, told = Inbox(), Told()
    inbox.expect(0, Job(TrialSpec(model=tiny_model, task="cola", method="head")), told)
    inbox.read(Letter(0, "first", "started", environment.describe(device.accelerator())))
    inbox.close(0, attempt)
    line = "cola / head / seed 0: its node or process is gone; it is done again."
    assert told.heard == ["started", *([line] if again else [])]

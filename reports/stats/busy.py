"""Whether the machine had time for a training: where others took its cores, its times are too long.

Trials that were trained side by side, each on cores of its own, share caches and memory all the same; how
many there were is in the record, and not guessed from waiting.

Scores do not depend on it. A neighbour that always computes makes t threads on t cores wait 1 / (t + 1) of
their time, if the system moves it about: a third of it for two threads, a seventeenth for sixteen. As every
product waits for its last thread, the step may take twice its time in both cases; so the more threads there
are, the less waiting is too much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports import text
from reports.records.schema import Record

ONE_CORE: Final = 0.2
"""What others may take of one core: that share, divided by the threads, is what these may wait."""
LEAST_WAITED, MOST_WAITED = 0.02, 0.1
"""Bounds of it: below the one lies what a system does for itself, above the other one thread is slow too."""
SPARE: Final = 0.5
"""Where that is not known: by how much the load average may exceed the cores; a whole process is 1."""


def busy(record: Record) -> bool:
    """Whether others took cores that the training wanted; False where nothing tells, as before schema 5."""
    found, cores = record.training, record.environment.cores
    if found is None:
        return False
    if found.waited_share is not None:
        return found.waited_share > bearable(record.environment.threads or 1)
    if found.load_average is None or cores is None:
        return False
    return found.load_average > cores + SPARE


def bearable(threads: int) -> float:
    """The share of their time that so many threads may wait for a core."""
    return min(MOST_WAITED, max(LEAST_WAITED, ONE_CORE / threads))


def crowded(waited: float | None, threads: int) -> list[str]:
    """What is to be said of times that were taken while threads waited for a core, if they did.

    Args:
        waited: the share of their time; None where the system does not tell.
        threads: that compute at once.
    """
    if waited is None or waited <= bearable(threads):
        return []
    return [
        f"The machine was busy: threads waited {text.percent(waited)} of the time for a core. All times are "
        "too long, by more than that share where several threads wait for each other."
    ]


def beside(record: Record) -> int:
    """How many trials the machine trained at once, this one among them; 1 before schema 6."""
    return record.environment.side_by_side or 1


def neighbours(records: Sequence[Record]) -> str:
    """What neighbours mean for the times of some records, in sentences; empty where there were none."""
    counts = [beside(record) for record in records if record.training]
    found = sorted({count for count in counts if count > 1})
    if not found:
        return ""
    some = sum(count > 1 for count in counts)
    mixed = " Times with other numbers of neighbours are not comparable." if len({*counts}) > 1 else ""
    return (
        f"{some} of {text.plural(len(records), 'trial')} {'was' if some == 1 else 'were'} trained side by "
        f"side, {text.listing([str(count) for count in found])} at once on a machine. Training times are "
        f"longer than alone there; other costs were measured alone, and scores are not touched.{mixed}"
    )


def caution(records: Sequence[Record]) -> str:
    """What speaks against the times of some records, in a sentence; empty where nothing does."""
    found = [record for record in records if busy(record)]
    if not found:
        return ""
    waits = [record.training.waited_share for record in found if record.training]
    known = [share for share in waits if share is not None]
    which = f"{len(found)} of {text.plural(len(records), 'trial')}"
    verb, waited = (
        ("was", "its threads waited") if len(found) == 1 else ("were", "their threads waited up to")
    )
    how = f": {waited} {text.percent(max(known))} of the time for a core" if known else ""
    return (
        f"{which} {verb} trained on a busy machine{how}. "
        "Training times are too long there; scores are not touched."
    )

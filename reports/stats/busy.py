"""Whether the machine had time for a training: where others took its cores, its times are too long.

Scores do not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reports import text
from reports.records.schema import Record

MOST_WAITED: Final = 0.1
"""Share of the time that a training's threads may wait for a core."""
SPARE: Final = 0.5
"""Where that is not known: by how much the load average may exceed the cores; a whole process is 1."""


def busy(record: Record) -> bool:
    """Whether others took cores that the training wanted; False where nothing tells, as before schema 5."""
    found, cores = record.training, record.environment.cores
    if found is None:
        return False
    if found.waited_share is not None:
        return found.waited_share > MOST_WAITED
    if found.load_average is None or cores is None:
        return False
    return found.load_average > cores + SPARE


def caution(records: Sequence[Record]) -> str:
    """What speaks against the times of some records, in a sentence; empty where nothing does."""
    found = [record for record in records if busy(record)]
    if not found:
        return ""
    waits = [record.training.waited_share for record in found if record.training]
    known = [share for share in waits if share is not None]
    how = (
        f": their threads waited up to {text.percent(max(known))} of the time for a core that others had"
        if known
        else ""
    )
    verb = "was" if len(found) == 1 else "were"
    return (
        f"{len(found)} of {text.plural(len(records), 'trial')} {verb} trained on a busy machine{how}. "
        "Their times are too long; their scores are not touched."
    )

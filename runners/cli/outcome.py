"""What a run leaves undone: which trials failed, which costs miss, and that ``--retry`` does them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from runners.cli.options import say

if TYPE_CHECKING:
    from reports.records.schema import Record

MOST_TOLD = 20
"""Gaps that are listed."""
FAILED = ("failed", "out_of_memory")


def undone(records: Sequence[Record], expected: int = 0) -> bool:
    """Name the trials that failed and the costs that could not be measured; return whether anything misses.

    Args:
        records: of the trials of a run.
        expected: how many there should be.
    """
    failed = say_failures(records)
    gaps = say_gaps(records)
    return failed or gaps or len(records) < expected


def noting(lines: list[str]) -> Callable[[str], None]:
    """Shows a line and keeps it: what is said of a study of latency is what was left out of it."""

    def told(line: str) -> None:
        lines.append(line)
        say(line)

    return told


def say_failures(records: Sequence[Record]) -> bool:
    """Name the trials that failed or ran out of memory, if there are any; return whether there are."""
    from reports import text

    found = [record for record in records if record.status in FAILED]
    if not found:
        return False
    names = [_which(record) for record in found[:MOST_TOLD]]
    if len(found) > MOST_TOLD:
        names.append(f"{len(found) - MOST_TOLD} more")
    say(
        f"{len(found)} of {text.plural(len(records), 'trial')} failed or ran out of memory: "
        f"{text.listing(names)}. The same command with --retry runs what failed again; without, it stands."
    )
    return True


def say_gaps(records: Sequence[Record]) -> bool:
    """Name the costs that could not be measured, if there are any; return whether there are."""
    found = [(record, part, why) for record in records for part, why in record.gaps.items()]
    for record, part, why in found[:MOST_TOLD]:
        say(f"{_which(record)}: {part} was not measured ({why}); --retry measures it, without training.")
    if len(found) > MOST_TOLD:
        say(f"... and {len(found) - MOST_TOLD} more.")
    return bool(found)


def _which(record: Record) -> str:
    return f"{record.spec['task']} / {record.spec['method']} / seed {record.spec['seed']}"

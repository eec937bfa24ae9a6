"""What texts the tasks of a study share, as ``paretune check-data`` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runners.cli.options import err, out, say, table

if TYPE_CHECKING:
    from tasks import TaskData

SPLITS = ("train", "selection", "report")


def compare(rows: list[dict[str, Any]], own: Mapping[str, TaskData], folder: str | None) -> None:
    """Tell of every task what texts it shares with each other one.

    Args:
        rows: of the tasks; what is found is written into them.
        own: data of one's own, by task.
        folder: of the other tasks' data.

    Raises:
        tasks.DataError: a task cannot be read. Beside data of one's own its row says so instead.
    """
    import tasks
    from tasks.shared import shared

    with err.status("Comparing the tasks' texts ..."):
        data = dict(own)
        for row in rows[len(own) :]:
            try:
                data[row["name"]] = tasks.load(row["name"], data=folder)
            except tasks.DataError as error:
                if not own:
                    raise
                row["not_compared"] = str(error)
        found = shared(data)
    for row in rows:
        if row["name"] in data:
            row.setdefault("sizes", data[row["name"]].sizes)
            row["shared"] = found[row["name"]]


def show(rows: list[dict[str, Any]]) -> None:
    """Print what `compare` found."""
    for row in rows:
        if "not_compared" in row:
            say(f"{row['name']} was not compared: {row['not_compared']}")
    compared = [row for row in rows if "shared" in row]
    if not any(row["shared"] for row in compared):
        say(f"No two of {len(compared)} tasks share a text.")
        return
    shown = table("task", "shares texts with", *SPLITS)
    for row in compared:
        for name, one in row["shared"].items():
            counts = (f"{one[split]:,} of {row['sizes'][split]:,}" for split in SPLITS)
            shown.add_row(row["name"], name, *counts)
    out.print(shown)
    say("Tasks that share texts are not separate evidence: what is found on both may be one finding.")

"""How far the figures of a latency comparison can be trusted, in words."""

from __future__ import annotations

from reports import text
from reports.records.latency_schema import LatencyRecord


def verdicts(record: LatencyRecord) -> list[str]:
    """Sentences on how far the figures of one comparison can be trusted."""
    control = record.control
    interval = f"{control.ratio_low:.3f}-{control.ratio_high:.3f}"
    found = [f"A/A: the base against itself is x{control.ratio:.3f} ({interval})."]
    if not record.trusted:
        found.append(
            "That interval does not contain 1.00: these numbers cannot be trusted. "
            "Run again on an idle machine."
        )
    if not record.precise:
        found.append(
            f"The time limit of {text.seconds(record.seconds_limit)} ended it after "
            f"{text.plural(record.rounds, 'round')}: the widest interval is {record.widest:.1%} wide, "
            f"{record.width_asked:.1%} was asked."
        )
    return found

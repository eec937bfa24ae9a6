"""Whether a verdict hangs on a choice that was made by a hair.

A rule with ``choose`` takes the value that scores best on the selection split, and judges by the reported
scores. A value within the margin of the best one might as well have been chosen; where the verdict would be
another one then, it is told so. It stays what the rule makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reports.claims.finding import Finding
from reports.claims.select import Choice, Pool, told
from reports.records.identity import identity
from reports.records.schema import Record
from reports.stats.verdict import MARGIN


def evaluated(evaluate: Callable[[Any, Pool], Finding], rule: Any, records: Sequence[Record]) -> Finding:
    """What a rule finds in the records, with what it would find at values that are as good to choose."""
    pool = Pool(records)
    found = evaluate(rule, pool)
    said = []
    for choice in {choice.trials: choice for choice in pool.choices}.values():
        for place in as_good(choice, pool):
            better = {trial for trials in choice.trials[:place] for trial in trials}
            other = evaluate(rule, Pool(record for record in records if record.trial_id not in better))
            if other.verdict != found.verdict:
                said.append(_said(choice, place, pool, other))
    return replace(found, hangs_on=" ".join(said))


def as_good(choice: Choice, pool: Pool) -> Iterator[int]:
    """The places of the values that are within the margin of the best one on the selection split."""
    least = pool.selected(choice.ranked[0][1]) - MARGIN
    for place, (_, records) in enumerate(choice.ranked[1:], start=1):
        if pool.selected(records) >= least:
            yield place


def _said(choice: Choice, place: int, pool: Pool, other: Finding) -> str:
    (best, records), (value, others) = choice.ranked[0], choice.ranked[place]
    which = identity(records[0])
    sizes = {name: one for name, one in sorted(which.options.items()) if type(one) is int}
    called = ", ".join([which.method, *(f"{name} {size}" for name, size in sizes.items())])
    return (
        f"It hangs on a choice: of {called}, {told(choice.setting)} {_plain(best)} was chosen with "
        f"{pool.selected(records):.3f} on the selection split, and {_plain(value)} has "
        f"{pool.selected(others):.3f}; with that it would be {other.verdict}: {other.value}."
    )


def _plain(value: float | None) -> str:
    """`0.00003`, as a study has it."""
    return "none" if value is None else np.format_float_positional(value, trim="-")

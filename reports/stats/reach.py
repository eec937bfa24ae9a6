"""How much of something does it take to reach a share of a reference's score? With 90 % of full: d90.

The one function behind every d90: that of the page, of the README and of the claims.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from reports.stats.estimate import Estimate, Interval, stratified_mean

ROUNDING: Final = 1e-9


def shortfall(
    pairs: Mapping[str, Sequence[tuple[float, float]]], share: float, floor: float = 0.0
) -> Estimate:
    """The mean of score - (floor + share (reference - floor)), paired by seed within every task.

    Args:
        pairs: by task the scores of one seed: the one in question, and the reference's.
        share: of the reference that is asked for.
        floor: what both count from.
    """
    return stratified_mean(
        [
            [score - floor - share * (reference - floor) for score, reference in found]
            for found in pairs.values()
        ]
    )


def suffices(gap: Estimate) -> bool:
    """Whether the mean reaches what is asked, rounding aside."""
    return gap.value is not None and gap.value >= -ROUNDING


def smallest(gaps: Mapping[float, Estimate]) -> Estimate:
    """The smallest value whose mean suffices, and the range in which the true one lies.

    The range begins just above the largest value below it that surely falls short, or at 0; it ends at the
    first value that surely suffices, or is open.

    Args:
        gaps: of every value that was tried, in rising order.
    """
    n = sum(gap.n for gap in gaps.values())
    reached = next((x for x, gap in gaps.items() if suffices(gap)), None)
    if all(gap.interval is None for gap in gaps.values()):
        return Estimate(reached, None, n, next((gap.note for gap in gaps.values()), ""))
    sure = next((x for x, gap in gaps.items() if gap.interval and gap.interval.low >= 0), math.inf)
    end = math.inf if reached is None else reached
    short = [x for x, gap in gaps.items() if x < end and gap.interval and gap.interval.high < 0]
    low = math.nextafter(max(short), math.inf) if short else 0.0
    note = "" if reached is not None else f"above {max(gaps):,g}, the largest that was tried"
    return Estimate(reached, Interval(low, sure), n, note)

"""How far the figures of a latency comparison can be trusted.

The rounds of one process say how its ratio varies from round to round. Two equal models in one process differ
as well, for as long as the process lives: each has its own memory and its own objects. So the process is
what is sampled, and an interval from the rounds of one process alone is too narrow: of 191 published
comparisons of a base with itself it held 1 in 166. The intervals here go over processes too.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reports import text
from reports.records.cost_parts import LatencyRow
from reports.records.latency_schema import LatencyEntry, LatencyRecord
from reports.records.serving_schema import Paired
from reports.stats.estimate import LEVEL, MIN_SEEDS, Interval, quantile

BETWEEN: Final = 0.0063
"""What a process adds to the half width of an interval, in quadrature and as a share of the ratio: the least
with which 95 % of the first 191 published comparisons of a base with itself hold 1, see :func:`between`."""

MARGIN: Final = 0.01
"""By how much of the base's time a method may be slower and still be called as fast."""

Decision = Literal["slower", "faster", "as fast", "ambiguous"]


@dataclass(frozen=True)
class Ratio:
    """Time relative to the untouched base over the runs of one machine, with its 95 % interval."""

    value: float
    """The geometric mean of the runs' medians."""
    low: float
    high: float
    seeds: int = 1


def between(controls: Sequence[LatencyRow], level: float = LEVEL) -> float:
    """What has to be added to intervals so that comparisons of a base with itself hold 1 at ``level``.

    The conformal quantile (Vovk, Gammerman & Shafer 2005, section 2.2) of what each lacks: for another
    comparison like these the interval holds 1 with at least that probability, whatever the distribution.

    Raises:
        ValueError: there are too few to say.
    """
    place = math.ceil((len(controls) + 1) * level)
    if place > len(controls):
        raise ValueError(f"{len(controls)} comparisons are too few for a quantile of {level:g}")
    lacking = []
    for row in controls:
        off = row.ratio - 1
        half = row.ratio - row.ratio_low if off > 0 else row.ratio_high - row.ratio
        lacking.append(math.sqrt(max(0.0, off**2 - half**2)) / row.ratio)
    return sorted(lacking)[place - 1]


def ratio(rows: Sequence[LatencyRow | Paired], between: float = BETWEEN) -> Ratio:
    """The ratio over one or more runs, each with models and memory of its own.

    From three runs on Student's t over the logarithms of their ratios, and never narrower than what the
    rounds and a single process's offset leave open.

    Raises:
        ValueError: there is no run.
    """
    if not rows:
        raise ValueError("a ratio needs at least one run")
    logs = np.log([row.ratio for row in rows])
    value, count = float(logs.mean()), len(rows)
    over_runs = 0.0
    if count >= MIN_SEEDS:
        t = quantile(count - 1)
        over_runs = t * float(logs.std(ddof=1)) / math.sqrt(count)
    below = [math.log(row.ratio / row.ratio_low) for row in rows]
    above = [math.log(row.ratio_high / row.ratio) for row in rows]
    down, up = (
        max(over_runs, math.sqrt(statistics.fmean(half**2 for half in halves) / count + between**2))
        for halves in (below, above)
    )
    return Ratio(math.exp(value), math.exp(value - down), math.exp(value + up), count)


def interval(row: LatencyRow | Paired) -> Interval:
    """The 95 % interval of one run's ratio, over rounds and processes."""
    found = ratio([row])
    return Interval(found.low, found.high)


def trusted(control: LatencyRow) -> bool:
    """Whether the base, timed against itself, holds 1 within its interval."""
    ends = interval(control)
    return ends.low <= 1 <= ends.high


def decision(record: LatencyRecord, entry: LatencyEntry) -> Decision:
    """Whether a contender is slower or faster than the base, as fast within ``MARGIN``, or cannot be told."""
    ends = interval(entry)
    if not trusted(record.control):
        return "ambiguous"
    if ends.low > 1:
        return "slower"
    if ends.high < 1:
        return "faster"
    return "as fast" if ends.low >= 1 - MARGIN and ends.high <= 1 + MARGIN else "ambiguous"


def verdicts(record: LatencyRecord) -> list[str]:
    """Sentences on how far the figures of one comparison can be trusted."""
    ends = interval(record.control)
    found = [f"A/A: the base against itself is x{record.control.ratio:.3f} ({ends.low:.3f}-{ends.high:.3f})."]
    if not trusted(record.control):
        found.append(
            "That interval does not contain 1.00: these numbers cannot be trusted. "
            "Run again on an idle machine."
        )
    if not record.precise:
        found.append(
            f"The time limit of {text.seconds(record.seconds_limit)} ended it after "
            f"{text.plural(record.rounds, 'round')}: the widest interval over rounds is {record.widest:.1%} "
            f"wide, {record.width_asked:.1%} was asked."
        )
    return found

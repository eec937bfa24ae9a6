"""What of a ranking of methods another model shares."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reports import text
from reports.stats.estimate import NORMAL, Interval
from reports.stats.standing import Standing

FEWEST: Final = 5
"""Methods for an interval."""
SPREAD: Final = 0.437
"""Of the arc tangent of τ the variance times n - 4 (Fieller, Hartley & Pearson 1957, Biometrika 44, 470)."""


@dataclass(frozen=True)
class Pair:
    """How alike two models rank the methods that both have."""

    first: str
    second: str
    tau: float
    """Kendall's: 1 where the order is the same, -1 where it is turned around."""
    interval: Interval | None
    """Over other methods like these; None of fewer than five."""
    methods: int

    @property
    def sentence(self) -> str:
        """What it says of the two."""
        between = f"{text.name(self.first)} and {text.name(self.second)}"
        if self.interval is None:
            return f"Between {between} too few methods are shared to say what carries over."
        if self.interval.low > 0:
            return f"What {between} rank is more alike than chance (τ {self.tau:.2f})."
        return f"That {between} rank the methods alike is not decided (τ {self.tau:.2f})."


@dataclass(frozen=True)
class Carried:
    """Every two models."""

    pairs: tuple[Pair, ...]

    @property
    def sentences(self) -> list[str]:
        """One each; of many models how many pairs are alike."""
        if len(self.pairs) <= 3:
            return [pair.sentence for pair in self.pairs]
        alike = sum(pair.interval is not None and pair.interval.low > 0 for pair in self.pairs)
        middle = sorted(pair.tau for pair in self.pairs)[len(self.pairs) // 2]
        return [
            f"Of {len(self.pairs)} pairs of models {alike} rank the methods more alike than chance; the "
            f"median τ is {middle:.2f}."
        ]


def carried(standings: Sequence[Standing], names: dict[str, str] | None = None) -> Carried | None:
    """Kendall's τ-b of the average ranks of every two models; None where no two share two ranked methods.

    Args:
        standings: of one suite, a model each.
        names: what models are called; their names in the records where that is not said.
    """
    from scipy import stats

    pairs = []
    for one, other in itertools.combinations(standings, 2):
        ranks = [
            {place.label: place.rank.value for place in item.places if place.rank.value is not None}
            for item in (one, other)
        ]
        shared = [label for label in ranks[0] if label in ranks[1]]
        if len(shared) < 2:
            continue
        tau = float(stats.kendalltau(*([own[label] for label in shared] for own in ranks)).statistic)
        if math.isnan(tau):  # one of the two ranks all alike
            continue
        first, second = ((names or {}).get(item.model, item.model) for item in (one, other))
        pairs.append(Pair(first, second, tau, _interval(tau, len(shared)), len(shared)))
    return Carried(tuple(pairs)) if pairs else None


def _interval(tau: float, count: int) -> Interval | None:
    if count < FEWEST:
        return None
    half = NORMAL * math.sqrt(SPREAD / (count - 4))
    middle = math.atanh(max(-0.9999, min(0.9999, tau)))
    return Interval(math.tanh(middle - half), math.tanh(middle + half))

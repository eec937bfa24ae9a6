"""Is one method better than another, as good, or is it not decided? Three verdicts, one interval behind them.

A pair is the same seed on the same task, so that what a seed or a task does to both methods cancels. Compared
is the score of runs that learned; that a method learned nothing with some seeds is a result of its own, with
a test of its own. No method is called better, or as good, that learned nothing more often than the other,
unless its failures, as many as they may be, cannot undo what it gains.

The intervals of all comparisons made together hold at once with 95 % (Bonferroni's correction), and a verdict
is read off its interval: so no verdict can contradict an interval, and no p decides anything.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from reports import text
from reports.errors import RecordError
from reports.stats.difference import Difference, Stratum, differences
from reports.stats.estimate import Interval
from reports.stats.grid import Grid
from reports.stats.learning import Risk, exact_share

ALPHA: Final = 0.05
MARGIN: Final = 0.01
"""One point: of a metric's range on one task, of the way from the floor to the best score on several."""

Decision = Literal["better", "as good", "not decided"]


@dataclass(frozen=True)
class Verdict:
    """What the runs say of two methods."""

    first: str
    second: str
    difference: Difference | None
    """Of the scores of runs that learned, the first less the second; None where they share no such run."""
    risks: tuple[Risk, Risk]
    """How often each learned nothing, on the tasks that both have."""
    level: float
    """Of the first method's typical score and the second's, to weigh a failure by; in the same unit."""
    margin: float
    comparisons: int
    """Made together, this one included."""
    alone_lost: tuple[int, int] = (0, 0)
    """In how many of the pairs only the first learned nothing, and in how many only the second."""
    unit: str = "points of the score"

    @cached_property  # every page of a model asks for it
    def swapped(self) -> Verdict:
        """The same, seen from the second method."""
        found = self.difference.swapped if self.difference else None
        level = self.level - (self.difference.value if self.difference else 0.0)
        return Verdict(
            *(self.second, self.first, found, (self.risks[1], self.risks[0]), level),
            *(self.margin, self.comparisons, (self.alone_lost[1], self.alone_lost[0]), self.unit),
        )

    @property
    def decision(self) -> Decision:
        """Of the first method: whether it is better than the second, or as good within the margin."""
        ends = self.difference.interval if self.difference else None
        if ends is None:
            return "not decided"
        if ends.low > 0 and self._safe(ends.low):
            return "better"
        return "as good" if ends.low > -self.margin and self._as_steady else "not decided"

    @property
    def _as_steady(self) -> bool:
        """Whether the first learned nothing no more often than the second."""
        lost, others = (risk.share or 0.0 for risk in self.risks)
        return lost <= others

    @property
    def steadier(self) -> int:
        """1 where the first is decided to learn nothing less often than the second, -1 where more often.

        McNemar's exact test of the pairs in which only one of the two learned nothing, with Bonferroni's
        correction over all comparisons.
        """
        from scipy import stats

        total = sum(self.alone_lost)
        p = float(stats.binomtest(self.alone_lost[0], total).pvalue) if total else 1.0
        if p * self.comparisons > ALPHA:
            return 0
        return 1 if self.alone_lost[0] < self.alone_lost[1] else -1

    def _safe(self, least: float) -> bool:
        """Whether the first's failures, as many as they may be, leave it better than the second.

        They do where it has no more of them. Otherwise, with g and h the scores above the floor of runs that
        learned and a and b the shares of failures, the scores to expect are (1 - a) g and (1 - b) h, with a
        as high and b as low as their exact bounds allow.
        """
        first, second = self.risks
        if self._as_steady:
            return True
        level = 1 - ALPHA / self.comparisons
        high = exact_share(first.lost or 0, first.seeds, level).high
        low = exact_share(second.lost or 0, second.seeds, level).low
        theirs = self.level - (self.difference.value if self.difference else 0.0)
        return (1 - high) * (theirs + least) > (1 - low) * theirs

    @property
    def sign(self) -> int:
        """1 where the first is decided to be better, -1 where the second is, else 0."""
        if self.decision == "better":
            return 1
        return -1 if self.swapped.decision == "better" else 0

    @property
    def as_good(self) -> bool:
        """Whether one of the two, no matter which, is as good as the other within the margin."""
        return "as good" in (self.decision, self.swapped.decision)

    @property
    def sentence(self) -> str:
        """The verdict, said with what it rests on."""
        first, second = text.clean(self.first), text.clean(self.second)
        found = self.difference
        if found is None:
            return f"{first} and {second} share no seed with which both learned, so nothing can be said."
        if self.sign == -1:
            return self.swapped.sentence
        where = text.plural(found.tasks, "task")
        where += f", {first} ahead on {found.ahead}" if found.tasks > 1 else ""
        basis = f"{text.plural(found.pairs, 'pair')} of runs on {where}, {self.basis}"
        if found.interval is None:
            said = f"{first} and {second}: not decided. So few seeds give no interval ({basis})."
        else:
            ends = f"{text.score(found.interval.low)} to {text.score(found.interval.high)}"
            said = f"{self._decided(found.interval)} ({ends}; {basis}{self._unseen})."
        return f"{said}{self._failed}"

    def _decided(self, ends: Interval) -> str:
        first, second, margin = text.clean(self.first), text.clean(self.second), text.score(self.margin)
        good = [verdict.decision == "as good" for verdict in (self, self.swapped)]
        if self.sign:
            learned = " where both learned" if any(risk.lost for risk in self.risks) else ""
            return f"{first} is better than {second} by at least {text.score(ends.low)}{learned}"
        if all(good):
            return f"{first} and {second} are as good as each other within {margin}"
        if any(good):
            one, other = (first, second) if good[0] else (second, first)
            return f"{one} is at least as good as {other}, within {margin}"
        return f"{first} and {second}: not decided"

    @property
    def _unseen(self) -> str:
        least = self.difference.detectable if self.difference else None
        open_ = not self.sign and not self.as_good
        return f"; a difference of {text.score(least)} would have been found" if least and open_ else ""

    @property
    def basis(self) -> str:
        """What the interval goes over."""
        found = self.difference
        if found is None or not found.tasks_with_examples:
            return "over seeds only"
        if found.tasks_with_examples == found.tasks:
            return "over seeds and examples"
        return f"over seeds, and examples on {found.tasks_with_examples} of them"

    @property
    def _failed(self) -> str:
        told = [
            f"{text.clean(name)} learned nothing in {risk.lost} of {text.plural(risk.seeds, 'run')}"
            for name, risk in zip((self.first, self.second), self.risks, strict=True)
            if risk.lost
        ]
        if not told:
            return ""
        decided = (
            ""
            if not self.steadier
            else ", which is decided to be less often the case for "
            + text.clean(self.first if self.steadier == 1 else self.second)
        )
        return f" {text.listing(told)}{decided}."


def verdicts(
    grid: Grid,
    pairs: Sequence[tuple[str, str]] | None = None,
    *,
    alpha: float = ALPHA,
    margin: float = MARGIN,
) -> list[Verdict]:
    """Compare methods two by two over the seeds and tasks that both have.

    Args:
        grid: the scores, on one scale if there are several tasks.
        pairs: which methods to compare; every two of them by default. Fewer comparisons, chosen before
            looking, leave each more power.
        alpha: the chance of any false verdict.
        margin: by how much a method may be worse and still be called as good, in the grid's unit.

    Raises:
        RecordError: for a method that the grid does not hold.
    """
    chosen = list(itertools.combinations(grid.methods, 2)) if pairs is None else list(pairs)
    strata = [_strata(grid, first, second) for first, second in chosen]
    made = sum(any(len(s.differences) for s in found.values()) for found in strata) or 1
    return [
        Verdict(
            first,
            second,
            difference=found,
            risks=_risks(grid, first, second),
            level=_level(grid, first, second),
            margin=margin,
            comparisons=made,
            alone_lost=_alone_lost(grid, first, second),
            unit=grid.unit,
        )
        for (first, second), found in zip(chosen, differences(strata, alpha / made), strict=True)
    ]


def _strata(grid: Grid, first: str, second: str) -> dict[str, Stratum]:
    """For each task the differences of the two methods with the seeds with which both learned."""
    found = {}
    one, other = (_index(grid, name) for name in (first, second))
    both = grid.learned[one] & grid.learned[other]  # (tasks, seeds)
    gaps = grid.signed[one] - grid.signed[other]
    for task, name in enumerate(grid.tasks):
        kept = np.flatnonzero(both[task] & ~np.isnan(gaps[task]))
        mine, theirs = (grid.examples.get((method, name)) for method in (first, second))
        examples = None
        if mine is not None and theirs is not None and mine.shape == theirs.shape and len(kept):
            rows = mine[kept] - theirs[kept]
            examples = None if np.isnan(rows).any() else rows
        found[name] = Stratum(gaps[task][kept], examples)
    return found


def _risks(grid: Grid, first: str, second: str) -> tuple[Risk, Risk]:
    """How often each learned nothing on the tasks that both have."""
    one, other = (_index(grid, name) for name in (first, second))
    run = ~np.isnan(grid.scores)
    shared = run[one].any(axis=1) & run[other].any(axis=1)

    def risk(method: int) -> Risk:
        seeds, lost = run[method][shared], ~grid.learned[method][shared]
        return Risk(int(seeds.sum()), int((seeds & lost).sum()))

    return risk(one), risk(other)


def _alone_lost(grid: Grid, first: str, second: str) -> tuple[int, int]:
    """In how many pairs only one of the two learned nothing."""
    one, other = (_index(grid, name) for name in (first, second))
    both = ~np.isnan(grid.scores[one]) & ~np.isnan(grid.scores[other])
    lost = [~grid.learned[method] for method in (one, other)]
    return int((both & lost[0] & ~lost[1]).sum()), int((both & lost[1] & ~lost[0]).sum())


def _level(grid: Grid, first: str, second: str) -> float:
    """The first method's mean score above the floor where both learned."""
    one, other = (_index(grid, name) for name in (first, second))
    both = grid.learned[one] & grid.learned[other]
    above = np.abs(grid.scores[one] - np.array([math.nan if f is None else f for f in grid.floors])[:, None])
    means = [row[use].mean() for row, use in zip(above, both, strict=True) if use.any()]
    return float(np.mean(means)) if means else 0.0


def _index(grid: Grid, name: str) -> int:
    if name not in grid.methods:
        raise RecordError(f"there is no method {name!r:.60} to compare; there are {', '.join(grid.methods)}.")
    return grid.methods.index(name)


def by_pair(found: Sequence[Verdict]) -> Mapping[tuple[str, str], Verdict]:
    """Every verdict from both sides."""
    both = {(verdict.first, verdict.second): verdict for verdict in found}
    return both | {(verdict.second, verdict.first): verdict.swapped for verdict in found}

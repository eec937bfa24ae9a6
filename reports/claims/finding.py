"""What a rule found in the records: a verdict, a sentence that gives its numbers, and what to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.claims.region import VerdictName, number
from reports.stats.estimate import Estimate
from reports.text import MISSING


@dataclass(frozen=True)
class Point:
    """A value with its interval at a place on the x axis."""

    x: float | str
    estimate: Estimate


@dataclass(frozen=True)
class Plot:
    """What a figure shows: lines of points, or single points where x is a name."""

    x_title: str
    y_title: str
    series: Mapping[str, Sequence[Point]]
    log_x: bool = False
    level: float | None = None
    """A horizontal line: the bound that the points are held against."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one rule."""

    verdict: VerdictName
    sentence: str
    estimate: Estimate
    records: int
    """Trials, latency comparisons or records of serving that the verdict rests on."""
    plot: Plot | None = None
    p: float | None = None
    """Of the sign-flip test against the bound, where the rule asks for one."""
    hangs_on: str = ""
    """The choices without which the verdict would be another one, in sentences; see `hanging.py`."""

    @property
    def said(self) -> str:
        """The sentence, with what the verdict hangs on."""
        return f"{self.sentence} {self.hangs_on}".rstrip()

    @property
    def told(self) -> str:
        """The value, with a word where the verdict hangs on a choice."""
        return f"{self.value}, hangs on a choice" if self.hangs_on else self.value

    @property
    def value(self) -> str:
        """`0.018 (−0.010 to 0.046)`; an en dash where nothing was measured."""
        if self.estimate.value is None:
            return MISSING
        ends = " to ".join(number(end) for end in self.estimate.interval or ())
        return number(self.estimate.value) + (f" ({ends})" if ends else "")


def undecided(reason: str, records: int = 0, plot: Plot | None = None) -> Finding:
    """Nothing can be said, and why."""
    return Finding("not decided", reason, Estimate(None, None, 0, reason), records, plot)

"""Where a measured number has to lie for a claim to hold, and what its interval then decides."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from reports.stats.estimate import Estimate

VerdictName = Literal["supported", "not supported", "not decided"]


class Region(BaseModel):
    """A range of values, open where a bound is missing; every rule has one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    at_least: float | None = Field(None, description="lower bound")
    at_most: float | None = Field(None, description="upper bound")

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a rule needs at_least, at_most or both")
        if self.bounds[0] > self.bounds[1]:
            raise ValueError(f"at_least={self.at_least:g} is above at_most={self.at_most:g}")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Both ends; an open one is infinite."""
        low = -math.inf if self.at_least is None else self.at_least
        return low, math.inf if self.at_most is None else self.at_most

    @property
    def asked(self) -> str:
        """`at least 0.01`, `between −0.02 and 0.02`."""
        low, high = (f"{value:g}".replace("-", "−") for value in self.bounds)
        if self.at_least is not None and self.at_most is not None:
            return f"between {low} and {high}"
        return f"at least {low}" if self.at_most is None else f"at most {high}"

    def decide(self, estimate: Estimate) -> VerdictName:
        """Supported where the whole interval lies inside, not supported where all of it lies outside.

        An interval across a bound decides nothing, and neither does a value without an interval.
        """
        if estimate.interval is None:
            return "not decided"
        low, high = self.bounds
        if low <= estimate.interval.low and estimate.interval.high <= high:
            return "supported"
        if estimate.interval.high < low or estimate.interval.low > high:
            return "not supported"
        return "not decided"

    def told(self, estimate: Estimate, what: str, same: str = "with every seed") -> str:
        """A sentence: the value, its interval (``same`` where that has no width), and what was asked."""
        if estimate.value is None:
            return f"{what}: {estimate.note or 'nothing was measured'}; it has to be {self.asked}."
        value = f"{what} is {number(estimate.value)}"
        if estimate.interval is None:
            return f"{value} ({estimate.note}); it has to be {self.asked}."
        low, high = (number(end) for end in estimate.interval)
        spread = same if low == high == number(estimate.value) else f"95 % interval {low} to {high}"
        return f"{value}, {spread}; it has to be {self.asked}."


def number(value: float) -> str:
    """Whole numbers whole, others with three decimals or two significant digits, with a real minus sign."""
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞"
    if value == round(value) or abs(value) >= 1000:
        shown = f"{value:,.0f}"
    elif abs(value) >= 10:
        shown = f"{value:.3g}"
    elif abs(value) >= 0.00005:
        shown = f"{value:.3f}" if abs(value) >= 0.0095 else f"{value:.2g}"
    else:
        return "0.0000"
    return shown.replace("-", "−")

from __future__ import annotations

import math

import pytest

from reports.stats.estimate import Estimate, Interval
from reports.stats.reach import shortfall, smallest, suffices


def test_the_shortfall_is_paired_by_seed() -> None:
    """0.75 - 0.9 · 0.8 = 0.03, 0.74 - 0.9 · 0.85 = -0.025, 0.8 - 0.9 · 0.9 = -0.01."""
    pairs = [(0.75, 0.8), (0.74, 0.85), (0.8, 0.9)]
    assert shortfall({"": pairs}, 0.9).value == pytest.approx(-0.005 / 3)
    # 90 % of the gain over 0.5: 0.25 - 0.27, 0.24 - 0.315, 0.3 - 0.36.
    assert shortfall({"": pairs}, 0.9, 0.5).value == pytest.approx((-0.02 - 0.075 - 0.06) / 3)


def test_the_smallest_that_suffices_and_where_it_lies() -> None:
    gaps = {
        10.0: Estimate(-0.2, Interval(-0.3, -0.1), 3),
        100.0: Estimate(0.01, Interval(-0.1, 0.12), 3),
        1000.0: Estimate(0.1, Interval(0.05, 0.15), 3),
    }
    found = smallest(gaps)
    assert found.value == 100
    assert found.interval == (math.nextafter(10, math.inf), 1000)
    never = smallest({10.0: gaps[10.0]})
    assert (never.value, never.interval.high) == (None, math.inf)
    assert smallest({10.0: Estimate(0.1, None, 1, "one seed")}).note == "one seed"


def test_what_has_no_score_does_not_suffice() -> None:
    assert not suffices(Estimate(None, None, 0))
    assert suffices(Estimate(-1e-12, None, 1))

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reports.claims.region import Region, number
from reports.stats.estimate import Estimate, Interval


def found(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, Interval(low, high), 5)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.02, 0.03, "supported"),
        (0.01, 0.03, "supported"),
        (0.005, 0.03, "not decided"),
        (-0.03, 0.0099, "not supported"),
        (-0.03, 0.01, "not decided"),
    ],
)
def test_at_least(low: float, high: float, verdict: str) -> None:
    assert Region(at_least=0.01).decide(found(low, high)) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.01, "supported"),
        (-0.01, 0.03, "not decided"),
        (0.021, 0.03, "not supported"),
        (-0.09, -0.03, "not supported"),
        (-0.09, 0.09, "not decided"),
    ],
)
def test_between(low: float, high: float, verdict: str) -> None:
    assert Region(at_least=-0.02, at_most=0.02).decide(found(low, high)) == verdict


def test_without_an_interval_nothing_is_decided() -> None:
    estimate = Estimate(5.0, None, 2, "no interval: 2 seeds, and it takes 3")
    assert Region(at_least=0).decide(estimate) == "not decided"
    assert Region(at_least=0).told(estimate, "The lead") == (
        "The lead is 5 (no interval: 2 seeds, and it takes 3); it has to be at least 0."
    )
    assert (
        Region(at_most=3).told(Estimate(None, None, 0, "none"), "It") == "It: none; it has to be at most 3."
    )


def test_what_every_seed_agrees_on_has_no_interval_to_tell() -> None:
    assert (
        Region(at_most=412).told(found(512, 512), "It")
        == "It is 512, with every seed; it has to be at most 412."
    )


def test_a_rule_needs_a_bound_and_sound_ones() -> None:
    with pytest.raises(ValidationError, match="needs at_least"):
        Region()
    with pytest.raises(ValidationError, match="at_least=2 is above at_most=1"):
        Region(at_least=2, at_most=1)


def test_numbers_as_people_read_them() -> None:
    shown = [number(x) for x in (0, 8.0, 0.5, -0.0123, 0.0004, 2e-6, 73.728, 1234.4, float("inf"))]
    assert shown == ["0", "8", "0.500", "−0.012", "0.0004", "0.0000", "73.7", "1,234", "∞"]

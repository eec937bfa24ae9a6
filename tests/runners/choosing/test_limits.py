"""Limits as they are typed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners.choosing.limits import BYTES, COUNTS, Limits, number, size, told
from runners.plan.errors import SpecError

AMOUNTS = st.integers(1, 9999)


@settings(max_examples=50, deadline=None)
@given(AMOUNTS, st.sampled_from(sorted(BYTES)), st.booleans(), st.sampled_from(["", " "]))
def test_an_amount_of_bytes_is_its_number_times_its_unit(amount, unit, large, space):
    assert size("--max-memory", f"{amount}{space}{unit.upper() if large else unit}") == amount * BYTES[unit]


@settings(max_examples=50, deadline=None)
@given(AMOUNTS, st.sampled_from(sorted(COUNTS)))
def test_a_count_is_its_number_times_its_unit(amount, unit):
    assert number("--max-params", f"{amount}{unit}") == amount * COUNTS[unit]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 100), st.integers(1_000, 10**9))
def test_a_share_is_of_the_base(percent, base):
    assert Limits.parse(params=f"{percent}%").of(base) == {"parameters": percent / 100 * base}


def test_only_what_is_limited_is_a_limit_and_merging_is_another_cost():
    assert Limits.parse().of(100) == {}
    assert Limits.parse(latency="1.05", memory="8GB").of(100) == {"memory": 8e9, "latency": 1.05}
    assert Limits.parse(latency="x1.05", merge_allowed=True).of(100) == {"merged": 1.05}


@pytest.mark.parametrize(
    "typed",
    [
        *({"memory": bad} for bad in ("", "8", "8 GGB", "-8GB", "eight", "1e9B", "GB", "8GB8", "١GB")),
        *({"checkpoint": bad} for bad in ("5", "5%", "nan MB")),
        *({"params": bad} for bad in ("", "%", "0%", "-1%", "1%%", "0", "many", "1MB", "5m%", "inf")),
        *({"latency": bad} for bad in ("", "5%", "0.1", "-1", "nan", "fast", "2000")),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_refused_in_a_sentence_that_names_it(typed):
    with pytest.raises(SpecError, match=r"^received --max-\w+ '.*', expected .*\.$"):
        Limits.parse(**typed)


def test_costs_that_would_look_like_their_limit_have_more_digits():
    assert told("latency", 1.0512, beside=1.05) == "×1.0512"
    assert told("parameters", 227_140, beside=227_139) == "227,140"
    assert told("memory", 8e9, beside=8e9) == "8.00 GB"

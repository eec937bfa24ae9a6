"""Numbers as people read them."""

from __future__ import annotations

import pytest

from reports import text
from reports.stats.aggregate import Ratio, Spread
from reports.stats.estimate import Estimate, Interval


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (text.size, 0, "0 B"),
        (text.size, 999, "999 B"),
        (text.size, 1_000, "1.00 kB"),
        (text.size, 999_600, "1.00 MB"),
        (text.size, 12_345_678, "12.3 MB"),
        (text.size, 512_000_000, "512 MB"),
        (text.seconds, 9.996, "10.0 s"),
        (text.seconds, 17.31, "17.3 s"),
        (text.seconds, 125, "2 min 5 s"),
        (text.seconds, 12_000, "3 h 20 min"),
        (text.share, 0.0, "0 %"),
        (text.share, 1.0, "100 %"),
        (text.share, 0.00324, "0.32 %"),
        (text.share, 0.00001, "< 0.01 %"),
        (text.score, -0.1234, "−0.123"),
        (text.count, 74_498, "74,498"),
        (text.ratio, Ratio(1.084, 1.05, 1.11), "×1.08"),
        (text.interval, Ratio(1.084, 1.05, 1.11), "1.05–1.11"),
        (text.spread, Spread(0.8154, 0.0041, 2), "0.815 ± 0.004"),
        (text.spread, Spread(0.8154, 0.0041, 3, Interval(0.8052, 0.8256)), "0.815 (0.805–0.826)"),
        (text.spread, Spread(0.01, 0.01, 3, Interval(-0.0148, 0.0348)), "0.010 (−0.015 to 0.035)"),
        (text.spread, Spread(0.8154, None, 1), "0.815"),
        (text.estimate, Estimate(2.4, Interval(1.62, 3.2), 9), "2.40 (1.62 to 3.20)"),
        (text.estimate, Estimate(-0.4, None, 1), "−0.40"),
        (text.percent, 0.934, "93 %"),
        (text.percent, 0.004, "< 1 %"),
        (text.percent, 0.996, "> 99 %"),
        (text.percent, 1.0, "100 %"),
        (text.setting, ["query", "value"], "query, value"),
        (text.setting, 5e-5, "5e-05"),
        (text.setting, True, "yes"),
        (text.clean, "a\n\tb\u202ec\x00d\u2028", "a bc d"),
        (text.clean, "x" * 300, "x" * 199 + "…"),
        (text.listing, ["a", "b", "c"], "a, b and c"),
        (text.listing, [], ""),
    ],
)
def test_format(function, value, expected):
    assert function(value) == expected


@pytest.mark.parametrize(
    "function",
    [text.size, text.seconds, text.share, text.score, text.count, text.ratio, text.estimate, text.percent],
)
def test_missing_is_an_en_dash(function):
    assert function(None) == "–"


def test_flops_and_milliseconds():
    assert text.flops(1_234_000_000) == "1.23 GFLOP"
    assert text.flops(12) == "12.0 FLOP"
    assert text.milliseconds(0.4567) == "0.46 ms"
    assert text.milliseconds(None) == "–"

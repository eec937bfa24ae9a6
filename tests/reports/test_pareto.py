"""The Pareto front against its definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reports import pareto_front

_small = st.none() | st.integers(0, 6)
_points = st.lists(st.tuples(_small, _small), max_size=30)


def _beats(a, b, sign):
    better = (b[0] - a[0], sign * (a[1] - b[1]))
    return min(better) >= 0 and max(better) > 0


@given(_points, st.booleans())
def test_agrees_with_brute_force(points, higher_is_better):
    sign = 1 if higher_is_better else -1
    known = [point for point in points if None not in point]
    expected = [None not in p and not any(_beats(other, p, sign) for other in known) for p in points]
    assert pareto_front(points, higher_is_better=higher_is_better) == expected


def test_ties():
    points = [(1, 0.5), (1, 0.5), (1, 0.4), (2, 0.5), (2, 0.6)]
    assert pareto_front(points) == [True, True, False, False, True]


def test_nothing():
    assert pareto_front([]) == []
    assert pareto_front([(None, 0.5), (3, None)]) == [False, False]

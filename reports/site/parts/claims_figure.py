"""The figure of a finding: lines over a setting, or one row per group where there is no such axis."""

from __future__ import annotations

from reports import text
from reports.claims.finding import Plot
from reports.claims.finding import Point as Found
from reports.site.parts.figures import COLOURS, Axis, Figure, Point, Rule, Series


def draw(plot: Plot) -> Figure | None:
    """A figure with 95 % intervals as bars; None where there is no value to draw."""
    known = {
        name: [point for point in points if point.estimate.value is not None]
        for name, points in plot.series.items()
    }
    known = {name: points for name, points in known.items() if points}
    if not known:
        return None
    named = any(isinstance(point.x, str) for points in known.values() for point in points)
    series = tuple(
        Series(
            text.clean(name, 60),
            tuple(_point(point, named) for point in points),
            "dots" if named else "line",
            number % COLOURS,
        )
        for number, (name, points) in enumerate(known.items())
    )
    value = Axis(text.clean(plot.y_title))
    rules = () if plot.level is None else (Rule("x" if named else "y", plot.level),)
    if named:
        names = dict.fromkeys(str(point.y) for one in series for point in one.points)
        height = 110 + 44 * len(names)
        return Figure(height, value, Axis(names=tuple(names)), series, rules, legend=len(known) > 1)
    across = Axis(text.clean(plot.x_title), log=plot.log_x)
    return Figure(420, across, value, series, rules, legend=len(known) > 1)


def _point(point: Found, named: bool) -> Point:
    ends, value = point.estimate.interval, point.estimate.value
    place = text.clean(point.x, 60) if isinstance(point.x, str) else point.x
    x, y = (value, str(place)) if named else (place, value)
    return Point(x, y, ends.low if ends else None, ends.high if ends else None)

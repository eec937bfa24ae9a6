"""The figure of a finding: lines over a setting, or one row per group where there is no such axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from reports.claims.finding import Plot, Point
from reports.site.parts.figures import ACCENT, AXIS, COLOURS, LOOK, NEUTRAL, plain

Error = dict[str, Any]


def draw(plot: Plot) -> go.Figure | None:
    """A figure with 95 % intervals as bars; None where there is no value to draw."""
    known = {
        name: [point for point in points if point.estimate.value is not None]
        for name, points in plot.series.items()
    }
    known = {name: points for name, points in known.items() if points}
    if not known:
        return None
    named = any(isinstance(point.x, str) for points in known.values() for point in points)
    figure = go.Figure()
    for number, (name, points) in enumerate(known.items()):
        colour = COLOURS[number % len(COLOURS)]
        values = [point.estimate.value for point in points]
        places = [_shown(point.x) for point in points]
        x, y = (values, places) if named else (places, values)
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                **{"error_x" if named else "error_y": _error(points)},
                mode="markers" if named else "lines+markers",
                name=plain(name, 60),
                line={"color": colour},
                marker={"color": colour, "size": 9},
            )
        )
    if plot.level is not None:
        line = {"dash": "dash", "color": NEUTRAL, "width": 1}
        figure.add_vline(x=plot.level, line=line) if named else figure.add_hline(y=plot.level, line=line)
    axis = {**AXIS, "ticks": "outside"}
    title = {"text": plain(plot.y_title)}
    figure.update_layout(
        template="none",
        **LOOK,
        margin={"l": 64, "r": 24, "t": 24, "b": 72},
        height=130 + 44 * max(map(len, known.values())) if named else 460,
        showlegend=len(known) > 1,
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top"},
        colorway=[ACCENT],
    )
    if named:
        figure.update_xaxes(title=title, **axis)
        figure.update_yaxes(type="category", autorange="reversed", **axis)
    else:
        figure.update_xaxes(title={"text": plain(plot.x_title)}, **axis)
        figure.update_xaxes(**({"type": "log", "dtick": 1} if plot.log_x else {}))
        figure.update_yaxes(title=title, **axis)
    return figure


def _shown(x: float | str) -> float | str:
    """A name on an axis is foreign text: plotly reads a subset of HTML in it."""
    return plain(x, 60) if isinstance(x, str) else x


def _error(points: Sequence[Point]) -> Error:
    ends = [(point.estimate.value or 0.0, point.estimate.interval) for point in points]
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval.high - value if interval else 0 for value, interval in ends],
        "arrayminus": [value - interval.low if interval else 0 for value, interval in ends],
        "thickness": 1.2,
    }

"""The figure of a section: score against trainable parameters, with the Pareto front."""

from __future__ import annotations

import html
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from reports import text
from reports.aggregate import Row
from reports.label_layout import Box, label_positions
from reports.sections import Section

ACCENT, NEUTRAL = "#2f6fd0", "#808080"  # the page's script replaces both with the theme's own
GRID = "rgba(128,128,128,0.22)"
PLOT_HEIGHT = 360.0  # pixels
WIDE, NARROW = (760.0, 7.2), (290.0, 6.2)  # plot width and character width on a desktop and on a phone
OUTSIDE = 1e4


@dataclass(frozen=True)
class Axes:
    """The ranges of both axes, x in powers of ten, and where a row lies between them."""

    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, row: Row, width: float) -> tuple[float, float]:
        """Pixels from the left and from the top."""
        across = (math.log10(_x(row)) - self.x[0]) / (self.x[1] - self.x[0])
        down = (self.y[1] - (row.score.mean or 0.0)) / (self.y[1] - self.y[0])
        return width * across, PLOT_HEIGHT * down


def score_against_parameters(section: Section) -> go.Figure | None:
    """One labelled point per scored method; None when there is nothing to draw.

    Filled points lie on the Pareto front, which a step line joins; hollow ones are dominated. Bars are the
    sample standard deviation over seeds. The x axis is logarithmic, so a point that trains nothing is drawn
    at 1; the hover text has its true count.
    """
    rows = [
        row for row in section.rows if row.score.mean is not None and row.trainable_parameters is not None
    ]
    if not rows or section.info is None:
        return None
    rows.sort(key=lambda row: (_x(row), row.score.mean or 0.0))
    front = [row for row in rows if row.on_front]
    figure = go.Figure()
    if len(front) > 1:
        figure.add_trace(
            go.Scatter(
                x=[_x(row) for row in front],
                y=[row.score.mean for row in front],
                mode="lines",
                line={"shape": "hv", "color": ACCENT, "width": 1.5},
                hoverinfo="skip",
                showlegend=False,
            )
        )
    axes = _axes(rows, section.majority)
    wide, narrow = (_sides(rows, front, axes, *screen) for screen in (WIDE, NARROW))
    for group, name, symbol in (
        (front, "on the Pareto front", "circle"),
        ([row for row in rows if not row.on_front], "dominated", "circle-open"),
    ):
        if group:
            figure.add_trace(_points(group, name, symbol, wide, narrow))
    if section.majority is not None:
        figure.add_hline(
            y=section.majority,
            line={"dash": "dash", "color": NEUTRAL, "width": 1},
            annotation={
                "text": f"always the majority: {text.score(section.majority)}",
                "font": {"size": 12, "color": NEUTRAL},
                "showarrow": False,
            },
            annotation_position="bottom right" if section.higher_is_better else "top right",
        )
    return _styled(figure, axes, html.escape(text.clean(section.info.main_metric), quote=False))


def figure_json(figure: go.Figure) -> str:
    """The figure as JSON that is safe inside a `<script>` element: no `<`, `>`, `&` or line separators."""
    dumped = json.dumps(json.loads(figure.to_json()), separators=(",", ":"), ensure_ascii=True)
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _axes(rows: Sequence[Row], majority: float | None) -> Axes:
    """Ranges with room for every point, its error bar and the majority line."""
    exponents = [math.log10(_x(row)) for row in rows]
    scores = [end for row in rows for end in _ends(row)]
    scores += [] if majority is None else [majority]
    across, down = max(exponents) - min(exponents) or 1.0, max(scores) - min(scores) or 0.1
    return Axes(
        x=(min(exponents) - 0.08 * across, max(exponents) + 0.08 * across),
        y=(min(scores) - 0.09 * down, max(scores) + 0.11 * down),
    )


def _sides(
    rows: Sequence[Row], front: Sequence[Row], axes: Axes, width: float, character: float
) -> dict[int, str]:
    """For each row (by its identity in memory) the side of its label on a screen of that width."""
    places = [axes.place(row, width) for row in rows]
    widths = [character * len(name) for name in _names(rows)]
    sides = label_positions(places, widths, _obstacles(front, axes, width))
    return {id(row): side for row, side in zip(rows, sides, strict=True)}


def _obstacles(front: Sequence[Row], axes: Axes, width: float) -> list[Box]:
    """What labels should not cover: the step line of the front, and everything outside the plot."""
    found: list[Box] = [
        (-OUTSIDE, -OUTSIDE, 0.0, OUTSIDE),
        (width, -OUTSIDE, OUTSIDE, OUTSIDE),
    ]
    places = [axes.place(row, width) for row in front]
    for (x, y), (next_x, next_y) in itertools.pairwise(places):
        found += [(x, y - 2, next_x, y + 2), (next_x - 2, next_y, next_x + 2, y)]
    return found


def _ends(row: Row) -> tuple[float, float]:
    """Where the error bar begins and ends: the 95 % interval, or ± one standard deviation of two seeds."""
    mean, sd = row.score.mean or 0.0, row.score.sd or 0.0
    return row.score.interval or (mean - sd, mean + sd)


def _x(row: Row) -> int:
    return max(row.trainable_parameters or 0, 1)


def _names(rows: Sequence[Row]) -> list[str]:
    return [text.clean(row.label, 60) for row in rows]


def _points(
    rows: Sequence[Row], name: str, symbol: str, wide: dict[int, str], narrow: dict[int, str]
) -> go.Scatter:
    """One trace of markers; foreign text is escaped because plotly reads a subset of HTML."""
    above = [_ends(row)[1] - (row.score.mean or 0.0) for row in rows]
    below = [(row.score.mean or 0.0) - _ends(row)[0] for row in rows]
    return go.Scatter(
        x=[_x(row) for row in rows],
        y=[row.score.mean for row in rows],
        error_y={"array": above, "arrayminus": below, "color": ACCENT, "thickness": 1.2}
        if any(above + below)
        else None,
        mode="markers+text",
        name=name,
        text=[html.escape(label, quote=False) for label in _names(rows)],
        textposition=[wide[id(row)] for row in rows],
        meta={"narrow": [narrow[id(row)] for row in rows]},
        textfont={"size": 13},
        marker={"symbol": symbol, "size": 11, "color": ACCENT, "line": {"width": 2, "color": ACCENT}},
        hovertext=[_hover(row) for row in rows],
        hoverinfo="text",
        cliponaxis=False,
    )


def _hover(row: Row) -> str:
    lines = [
        f"<b>{html.escape(text.clean(row.label), quote=False)}</b>",
        f"score {text.spread(row.score)} ({text.plural(row.score.n, 'seed')})",
        f"trainable parameters {text.count(row.trainable_parameters)}",
        f"method {text.share(row.trainable_share)} of the base",
        f"peak training memory {text.size(row.peak_training_bytes)}",
        f"training time {text.seconds(row.training_seconds)}",
        f"latency unmerged {text.ratio(row.unmerged)} {text.interval(row.unmerged)}",
        f"latency merged {text.ratio(row.merged)} {text.interval(row.merged)}",
        f"checkpoint {text.size(row.checkpoint_bytes)}",
    ]
    return "<br>".join(line.rstrip().replace("< ", "&lt; ") for line in lines)


def _styled(figure: go.Figure, axes: Axes, metric: str) -> go.Figure:
    """Transparent and neutral, so that the figure sits on a light page as on a dark one."""
    axis = {
        "gridcolor": "rgba(128,128,128,0.22)",
        "zeroline": False,
        "linecolor": NEUTRAL,
        "ticks": "outside",
    }
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": NEUTRAL},
        margin={"l": 64, "r": 24, "t": 36, "b": 56},
        height=460,
        dragmode=False,
        hovermode="closest",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        showlegend=True,
    )
    figure.update_xaxes(
        type="log",
        title={"text": "trainable parameters (log scale)"},
        range=list(axes.x),
        dtick=1,
        exponentformat="SI",
        **axis,
    )
    figure.update_yaxes(title={"text": metric}, tickformat=".2f", range=list(axes.y), **axis)
    return figure

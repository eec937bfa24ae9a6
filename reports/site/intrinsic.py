"""The page on intrinsic dimension: every search for d90 with its curve, and what it is held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from markupsafe import Markup

from reports import text
from reports.records.origins import UNKNOWN, trusted
from reports.records.published import PublishedDimension, dimensions_on
from reports.site.parts.board import Board
from reports.site.parts.figures import ACCENT, AXIS, LOOK, NEUTRAL, figure_json, plain
from reports.site.parts.html import Page
from reports.stats.estimate import Interval
from reports.stats.intrinsic import Curve, Line, curves, lines, sentences

TITLE = "How many dimensions are enough?"


def intrinsic_page(board: Board) -> Page | None:
    """None where there is no search over dimensions of a random subspace."""
    found = [] if board.measured_by else curves(board.records, board.origins)
    if not found:
        return None
    about = "The fewest dimensions of a random subspace that reach 90 % of full fine-tuning."
    return Page(
        "intrinsic.html",
        TITLE,
        "intrinsic.html.j2",
        {"views": views(found)},
        (("intrinsic.csv", "CSV"),),
        ("plotly.min.js", "figures.js"),
        about,
    )


@dataclass(frozen=True)
class View:
    """One curve with everything the template says about it; `anchor` is ours, never foreign text."""

    anchor: str
    curve: Curve
    setting: str
    whose: str
    """Who measured it, where that is not the maintainers."""
    sentences: list[str]
    figure: Markup
    lines: list[Line]
    published: list[PublishedDimension]


def views(curves: Sequence[Curve]) -> list[View]:
    """One view per curve."""
    return [
        View(
            anchor=f"curve-{number}",
            curve=curve,
            setting=", ".join(f"{text.clean(k)} {text.setting(v)}" for k, v in sorted(curve.options.items())),
            whose="" if curve.origin == UNKNOWN or trusted(curve.origin) else curve.origin.told,
            sentences=sentences(curve),
            figure=Markup(figure_json(score_against_dimension(curve))),
            lines=lines(curve),
            published=dimensions_on(curve.task),
        )
        for number, curve in enumerate(curves, start=1)
    ]


def score_against_dimension(curve: Curve) -> go.Figure:
    """Mean over seeds with its 95 % interval, and every seed, against d; thresholds as lines."""
    scored = [(p.dimension, p.score.value, p) for p in curve.points if p.score.value is not None]
    figure = go.Figure()
    seeds = [(d, score) for d, _, p in scored for score in p.seeds.values() if score is not None]
    if len(seeds) > len(scored):
        figure.add_trace(
            go.Scatter(
                x=[dimension for dimension, _ in seeds],
                y=[score for _, score in seeds],
                mode="markers",
                name="one seed",
                marker={"symbol": "circle-open", "size": 6, "color": NEUTRAL},
                hoverinfo="skip",
            )
        )
    ends = [p.score.interval or Interval(mean, mean) for _, mean, p in scored]
    above = [end.high - mean for end, (_, mean, _) in zip(ends, scored, strict=True)]
    below = [mean - end.low for end, (_, mean, _) in zip(ends, scored, strict=True)]
    figure.add_trace(
        go.Scatter(
            x=[dimension for dimension, _, _ in scored],
            y=[mean for _, mean, _ in scored],
            error_y={"array": above, "arrayminus": below, "color": ACCENT, "thickness": 1.2}
            if any(above + below)
            else None,
            mode="lines+markers",
            name=plain(curve.method, 60),
            line={"color": ACCENT},
            marker={"color": ACCENT, "size": 9},
        )
    )
    reference = curve.reference
    lines = [
        (reference.full.value, "full fine-tuning", "solid", "right"),
        (reference.threshold("gain"), "90 % of its gain", "dashdot", "right"),
        (reference.threshold("score"), "90 % of its score", "dash", "left"),
        (reference.floor, "the best constant answer", "dot", "left"),
    ]
    for side in ("right", "left"):
        known = [
            (value, name, dash) for value, name, dash, where in lines if value is not None and where == side
        ]
        # Two of a side may lie a line's width apart: the upper one is named above it, the lower one below.
        for place, (value, name, dash) in zip(("top", "bottom"), sorted(known, reverse=True), strict=False):
            figure.add_hline(
                y=value,
                line={"dash": dash, "color": NEUTRAL, "width": 1},
                annotation={
                    "text": f"{name}: {text.score(value)}",
                    "font": {"size": 12, "color": NEUTRAL},
                    "showarrow": False,
                },
                annotation_position=f"{place} {side}",
            )
    axis = {**AXIS, "ticks": "outside"}
    figure.update_xaxes(type="log", title_text="dimensions d (log scale)", dtick=1, **axis)
    figure.update_yaxes(title_text=plain(curve.metric), tickformat=".2f", **axis)
    if scored:
        shown = [math.log10(scored[0][0]) - 0.15, math.log10(scored[-1][0]) + 0.15]
        figure.update_xaxes(range=shown)
    figure.update_layout(
        template="none",
        **LOOK,
        margin={"l": 64, "r": 24, "t": 36, "b": 56},
        height=460,
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        showlegend=True,
    )
    return figure

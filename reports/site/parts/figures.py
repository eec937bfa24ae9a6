"""Figures as plotly's JSON: seeds as dots, learning curves, memory. The page's script draws them.

The Pareto figure is drawn from the table it stands beside, by ``static/pareto.js``.
"""

from __future__ import annotations

import html
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from reports import text
from reports.stats.aggregate import Row
from reports.stats.section import Section

Figure = dict[str, Any]
ACCENT, NEUTRAL = "#2f6fd0", "#808080"  # the page's script replaces both with the theme's own
GRID = "rgba(128,128,128,0.22)"
COLOURS = (ACCENT, "#c4572b", "#3f8f4f", "#8a56b8", "#b08a00", "#1b8a94", "#b8437f", "#6b6b6b")
DASHES = ("solid", "dot", "dash")
LOOK: Figure = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": NEUTRAL},
    "dragmode": False,
}
"""Transparent and neutral, so that a figure sits on a light page as on a dark one."""
AXIS: Figure = {"gridcolor": GRID, "zeroline": False, "linecolor": NEUTRAL, "automargin": True}
PARTS = {
    "parameters_bytes": "parameters",
    "gradients_bytes": "gradients",
    "optimizer_bytes": "optimiser state",
    "activations_bytes": "activations",
    "temporary_bytes": "temporary",
}


def figure_json(figure: Figure | go.Figure) -> str:
    """The figure as JSON that is safe inside a `<script>` element: no `<`, `>`, `&` or line separators."""
    content = figure if isinstance(figure, dict) else json.loads(figure.to_json())
    dumped = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def seed_dots(section: Section) -> Figure | None:
    """Every seed's score as a dot, a row per method; means are bars, with an interval where all learned."""
    rows = [row for row in reversed(section.rows) if row.score.mean is not None]
    if not rows or section.info is None:
        return None
    names = [_name(row) for row in rows]
    means = [row.score.mean or 0.0 for row in rows]
    ends = [row.score.interval or (mean, mean) for row, mean in zip(rows, means, strict=True)]
    data = [trace for lost in (False, True) if (trace := _dots(rows, names, lost=lost))]
    if any(row.score.n > 1 for row in rows):
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "mean, 95 % interval",
                "x": means,
                "y": names,
                "hovertemplate": "%{y}: mean %{x:.3f}<extra></extra>",
                "marker": {"symbol": "line-ns-open", "size": 16, "color": NEUTRAL, "line": {"width": 2}},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [end[1] - mean for end, mean in zip(ends, means, strict=True)],
                    "arrayminus": [mean - end[0] for end, mean in zip(ends, means, strict=True)],
                    "color": NEUTRAL,
                    "thickness": 1.5,
                    "width": 0,
                },
            }
        )
    shapes = []
    if section.floor is not None:
        line = {"dash": "dash", "color": NEUTRAL, "width": 1}
        edge = {"x0": section.floor, "x1": section.floor, "yref": "paper", "y0": 0, "y1": 1}
        shapes = [{"type": "line", "line": line, **edge}]
    layout = _layout(
        110 + 26 * len(rows),
        x={"title": {"text": f"{plain(section.info.main_metric)}, reported split"}},
        y={"automargin": True, "categoryorder": "array", "categoryarray": names, "ticksuffix": "  "},
    )
    return {"data": data, "layout": {**layout, "shapes": shapes}}


def _dots(rows: Sequence[Row], names: Sequence[str], *, lost: bool) -> Figure | None:
    """The seeds that learned nothing, or all others."""
    dots = [
        (one.score, name, seed)
        for row, name in zip(rows, names, strict=True)
        for seed, one in row.outcomes.items()
        if one.score is not None and (one.learned is False) == lost
    ]
    if not dots:
        return None
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "one seed that learned nothing" if lost else "one seed",
        "x": [score for score, _, _ in dots],
        "y": [name for _, name, _ in dots],
        "text": [f"seed {seed}" for _, _, seed in dots],
        "hovertemplate": "%{y}, %{text}: %{x:.3f}<extra></extra>",
        "marker": {
            "size": 9,
            "color": ACCENT,
            "opacity": 0.65,
            "symbol": "x-thin-open" if lost else "circle",
        },
    }


def learning_curves(section: Section) -> Figure | None:
    """The main metric on the selection split against optimiser steps: a line per method, its seeds' mean."""
    if section.info is None:
        return None
    metric, data = section.info.main_metric, []
    for number, row in enumerate(section.rows):
        points: dict[int, list[float]] = defaultdict(list)
        for record in row.records:
            for point in record.curve:
                value = point.selection.get(metric)
                if value is not None:
                    points[point.step].append(value)
        if not points:
            continue
        steps = sorted(points)
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": _name(row),
                "x": steps,
                "y": [sum(points[step]) / len(points[step]) for step in steps],
                "hovertemplate": "%{y:.3f} after %{x} steps",
                "line": {
                    "color": COLOURS[number % len(COLOURS)],
                    "width": 1.8,
                    "dash": DASHES[number // len(COLOURS) % len(DASHES)],
                },
                "marker": {"size": 5},
            }
        )
    if not data:
        return None
    layout = _layout(
        440,
        x={"title": {"text": "optimiser steps"}, "rangemode": "tozero"},
        y={"title": {"text": f"{plain(metric)}, selection split"}},
    )
    return {"data": data, "layout": layout}


def memory_bars(rows: Sequence[Row]) -> Figure | None:
    """What the peak of a training step consists of, stacked, a bar per method; the least on top."""
    known = [
        (row, record.memory)
        for row in rows
        if (record := row.sample) and record.memory and record.memory.activations_bytes is not None
    ]
    if not known:
        return None
    known.sort(key=lambda pair: pair[1].peak_training_bytes, reverse=True)
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": [_name(row) for row, _ in known],
            "x": [(getattr(memory, part) or 0) / 1e6 for _, memory in known],
            "hovertemplate": f"%{{y}}, {name}: %{{x:.1f}} MB<extra></extra>",
            "marker": {"color": COLOURS[number]},
        }
        for number, (part, name) in enumerate(PARTS.items())
    ]
    layout = _layout(
        130 + 26 * len(known),
        x={"title": {"text": "MB at the peak of a training step"}},
        y={"automargin": True, "ticksuffix": "  "},
    )
    return {"data": data, "layout": {**layout, "barmode": "stack"}}


def _layout(height: int, x: Figure, y: Figure) -> Figure:
    return {
        **LOOK,
        "margin": {"l": 64, "r": 24, "t": 16, "b": 56},
        "height": height,
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
        "xaxis": {**AXIS, **x},
        "yaxis": {**AXIS, **y},
    }


def _name(row: Row) -> str:
    return plain(row.label, 60)


def plain(foreign: str, limit: int = 200) -> str:
    """Foreign text for plotly, which reads a subset of HTML."""
    return html.escape(text.clean(foreign, limit), quote=False)

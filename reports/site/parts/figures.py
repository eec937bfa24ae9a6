"""Figures as data: what is drawn, on which axes. The page's script draws them as SVG, ``static/figures.js``.

Colours are numbers into a palette of the style sheet, which has one for light, for dark and for paper.

The Pareto figure is drawn from the table it stands beside, by ``static/pareto.js``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, Literal

from reports import text
from reports.stats.aggregate import Row
from reports.stats.section import Section

COLOURS: Final = 8
"""In the palette."""
NEUTRAL: Final = -1
DASHES: Final = ("", "2 3", "7 4")
PARTS: Final = {
    "parameters_bytes": "parameters",
    "gradients_bytes": "gradients",
    "optimizer_bytes": "optimiser state",
    "activations_bytes": "activations",
    "temporary_bytes": "temporary",
}
Place = float | int | str | None


@dataclass(frozen=True)
class Axis:
    """What runs along one side."""

    label: str = ""
    log: bool = False
    zero: bool = False
    """Whether it begins at 0."""
    names: tuple[str, ...] = ()
    """In place of numbers, the first one on top or on the left."""


@dataclass(frozen=True)
class Point:
    """One value; its interval is along x where y has names, else along y."""

    x: Place
    y: Place
    low: float | None = None
    high: float | None = None
    note: str = ""
    """What is said of it beside its place."""
    panel: str = ""
    grey: bool = False
    """Whether it is not to be trusted: drawn grey, and no line leads to it."""


@dataclass(frozen=True)
class Series:
    """Points that belong together."""

    name: str
    points: tuple[Point, ...]
    mark: Literal["dots", "line", "bars"] = "dots"
    colour: int = 0
    dash: str = ""
    symbol: Literal["circle", "times", "tick", "ring"] = "circle"


@dataclass(frozen=True)
class Rule:
    """A line across, at a value of x or of y."""

    axis: Literal["x", "y"]
    value: float
    label: str = ""
    dash: str = "6 4"
    below: bool = False
    """Whether its label stands under it."""
    left: bool = False


@dataclass(frozen=True)
class Figure:
    """All that is drawn."""

    height: int
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    rules: tuple[Rule, ...] = ()
    panels: tuple[str, ...] = ()
    """Side by side, each with the points that name it."""
    legend: bool = True


def figure_json(figure: Figure) -> str:
    """The figure as JSON that is safe inside a `<script>` element: no `<`, `>`, `&` or line separators."""
    return script_json(_content(figure))


def script_json(content: Any) -> str:
    """Any content as JSON that is safe inside a `<script>` element."""
    dumped = json.dumps(content, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return dumped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _content(value: Any) -> Any:
    """As dicts and lists, without what is at its default."""
    if is_dataclass(value):
        return {
            field.name: _content(own)
            for field in fields(value)
            if (own := getattr(value, field.name)) != field.default
        }
    return [_content(item) for item in value] if isinstance(value, tuple) else value


def seed_dots(section: Section) -> Figure | None:
    """Every seed's score as a dot, a row per method; means are bars, with an interval where all learned."""
    rows = [row for row in section.rows if row.score.mean is not None]
    if not rows or section.info is None:
        return None
    series = [
        Series("one seed", _seeds(rows, lost=False)),
        Series("one seed that learned nothing", _seeds(rows, lost=True), symbol="times"),
    ]
    if any(row.score.n > 1 for row in rows):
        means = tuple(
            Point(
                row.score.mean,
                _name(row),
                low=row.score.interval.low if row.score.interval else None,
                high=row.score.interval.high if row.score.interval else None,
                note="mean",
            )
            for row in rows
        )
        series.append(Series("mean, 95 % interval", means, colour=NEUTRAL, symbol="tick"))
    floor = section.floor
    return Figure(
        height=110 + 26 * len(rows),
        x=Axis(f"{spoken(section.info.main_metric)}, reported split"),
        y=Axis(names=tuple(_name(row) for row in rows)),
        series=tuple(one for one in series if one.points),
        rules=() if floor is None else (Rule("x", floor),),
    )


def _seeds(rows: Sequence[Row], *, lost: bool) -> tuple[Point, ...]:
    """The seeds that learned nothing, or all others."""
    return tuple(
        Point(one.score, _name(row), note=f"seed {seed}")
        for row in rows
        for seed, one in row.outcomes.items()
        if one.score is not None and (one.learned is False) == lost
    )


def learning_curves(section: Section) -> Figure | None:
    """The main metric on the selection split against optimiser steps: a line per method, its seeds' mean."""
    if section.info is None:
        return None
    metric, series = section.info.main_metric, []
    for number, row in enumerate(section.rows):
        points: dict[int, list[float]] = defaultdict(list)
        for record in row.records:
            for point in record.curve:
                value = point.selection.get(metric)
                if value is not None:
                    points[point.step].append(value)
        if points:
            line = tuple(Point(step, sum(points[step]) / len(points[step])) for step in sorted(points))
            dash = DASHES[number // COLOURS % len(DASHES)]
            series.append(Series(_name(row), line, "line", number % COLOURS, dash))
    if not series:
        return None
    return Figure(
        height=440,
        x=Axis("optimiser steps", zero=True),
        y=Axis(f"{spoken(metric)}, selection split"),
        series=tuple(series),
    )


def memory_bars(rows: Sequence[Row]) -> Figure | None:
    """What the peak of a training step consists of, stacked, a bar per method; the least on top."""
    known = [
        (row, record.memory)
        for row in rows
        if (record := row.sample) and record.memory and record.memory.activations_bytes is not None
    ]
    if not known:
        return None
    known.sort(key=lambda pair: pair[1].peak_training_bytes)
    return Figure(
        height=130 + 26 * len(known),
        x=Axis("MB at the peak of a training step", zero=True),
        y=Axis(names=tuple(dict.fromkeys(_name(row) for row, _ in known))),
        series=tuple(
            Series(
                name,
                tuple(Point((getattr(memory, part) or 0) / 1e6, _name(row)) for row, memory in known),
                "bars",
                number,
            )
            for number, (part, name) in enumerate(PARTS.items())
        ),
    )


def _name(row: Row) -> str:
    return text.clean(row.label, 60)


def spoken(metric: str) -> str:
    """The name of a metric as it is read."""
    return text.clean(metric.replace("_", " "))

"""The page on intrinsic dimension: every search for d90 with its curve, and what it is held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports import text
from reports.records.origins import UNKNOWN, trusted
from reports.records.published import PublishedDimension, dimensions_on
from reports.site.parts.board import Board
from reports.site.parts.figures import NEUTRAL, Axis, Figure, Point, Rule, Series, figure_json, spoken
from reports.site.parts.html import FIGURES, Page
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
        {"views": views(found), "called": board.called},
        (("intrinsic.csv", "CSV"),),
        FIGURES,
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


def score_against_dimension(curve: Curve) -> Figure:
    """Mean over seeds with its 95 % interval, and every seed, against d; thresholds as lines."""
    scored = [(p.dimension, p.score.value, p) for p in curve.points if p.score.value is not None]
    seeds = [(d, score) for d, _, p in scored for score in p.seeds.values() if score is not None]
    series = []
    if len(seeds) > len(scored):
        series.append(
            Series("one seed", tuple(Point(*seed) for seed in seeds), colour=NEUTRAL, symbol="ring")
        )
    means = tuple(
        Point(d, mean, p.score.interval and p.score.interval.low, p.score.interval and p.score.interval.high)
        for d, mean, p in scored
    )
    series.append(Series(text.clean(curve.method, 60), means, "line"))
    return Figure(
        height=460,
        x=Axis("dimensions d (log scale)", log=True),
        y=Axis(spoken(curve.metric)),
        series=tuple(series),
        rules=tuple(_thresholds(curve)),
    )


def _thresholds(curve: Curve) -> Iterator[Rule]:
    """Lines with their names: two of a side may lie a line's width apart, so the lower is named below it."""
    reference = curve.reference
    lines = [
        (reference.full.value, "full fine-tuning", "", "right"),
        (reference.threshold("gain"), "90 % of its gain", "8 3 2 3", "right"),
        (reference.threshold("score"), "90 % of its score", "6 4", "left"),
        (reference.floor, "the best constant answer", "2 3", "left"),
    ]
    for side in ("right", "left"):
        known = [
            (value, name, dash) for value, name, dash, where in lines if value is not None and where == side
        ]
        for below, (value, name, dash) in enumerate(sorted(known, reverse=True)):
            label = f"{name}: {text.score(value)}"
            yield Rule("y", value, label, dash, below=bool(below), left=side == "left")

"""The first page, with limits and the answer within them; and the page of every method on every task."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reports import text
from reports.site.compare import compared
from reports.site.parts.board import Board, View
from reports.site.parts.chooser import chooser, telling
from reports.site.parts.figures import (
    COLOURS,
    Axis,
    Figure,
    Point,
    Series,
    figure_json,
    memory_bars,
    script_json,
)
from reports.site.parts.html import FIGURES, Page
from reports.stats.aggregate import Row
from reports.stats.answer import summary
from reports.stats.carried import carried
from reports.stats.choice import RULE
from reports.stats.section import Section, by_model
from reports.stats.standing import Place

CHOOSER_SCRIPTS = (*FIGURES, "address.js", "choose.js", "front.js", "dataTables.min.js", "tables.js")
"""In this order the figure stands before the tables sort, which are below it."""
BOARD_SCRIPTS = (
    *("dataTables.min.js", "address.js", "tables.js", "board.js"),
    *(*FIGURES, "pareto.js"),
)
TABLES = (
    (".csv", "CSV"),
    (".json", "JSON"),
    (".md", "Markdown"),
    (".tex", "LaTeX"),
    (".parquet", "Parquet"),
)
TRIALS = (
    ("trials.csv", "every trial as CSV"),
    ("trials.parquet", "every trial as Parquet"),
)
STEPS = 7
"""At most so many limits to choose from."""

Limits = list[tuple[float, str]]


def front_pages(board: Board) -> list[Page]:
    """The first page, and where there is anything to choose from its figure alone."""
    evidence = chooser(board)
    first = _front_page(board, evidence)
    return [first, _embedded_page(board, evidence)] if evidence else [first]


def _front_page(board: Board, evidence: list[dict[str, Any]]) -> Page:
    """Limits, the answer within them, and scores by task."""
    where = board.paths
    files = [(f"{where.table}{suffix}", kind) for suffix, kind in TABLES]
    files += [(f"{where.prefix}{name}", kind) for name, kind in TRIALS]
    if board.overall or any(view.standing for view in board.views):
        files.append((f"{where.prefix}comparisons.csv", "every comparison of two methods"))
    groups = by_model([view.section for view in board.ranked or board.views])
    answers = [group_answer(board, group) for group in groups]
    suites = {item.suite for item in board.overall}
    found = carried(board.overall, board.names) if len(suites) == 1 else None
    context = {
        "board": board,
        "answers": answers,
        "data": Markup(script_json(evidence)) if evidence else "",
        "rule": RULE,
        "compared": compared(board),
        # The bar on top has the first board's.
        "memory": bool(where.folder) and any(memory_bars(view.section.rows) for view in board.views),
        "serving": [view for view in board.ranked if any(_serves(row) for row in view.rows)],
        "averages": [averages(board, item.model, item.suite) for item in board.across],
        "carried": found,
        "size": Markup(figure_json(size)) if found and (size := against_size(board)) else "",
        "overall": [(f"model-{number}", item) for number, item in enumerate(board.overall, start=1)],
    }
    about = text.clean(answers[0][1][0], 300) if answers else ""
    scripts = CHOOSER_SCRIPTS if evidence else ()
    return Page(where.page, board.title, "front.html.j2", context, tuple(files), scripts, about=about)


def _embedded_page(board: Board, evidence: list[dict[str, Any]]) -> Page:
    """Figure and answer alone, for a frame on another site; its address takes the first page's views."""
    context = {"board": board, "data": Markup(script_json(evidence)), "compared": compared(board)}
    scripts = (*FIGURES, "address.js", "choose.js", "front.js")
    return Page(
        *(board.paths.embedded, board.title, "embed.html.j2", context),
        scripts=scripts,
        about=f"{board.scope}: the figure alone.",
        alone=True,
    )


def results_page(board: Board) -> Page | None:
    """Every method on every task, to sort and filter; None where nothing is ranked."""
    if not board.ranked:
        return None
    files = tuple((f"{board.paths.table}{suffix}", kind) for suffix, kind in TABLES)
    return Page(
        board.paths.results,
        "Every method on every task",
        "results.html.j2",
        {"board": board, "views": telling(board), "budgets": budgets(board.ranked)},
        files,
        BOARD_SCRIPTS,
        about=f"{board.scope}: scores and costs.",
    )


@dataclass(frozen=True)
class Averages:
    """What the runs say of each method over the tasks, and the ends of its bars."""

    places: dict[str, Place]
    ranks: tuple[float, float] | None
    gains: tuple[float, float] | None


def averages(board: Board, model: str, suite: str | None) -> Averages:
    """Of one model; without places where there are too few seeds."""
    same = (item for item in board.overall if (item.suite, item.model) == (suite, model))
    found = next(same, None)
    places = found.places if found else ()
    ranks = (1.0, float(len(places))) if places else None
    middles = [place.middle for place in places if place.middle and place.middle.value is not None]
    ends = [end for one in middles for end in (one.value, *(one.interval or ())) if end is not None]
    gains = (max(min(ends), -0.2), min(max(ends), 1.0)) if ends else None
    return Averages({place.label: place for place in places}, ranks, gains)


def against_size(board: Board) -> Figure | None:
    """What each method gains by the size of the model, a line each; None where fewer than two are known."""
    lines: dict[str, list[Point]] = defaultdict(list)
    for item in sorted(board.overall, key=lambda item: board.sizes.get(item.model, 0)):
        for place in item.places:
            middle = place.middle
            if item.model in board.sizes and middle and middle.value is not None:
                ends = middle.interval
                lines[place.label].append(
                    Point(
                        board.sizes[item.model],
                        middle.value,
                        ends and ends.low,
                        ends and ends.high,
                        note=board.called(item.model),
                    )
                )
    several = {label: points for label, points in lines.items() if len(points) > 1}
    if not several:
        return None
    return Figure(
        height=420,
        x=Axis("parameters of the model (log scale)", log=True),
        y=Axis("average gain over its tasks: 0 best constant answer, 1 perfect"),
        series=tuple(
            Series(text.clean(label, 60), tuple(points), "line", number % COLOURS)
            for number, (label, points) in enumerate(several.items())
        ),
    )


def group_answer(board: Board, group: Sequence[Section]) -> tuple[str, list[str]]:
    """Model and answer, the shortest first: of its only task, or over all; of other suites, who measured."""
    first = group[0]
    name = text.measured(board.called(first.model), first.suite)
    if len(group) == 1:
        return name, next(view for view in board.views if view.section is first).answer
    same = (item for item in board.overall if (item.suite, item.model) == (first.suite, first.model))
    return name, summary(group, next(same, None))


def budgets(views: Sequence[View]) -> list[tuple[str, str, Limits]]:
    """What a reader may limit: the name of the row's number, a title, and limits with their text."""
    rows = [row for view in views for row in view.rows]
    timed = [row for view in views for row in view.rows if view.section.timed(row)]

    def over(
        pick: Callable[[Row], float | None], shown: Callable[[float], str], among: Sequence[Row] = rows
    ) -> Limits:
        return [(limit, shown(limit)) for limit in limits([pick(row) for row in among])]

    found = [
        ("parameters", "Trains at most", over(lambda row: row.trainable_parameters, _whole(text.count))),
        ("memory", "Memory at most", over(lambda row: row.peak_training_bytes, _whole(text.size))),
        ("seconds", "Training time at most", over(lambda row: row.training_seconds, text.seconds, timed)),
    ]
    return [(key, title, steps) for key, title, steps in found if steps]


def limits(values: Sequence[float | None]) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten) that part the values, at most seven, rising."""
    known = sorted(value for value in values if value is not None and value > 0)
    if len(set(known)) < 2:
        return []
    low, high = math.floor(math.log10(known[0])), math.ceil(math.log10(known[-1]))
    steps = [float(f"{digit}e{power}") for power in range(low, high + 1) for digit in (1, 2, 5)]
    useful = [step for step in steps if known[0] <= step < known[-1]]
    stride = math.ceil(len(useful) / STEPS) or 1
    return useful[::-1][::stride][::-1]


def _serves(row: Row) -> bool:
    """Whether what many tasks from one base cost was measured with it."""
    return bool(row.sample and row.sample.serving)


def _whole(shown: Callable[[int | None], str]) -> Callable[[float], str]:
    return lambda value: shown(int(value))

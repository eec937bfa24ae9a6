"""The front page: the question, the answer, the table, and score against any cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from reports import text
from reports.site.parts.board import Board, View
from reports.site.parts.html import FIGURES, Page
from reports.stats.aggregate import Row
from reports.stats.answer import summary
from reports.stats.section import Section, by_model

BOARD_SCRIPTS = ("dataTables.min.js", "tables.js", "board.js", *FIGURES, "pareto.js")
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


def front_page(board: Board) -> Page:
    """One table over all comparisons."""
    where = board.paths
    files = [(f"{where.table}{suffix}", kind) for suffix, kind in TABLES]
    files += [(f"{where.prefix}{name}", kind) for name, kind in TRIALS]
    if board.overall or any(view.standing for view in board.views):
        files.append((f"{where.prefix}comparisons.csv", "every comparison of two methods"))
    groups = by_model([view.section for view in board.ranked or board.views])
    answers = [group_answer(board, group) for group in groups]
    context = {
        "board": board,
        "answers": answers,
        "overall": [(f"model-{number}", item) for number, item in enumerate(board.overall, start=1)],
        "budgets": budgets(board.ranked),
    }
    about = text.clean(answers[0][1][0], 300) if answers else ""
    scripts = BOARD_SCRIPTS if board.ranked else ()
    return Page(where.page, board.title, "front.html.j2", context, tuple(files), scripts, about=about)


def group_answer(board: Board, group: Sequence[Section]) -> tuple[str, list[str]]:
    """Model and answer, the shortest first: of its only task, or over all; of other suites, who measured."""
    first = group[0]
    name = text.measured(first.model, first.suite)
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


def _whole(shown: Callable[[int | None], str]) -> Callable[[float], str]:
    return lambda value: shown(int(value))

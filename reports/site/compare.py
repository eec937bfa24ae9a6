"""The page of any two methods: what the runs decide between them on each task, and what both cost."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from reports.site.parts.board import Board
from reports.site.parts.chooser import chooser
from reports.site.parts.figures import script_json
from reports.site.parts.html import FIGURES, Page
from reports.site.parts.links import task_page
from reports.stats.section import by_model
from reports.stats.standing import Standing
from reports.stats.verdict import MARGIN, Verdict

TITLE = "Two methods side by side"


def compared(board: Board) -> bool:
    """Whether any two methods are compared on it."""
    found = [*board.overall, *(view.standing for view in board.ranked)]
    return any(item and item.verdicts for item in found)


def compare_page(board: Board) -> Page | None:
    """None where no two methods have been compared."""
    if not compared(board):
        return None
    content = {"models": models(board), "margin": _margin(board)}
    return Page(
        board.paths.compare,
        TITLE,
        "compare.html.j2",
        {"board": board, "data": Markup(script_json(content)), "margin": content["margin"]},
        scripts=(*FIGURES, "address.js", "compare.js"),
        about="Any two methods: a verdict on each task, failures, and costs.",
    )


def models(board: Board) -> list[dict[str, Any]]:
    """For each model its parts, all tasks first, with a line per pair of methods."""
    standings = {(item.suite, item.model, ""): item for item in board.overall}
    for view in board.ranked:
        section = view.section
        if view.standing:
            standings[section.suite, section.model, section.task] = view.standing
    groups = by_model([view.section for view in board.ranked])
    found = []
    for one, group in zip(chooser(board), groups, strict=True):
        suite = group[0].suite
        folder = board.paths.folder
        parts = [
            _part(part, item, folder)
            for part in one["parts"]
            if (item := standings.get((suite, one["name"], part["task"])))
        ]
        if parts:
            costs = {candidate["label"]: candidate["costs"] for candidate in one["parts"][0]["candidates"]}
            found.append({"name": one["name"], "called": one["called"], "parts": parts, "costs": costs})
    return found


def _part(part: dict[str, Any], item: Standing, folder: str) -> dict[str, Any]:
    labels = [place.label for place in item.places]
    scores = {candidate["label"]: candidate["score"][0] for candidate in part["candidates"]}
    return {
        "task": part["task"],
        "title": part["title"],
        "metric": part["metric"],
        "page": folder + task_page(part["task"]) if part["task"] else "",
        "labels": labels,
        "scores": [scores.get(label) for label in labels],
        "verdicts": [_line(labels, verdict) for verdict in item.verdicts],
    }


def _line(labels: list[str], verdict: Verdict) -> list[Any]:
    """As the page's script reads it: who, how much with its ends, who is better or as good, and failures."""
    found = verdict.difference
    ends = found.interval if found else None
    ours, theirs = verdict.risks
    return [
        labels.index(verdict.first),
        labels.index(verdict.second),
        found and round(found.value, 5),
        ends and round(ends.low, 5),
        ends and round(ends.high, 5),
        verdict.sign,
        verdict.decision == "as good",
        verdict.swapped.decision == "as good",
        found.pairs if found else 0,
        *(ours.lost, ours.seeds, theirs.lost, theirs.seeds),
    ]


def _margin(board: Board) -> float:
    found = [*board.overall, *(view.standing for view in board.ranked)]
    return next((v.margin for item in found if item for v in item.verdicts), MARGIN)

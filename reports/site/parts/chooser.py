"""What the first page chooses from, as data: ``static/choose.js`` has the rule of ``choice.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reports import text
from reports.records.identity import CLAIM, INTRINSIC
from reports.site.parts.board import Board, View
from reports.site.parts.figures import spoken
from reports.site.parts.links import method_page
from reports.site.parts.provenance import command
from reports.stats.aggregate import Row
from reports.stats.choice import Candidate, Evidence, evidence
from reports.stats.estimate import MIN_SEEDS
from reports.stats.section import Section, by_model
from reports.stats.standing import Standing
from reports.stats.verdict import Verdict, by_pair

NONE: Final = " "
Score = tuple[float | None, float | None, float | None]


def chooser(board: Board) -> list[dict[str, Any]]:
    """For each model that has ranked methods: over all of its tasks, then by task."""
    found, views = [], telling(board)
    for group in by_model([view.section for view in board.ranked]):
        first = group[0]
        called = board.called(first.model)
        same = (item for item in board.overall if (item.suite, item.model) == (first.suite, first.model))
        over = next(same, None)
        parts = [_over(group, over, called)] if len(group) > 1 else []
        for part in filter(None, parts):
            part["reach"] += _together(board, [section.task for section in group])
        inside = {id(section) for section in group}
        parts += [_one(view.section, view.standing, called) for view in views if id(view.section) in inside]
        rows = [row for section in group for row in section.rows]
        folder = board.paths.folder
        found.append(
            {
                "name": first.model,
                "called": text.measured(called, first.suite),
                "pages": {row.label: folder + method_page(row.identity.method) for row in rows},
                "margin": next((v.margin for part in (over,) if part for v in part.verdicts), None),
                "sizes": _sizes(rows),
                "more": _more(rows),
                "parts": [part for part in parts if part],
            }
        )
    return [one for one in found if one["parts"]]


def _together(board: Board, tasks: Sequence[str]) -> str:
    """Which tasks are no separate evidence, as what is known ends with it."""
    drawn = board.catalogue.drawn_together(tasks).values()
    return "".join(f"; {names} share a collection of texts" for names in drawn)


def _sizes(rows: Sequence[Row]) -> tuple[int, int] | None:
    """Batch size and length at which the most memory was measured, for a prediction of the same."""
    found = [record.memory for row in rows for record in row.records if record.memory]
    known = [(one.peak_training_bytes, one.batch_size, one.sequence_length) for one in found]
    whole = [(peak, batch, length) for peak, batch, length in known if length is not None]
    return max(whole)[1:] if whole else None


def _more(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Where rows have too few seeds for an interval, what trains those that are missing, and for how long.

    None where nothing is missing, another suite measured it, several studies did, or one whose trials were
    chosen for what it is to show.
    """
    missing = {row.label: max(MIN_SEEDS - len(row.records), 0) for row in rows}
    studies = {record.study for row in rows for record in row.records if record.suite is None}
    said = any(study.startswith((CLAIM, INTRINSIC)) for study in studies)
    if not any(missing.values()) or len(studies) != 1 or said:
        return None
    times = [(row.training_seconds or 0.0) * max(MIN_SEEDS - len(row.records), 0) for row in rows]
    return {"command": f"{command(studies.pop())} --seeds {MIN_SEEDS}", "seconds": round(sum(times), 1)}


def telling(board: Board) -> list[View]:
    """The ranked views, those first in which the runs decide most pairs of methods; equals as they come."""
    return sorted(board.ranked, key=lambda view: -view.decided)


def content(found: Evidence) -> dict[str, Any]:
    """The evidence as the rule's script reads it."""
    labels = [one.label for one in found.candidates]
    return {
        "reach": found.reach,
        "candidates": [_candidate(one) for one in found.candidates],
        "verdicts": codes(labels, found.verdicts),
    }


def codes(labels: Sequence[str], verdicts: Sequence[Verdict]) -> list[str]:
    """A line per method with a letter per method: what the column's is beside the row's where that one leads.

    `s` as good as it, `w` worse, `o` open; `-` no interval tells them apart; a blank where they were not
    compared.
    """
    known = by_pair(verdicts)
    return ["".join(_code(known.get((first, second))) for second in labels) for first in labels]


def _code(verdict: Verdict | None) -> str:
    if verdict is None:
        return NONE
    if verdict.difference is None or verdict.difference.interval is None:
        return "-"
    if verdict.swapped.decision == "as good":
        return "s"
    return "w" if verdict.sign == 1 else "o"


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "label": one.label,
        "rank": one.rank,
        "lost": one.risk.lost,
        "runs": one.risk.seeds,
        "atMost": round(one.risk.interval.high, 4) if one.risk.interval else None,
        "costs": dict(one.costs),
    }


def _over(group: Sequence[Section], over: Standing | None, called: str) -> dict[str, Any] | None:
    found = evidence(group, over, called)
    if found is None:
        return None
    scores: dict[str, Score] = {}
    for place in over.places if over else ():
        if place.middle:
            ends = place.middle.interval
            scores[place.label] = (place.middle.value, ends and ends.low, ends and ends.high)
    metric = "average gain: 0 constant answer, 1 perfect"
    return {"task": "", "title": f"all {len(group)} tasks", "metric": metric, **_scored(found, scores)}


def _one(section: Section, standing: Standing | None, called: str) -> dict[str, Any] | None:
    found = evidence([section], standing, called)
    if found is None or section.info is None:
        return None
    scores: dict[str, Score] = {}
    for row in section.rows:
        ends = row.score.interval
        scores[row.label] = (row.score.mean, ends and ends.low, ends and ends.high)
    return {
        "task": section.task,
        "title": text.name(section.task),
        "metric": spoken(section.info.main_metric),
        "floor": section.floor,
        **_scored(found, scores),
    }


def _scored(found: Evidence, scores: Mapping[str, Score]) -> dict[str, Any]:
    told = content(found)
    for one in told["candidates"]:
        found_score = scores.get(one["label"], (None, None, None))
        one["score"] = [None if value is None else round(value, 5) for value in found_score]
    return told

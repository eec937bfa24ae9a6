"""A page for each trial: everything its record holds, and the command that reproduces it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape
from pydantic import BaseModel

from reports import text
from reports.records.identity import identity
from reports.records.origins import UNKNOWN, Origin, trusted
from reports.records.schema import FurtherReport, Record
from reports.site.parts.again import study_file
from reports.site.parts.board import Board
from reports.site.parts.html import Page
from reports.site.parts.links import record_page

Facts = list[tuple[str, str]]
PARTS = {
    "model": "Model",
    "task": "Task",
    "parameters": "Parameters",
    "scores": "Scores",
    "further_reports": "Further report splits",
    "training": "Training",
    "memory": "Memory",
    "latency": "Latency",
    "decoding": "Decoding",
    "forgetting": "Forgetting",
    "compute": "FLOPs",
    "serving": "Serving",
    "tuning": "Search",
    "suite": "As the other suite has it",
    "environment": "Environment",
}
_UNITS = {"bytes": text.size, "seconds": text.seconds, "flops": text.flops}
CURVE = (600.0, 150.0)


@dataclass(frozen=True)
class Around:
    """What a trial's page says that its record does not."""

    label: str
    """Of its row."""
    folder: str
    """Of the pages of its task and method."""
    origin: Origin
    costs_page: str | None
    """The page of the trial that has the costs of its setting, where that is another one."""
    costs_seed: int | None
    called: str
    """What its model is called."""


def shown(board: Board) -> Iterator[tuple[Record, Around]]:
    """Each trial of the board, in the order of its table."""
    for view in board.views:
        for row in view.section.every_row:
            by_id = {record.trial_id: record for record in reversed(row.records)}
            for record in row.records:
                costs = by_id.get(record.costs_from or "")
                page, seed = (record_page(costs), identity(costs).seed) if costs else (None, None)
                yield record, Around(row.label, view.folder, row.origin, page, seed, view.called)


def facts(part: BaseModel | dict[str, Any] | Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and value of everything in a part, nested parts with their path."""
    pairs: Iterable[tuple[str, Any]] = (part if isinstance(part, dict) else vars(part)).items()
    for key, value in pairs:
        name = f"{prefix}{_words(key)}"
        if isinstance(value, (BaseModel, dict)) and value:
            yield from facts(value, f"{name}, ")
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for number, item in enumerate(value, start=1):
                inner = dict(item)
                yield f"{name}, {text.clean(inner.pop('name', number))}", _joined(inner)
        else:
            yield name, _value(key, value)


def curve(record: Record) -> list[tuple[float, float]] | None:
    """Points of the main metric on the selection split, in pixels of a small figure."""
    if record.task is None:
        return None
    known = [
        (point.step, value)
        for point in record.curve
        if (value := point.selection.get(record.task.main_metric)) is not None
    ]
    if len(known) < 2:
        return None
    steps, values = [step for step, _ in known], [value for _, value in known]
    wide, high = max(steps) - min(steps) or 1, max(values) - min(values) or 1.0
    return [
        (
            round(8 + (CURVE[0] - 16) * (step - min(steps)) / wide, 1),
            round(8 + (CURVE[1] - 16) * (max(values) - value) / high, 1),
        )
        for step, value in known
    ]


def trial_page(record: Record, around: Around) -> Page:
    """The page of one trial."""
    which, origin = identity(record), around.origin
    parts: list[tuple[str, Facts]] = [("Settings", list(_settings(record)))]
    for name, title in PARTS.items():
        part = getattr(record, name)
        if part is record.suite and part is not None:  # its file as it was is in the JSON
            part = {key: value for key, value in part if key != "original"}
        if name == "further_reports":  # the answers are in the JSON
            part = {text.clean(split, 80): _without_answers(found) for split, found in part.items()} or None
        if part is not None:
            parts.append((title, list(facts(part))))
    name = f"{text.name(around.label)} on {text.clean(which.task)}, seed {which.seed}"
    path = record_page(record)
    context = {
        "record": record,
        "which": which,
        "called": around.called,
        "label": around.label,
        "origin": None if origin == UNKNOWN or trusted(origin) else origin.told,
        "folder": around.folder,
        "parts": [(title, _listed(told)) for title, told in parts],
        "study": study_file(record),
        "checkout": _commit(record),
        "points": curve(record),
        "costs_page": around.costs_page,
        "costs_seed": around.costs_seed,
        "box": CURVE,
    }
    raw = path.removesuffix(".html") + ".json"
    notes = (origin.superseded.told,) if origin.superseded else ()
    return Page(path, name, "record.html.j2", context, ((raw, "JSON"),), notes=notes)


def _listed(told: Facts) -> Markup:
    """Facts as the items of a list: a page has a hundred of them, and a template takes its time for each."""
    return Markup("\n".join([_item(name, value) for name, value in told]))  # of items that are escaped


@lru_cache(maxsize=4096)  # nearly all are the same for many trials
def _item(name: str, value: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def _without_answers(found: FurtherReport) -> dict[str, Any]:
    return {key: value for key, value in found if key != "answers"}


def _settings(record: Record) -> Facts:
    which = identity(record)
    return [
        ("method", text.clean(which.method)),
        *((f"option, {_words(key)}", text.setting(value)) for key, value in sorted(which.options.items())),
        *((_words(key), text.setting(value)) for key, value in sorted(which.settings.items())),
        ("study", text.clean(record.study)),
        ("trial id", text.clean(record.trial_id)),
        ("started at", text.clean(record.started_at)),
        ("whole trial", text.seconds(record.wall_seconds)),
    ]


def _commit(record: Record) -> str | None:
    """The commit to check out, when the record names one that is one."""
    commit = record.environment.commit
    return commit if commit and re.fullmatch(r"[0-9a-f]{7,40}", commit) else None


@lru_cache(maxsize=1024)  # trials share nearly all of their keys
def _words(key: str) -> str:
    return text.clean(key).replace("_", " ")


def _joined(values: dict[str, Any]) -> str:
    """Names and values on one line, those of a nested part too."""
    return ", ".join(
        f"{_words(key)} {_joined(value) if isinstance(value, dict) and value else text.setting(value)}"
        for key, value in values.items()
    )


def _value(key: str, value: Any) -> str:
    if value is None or isinstance(value, (bool, str)):
        return text.setting(value)
    unit = key.rpartition("_")[2]
    if unit in _UNITS and key != "product_flops_per_second":
        exact = f" ({value:,})" if isinstance(value, int) else ""
        return _UNITS[unit](value) + exact
    if isinstance(value, int):
        return text.count(value)
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−")
    return text.setting(value)

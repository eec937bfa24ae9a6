"""Scores of every method on every task of a model: the table that is read first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.stats.aggregate import Row
from reports.stats.section import Section, by_model
from reports.stats.standing import Standing, standing


@dataclass(frozen=True)
class Line:
    """One method; a task on which it is not ranked has None."""

    label: str
    rows: tuple[Row | None, ...]
    best: tuple[bool, ...]
    """On which tasks no other method scores more; nowhere that all score the same."""


@dataclass(frozen=True)
class Across:
    """The methods of a model by task, the best average rank first; by name where there are too few seeds."""

    model: str
    sections: tuple[Section, ...]
    """A column each."""
    lines: tuple[Line, ...]

    @property
    def suite(self) -> str | None:
        """Who measured it, where that is not Paretune."""
        return self.sections[0].suite


def across(sections: Sequence[Section], known: Sequence[Standing] = ()) -> list[Across]:
    """One table for each model that one suite measured on several tasks with ranked rows; models in order.

    What is ``known`` already, the standing over the very tasks of a table, is not worked out again.
    """
    groups = by_model([section for section in sections if section.rows])
    return [_table(group, known) for group in groups if len(group) > 1]


def _table(sections: list[Section], known: Sequence[Standing]) -> Across:
    rows = {(row.label, section.task): row for section in sections for row in section.rows}
    names = sorted({label for label, _ in rows})
    if found := next((one for one in known if _is_of(one, sections)), None) or standing(sections):
        order = [place.label for place in found.places]
        names.sort(key=lambda name: order.index(name) if name in order else len(order))
    tops = [_top(section) for section in sections]
    lines = []
    for name in names:
        mine = tuple(rows.get((name, section.task)) for section in sections)
        best = [
            row is not None and top is not None and row.score.mean == top
            for row, top in zip(mine, tops, strict=True)
        ]
        lines.append(Line(name, mine, tuple(best)))
    return Across(sections[0].model, tuple(sections), tuple(lines))


def _is_of(known: Standing, sections: Sequence[Section]) -> bool:
    """Whether a standing is over these sections, all of them and no other."""
    tasks = tuple(section.task for section in sections)
    first = sections[0]
    one = (known.model, known.suite, known.reported, known.tasks)
    return one == (first.model, first.suite, first.reported, tasks)


def _top(section: Section) -> float | None:
    """The best score, or None where there is none that stands out."""
    scores = [row.score.mean for row in section.rows]  # a section's best row comes first
    return None if scores[0] == scores[-1] else scores[0]

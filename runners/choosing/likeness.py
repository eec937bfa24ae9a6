"""Which tasks are like a reader's: by what is asked of them, never by how methods do on them.

Two tasks are alike that are of one problem type, read one text or two, and have labels of one kind: none,
two, three to ten, or more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import tasks
from tasks import TaskSpec

SEVERAL: Final = 10
"""Labels, up to which they are several and beyond which they are many."""


@dataclass(frozen=True)
class Likeness:
    """What tasks have in common."""

    problem: str
    texts: int
    """Of an example."""
    labels: str

    def __str__(self) -> str:
        read = "one text" if self.texts == 1 else f"{('', '', 'two', 'three')[min(self.texts, 3)]} texts"
        said = f"{self.problem.replace('_', ' ')} of {read}"
        return f"{said}, {self.labels}" if self.labels else said


def of(spec: TaskSpec) -> Likeness:
    """Of a task."""
    number = len(spec.labels)
    kind = "" if not number else "two labels" if number == 2 else "three to ten labels"
    return Likeness(spec.problem_type, len(spec.text_columns), "many labels" if number > SEVERAL else kind)


def of_name(name: str) -> Likeness | None:
    """Of a task by its name in a record; None for one that Paretune does not have."""
    return of(tasks.get(name)) if name in tasks.names() else None

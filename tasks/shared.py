"""Which rows of one task have a text that another task has too: such tasks are not two pieces of evidence.

Data sets of one field are often drawn from one source. Texts are compared by their letters and digits alone,
case-folded: what one data set has as it was written another one has split into tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import datasets

from tasks.spec import TaskData

_BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Shared:
    """Rows of one task, by split, and those of them with a text that another task has in any split."""

    rows: Mapping[str, int]
    shared: Mapping[str, int]

    def __bool__(self) -> bool:
        return any(self.shared.values())


def shared(one: TaskData, other: TaskData) -> Shared:
    """What `one` shares with `other`: of a pair either text, of labelled words their sentence."""
    there = {text for name in _splits(other) for texts in _texts(other.split(name)[0]) for text in texts}
    found = {
        name: [not there.isdisjoint(texts) for texts in _texts(one.split(name)[0])] for name in _splits(one)
    }
    return Shared(
        {name: len(rows) for name, rows in found.items()}, {name: sum(rows) for name, rows in found.items()}
    )


def _splits(data: TaskData) -> tuple[str, ...]:
    return ("train", "selection", "report", *data.further)


def _texts(rows: datasets.Dataset) -> Iterator[set[str]]:
    """The texts of each row, without those that have no letter and no digit."""
    if "words" in rows.column_names:
        columns = [[" ".join(words) for words in rows["words"]]]
    else:
        columns = [rows[name] for name in ("text", "text_pair") if name in rows.column_names]
    for texts in zip(*columns, strict=True):
        yield {_BETWEEN.sub("", text.casefold()) for text in texts} - {""}

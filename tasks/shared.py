"""Which rows of one task have a text that another task has too: such tasks are not two pieces of evidence.

Data sets of one field are often drawn from one source. Texts are compared by their letters and digits alone,
case-folded: what one data set has as it was written another one has split into tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import datasets

from tasks.spec import TaskData

_BETWEEN = re.compile(r"[\W_]+")


def shared(data: Mapping[str, TaskData]) -> dict[str, dict[str, dict[str, int]]]:
    """By task and by each other one that has some of its texts in any split: how many rows, by split.

    Of a pair either text counts, of labelled words their sentence.
    """
    texts = {
        name: {split: [*_texts(one.split(split)[0])] for split in _splits(one)} for name, one in data.items()
    }
    every = {
        name: {text for rows in parts.values() for row in rows for text in row}
        for name, parts in texts.items()
    }
    found: dict[str, dict[str, dict[str, int]]] = {name: {} for name in data}
    for name, parts in texts.items():
        for other in data:
            if other != name and not every[name].isdisjoint(every[other]):
                found[name][other] = {
                    split: sum(not row.isdisjoint(every[other]) for row in rows)
                    for split, rows in parts.items()
                }
    return found


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

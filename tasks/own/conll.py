"""Files of the layout of CoNLL-2003: a word a line, a blank line behind a sentence, spaces between columns.

Lines that begin with `-DOCSTART-` part documents, and are no sentence. Columns have no names there: they are
called by their numbers, from 1, or `tokens` and `ner_tags` (also `text` and `label`), which are the first and
the last, and `pos_tags` and `chunk_tags`, the second and the third of four.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from tasks.own.declaration import nearest
from tasks.own.tables import LISTS, Table
from tasks.spec import DataError

ENDINGS: Final = (".conll", ".iob", ".bio", ".txt")
"""Of the names of such files."""

_ONE: Final = 200  # words that no file of one sentence has
_DOCUMENT: Final = "-DOCSTART-"
_FIRST: Final = ("tokens", "text")
_LAST: Final = ("ner_tags", "label")
_OF_FOUR: Final = ("tokens", "pos_tags", "chunk_tags", "ner_tags")


def read(called: str, path: Path, wanted: Sequence[str]) -> Table:
    """Some columns as lists, a row per sentence.

    Raises:
        DataError: a column is not there, or a line has another number of columns than the first.
    """
    sentences: list[list[list[str]]] = []
    lines: list[int] = []
    open_, width, separator, first = False, 0, None, 0
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            text = line.strip(" \t\r\n")
            if not text or text.startswith(_DOCUMENT):
                open_ = False
                continue
            if not width:  # with a tab in the first line, words may hold spaces
                separator = "\t" if "\t" in text else None
            fields = [field.strip(" ") for field in text.split("\t")] if separator else _spaced(text)
            if not width:
                width, first = len(fields), number
                _check_width(called, number, width)
            if len(fields) != width:
                raise DataError(
                    f"{called}, line {number}: {_columns(len(fields))} where line {first} has {width}; give "
                    "every word its tag, and end a sentence with a blank line"
                )
            if not open_:
                sentences.append([])
                lines.append(number)
                open_ = True
            sentences[-1].append(fields)
    if not sentences:
        raise DataError(f"{called} has no sentence")
    if len(sentences) == 1 and len(sentences[0]) > _ONE:
        raise DataError(
            f"{called} is one sentence of {len(sentences[0]):,} words, expected a blank line behind "
            "each sentence"
        )
    places = [_place(called, name, width) for name in wanted]
    columns = {
        name: pa.chunked_array(
            [pa.array([[fields[place] for fields in sentence] for sentence in sentences], LISTS[0])]
        )
        for name, place in zip(wanted, places, strict=True)
    }
    return Table(columns, lines=np.array(lines))


def _spaced(text: str) -> list[str]:
    """Fields with one or more spaces between them; no other sign, such as a hard space, parts them."""
    return [field for field in text.split(" ") if field]


def _columns(count: int) -> str:
    return f"{count} column{'s' if count > 1 else ''}"


def _check_width(called: str, number: int, width: int) -> None:
    if width < 2:
        raise DataError(
            f"{called}, line {number}: 1 column, expected a word and its tag, a space between them"
        )


def _place(called: str, name: str, width: int) -> int:
    """Which column is meant, from 0."""
    if name in _FIRST or name in _LAST:
        return 0 if name in _FIRST else width - 1
    if width == len(_OF_FOUR) and name in _OF_FOUR:
        return _OF_FOUR.index(name)
    if name.isdecimal() and 1 <= int(name) <= width:
        return int(name) - 1
    named = _OF_FOUR if width == len(_OF_FOUR) else (_FIRST[0], _LAST[0])
    valid = (*named, *map(str, range(1, width + 1)))
    raise DataError(f"{called} has {width} columns and none that is called {name!r}; {nearest(name, valid)}")

"""Columns of texts and numbers, and how their rows are told to people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import named
from tasks.own.declaration import listing, nearest
from tasks.spec import DataError

LISTS: Final = (pa.large_list(pa.large_string()), pa.large_list(pa.int64()))
"""What columns of lists are read as: words or tags, and numbers of tags."""

_TOLD: Final = 3  # rows that a sentence names


@dataclass
class Table:
    """Some columns of a part, over all of its files."""

    columns: dict[str, pa.ChunkedArray]
    files: list[tuple[str, int]] = field(default_factory=list)
    """Their names and rows, in order."""
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Of the labels, by column, in the order of the numbers, where a file stored numbers and named them."""
    notes: list[str] = field(default_factory=list)
    lines: np.ndarray | None = None
    """Where a word has a line of its own, that of the first word of each row, from 1."""

    def __len__(self) -> int:
        return sum(rows for _, rows in self.files)

    @property
    def called(self) -> str:
        """Its files by name."""
        return listing(name for name, _ in self.files)

    def rows(self, indices: np.ndarray) -> str:
        """How some rows are told to people: `train.csv, rows 3, 8 and 9, and 12 more`."""
        told = [self._place(int(index)) for index in indices[:_TOLD]]
        if len({name for name, _ in told}) == 1:
            numbers = [str(row) for _, row in told]
            found = f"{told[0][0]}, row{'s' if len(numbers) > 1 else ''} "
        else:
            numbers, found = [f"{name} row {row}" for name, row in told], ""
        more = len(indices) - len(told)
        return found + (f"{', '.join(numbers)} and {more} more" if more > 0 else listing(numbers))

    def word(self, row: int, place: int) -> str:
        """How a word of a row of them is told to people: by its line, or `train.parquet, row 3, word 2`."""
        name, number = self._place(row)
        if self.lines is not None:
            return f"{name}, line {self.lines[row] + place}"
        return f"{name}, row {number}, word {place + 1}"

    def _place(self, index: int) -> tuple[str, int]:
        for name, rows in self.files:
            if index < rows:
                return name, index + 1
            index -= rows
        raise IndexError(index)


def all_names(tables: Iterable[Table]) -> dict[str, tuple[str, ...]]:
    """The names of labels, by column, in the order of the first table that names them, then of the others."""
    found: dict[str, dict[str, None]] = {}
    for table in tables:
        for column, names in table.names.items():
            found.setdefault(column, {}).update(dict.fromkeys(names))
    return {column: tuple(names) for column, names in found.items()}


def kind(of: pa.DataType) -> str:
    """What a column holds, for people."""
    if pa.types.is_large_list(of):
        return "lists"
    return "texts" if pa.types.is_large_string(of) or pa.types.is_string(of) else str(of)


def pick(called: str, columns: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted columns are."""
    for name in wanted:
        if name not in columns:
            raise DataError(f"{called} has no column {name!r}; {nearest(name, columns)}")
        if columns.count(name) > 1:
            raise DataError(f"{called} has {columns.count(name)} columns {name!r}; rename all but one")
    return [columns.index(name) for name in wanted]


def stacked(
    called: str, wanted: Sequence[str], batches: Iterator[list[list[Any]]]
) -> dict[str, pa.ChunkedArray]:
    """Columns from batches of Python's values; texts beside numbers are all stored as they are written."""
    arrays: list[list[pa.Array]] = [[] for _ in wanted]
    for batch in batches:
        for place, values in enumerate(batch):
            try:
                arrays[place].append(pa.array(values, pa.large_string()))
            except (pa.ArrowException, UnicodeEncodeError):  # numbers, of a JSON file
                arrays[place].append(_mixed(called, wanted[place], values))
    found = {}
    for name, parts in zip(wanted, arrays, strict=True):
        kinds = {part.type for part in parts} or {pa.large_string()}
        if len(kinds) > 1:  # whole numbers, then others; or numbers, then texts
            kinds = {pa.float64() if kinds <= {pa.int64(), pa.float64()} else pa.large_string()}
        (kind,) = kinds
        found[name] = pa.chunked_array([part.cast(kind) for part in parts], kind)
    return found


def _mixed(called: str, name: str, values: list[Any]) -> pa.Array:
    """Values of which not all are texts."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {list}:
        return _lists(called, name, values)
    if kinds & {list, dict}:
        raise DataError(
            f"{called}: the column {name!r} holds lists or objects, expected a text or a number in every row"
        )
    try:
        if kinds <= {int}:
            return pa.array(values, pa.int64())
        if kinds <= {int, float}:
            return pa.array(values, pa.float64())
        written = [v if v is None or isinstance(v, str) else _plainly(v) for v in values]
        return pa.array(written, pa.large_string())
    except UnicodeEncodeError as error:
        raise DataError(
            f"{called}: the column {name!r} holds the sign {error.object[error.start]!r}, half of a pair, "
            "which no text in UTF-8 has; write it whole, or take it out"
        ) from None
    except (pa.ArrowException, OverflowError):
        raise DataError(
            f"{called}: the column {name!r} holds a value that is neither a text nor a number of 64 bits"
        ) from None


def _plainly(value: float | bool) -> str:
    """A number beside texts as Arrow writes it, so that 1.0 is `1` in whichever part of a file it stands."""
    if isinstance(value, float):
        return str(pa.scalar(value, pa.float64()).cast(pa.large_string()).as_py())
    return json.dumps(value)


def _lists(called: str, name: str, values: list[Any]) -> pa.Array:
    """Lists of words, or of numbers."""
    for kind in LISTS:
        try:
            return pa.array(values, kind)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError):
            continue
    raise DataError(
        f"{called}: the column {name!r} holds lists of something else than texts, or than whole numbers"
    )


def check_lists(called: str, table: Table) -> None:
    """All columns must hold lists, or none.

    Raises:
        DataError: some do.
    """
    lists = [name for name, column in table.columns.items() if pa.types.is_large_list(column.type)]
    others = [name for name in table.columns if name not in lists]
    if lists and others:
        raise DataError(
            f"{called}: the column {lists[0]!r} holds lists and {others[0]!r} does not; expected a text and "
            "a label in every row, or a list of words and one of their tags"
        )


def table_of(called: str, saved: Any, wanted: Sequence[str]) -> Table:
    """Some columns of a data set."""
    pick(called, list(saved.column_names), wanted)
    table = plain(called, saved.select_columns(list(wanted)).with_format("arrow")[:], wanted)
    return worded(called, table, saved.features)


def worded(called: str, table: Table, features: Mapping[str, Any]) -> Table:
    """A table with words in place of the numbers that `datasets` names; what is below 0 is missing.

    Raises:
        DataError: a number has no name.
    """
    for column, names in named.names_of(features, table.columns).items():
        found = table.columns[column]
        lists = pa.types.is_large_list(found.type)
        if not pa.types.is_integer(found.type.value_type if lists else found.type):
            continue
        table.names[column] = names
        highest = pc.max(pc.list_flatten(found) if lists else found).as_py()
        if highest is not None and highest >= len(names):
            raise DataError(
                f"{called}: the column {column!r} holds {highest}, expected 0 to {len(names) - 1}, "
                f"which are {named.shown(names)}"
            )
        if lists:
            rows = [own and [_word(names, one) for one in own] for own in found.to_pylist()]
            table.columns[column] = pa.chunked_array([pa.array(rows, LISTS[0])])
        else:
            known = pc.if_else(pc.less(found, 0), None, found)
            table.columns[column] = pc.take(pa.chunked_array([pa.array(names, pa.large_string())]), known)
    return table


def _word(names: Sequence[str], number: int | None) -> str | None:
    return None if number is None or number < 0 else names[number]


def plain(called: str, table: pa.Table, wanted: Sequence[str]) -> Table:
    """Texts as one kind of texts, numbers as two kinds of numbers; lists of either as two kinds of lists."""
    columns = {}
    for name in wanted:
        column, stored = table[name], table[name].type
        if pa.types.is_dictionary(stored):
            column, stored = column.cast(stored.value_type), stored.value_type
        target = _target(stored)
        if target is None:
            raise DataError(f"{called}: the column {name!r} holds {stored}, expected texts or numbers")
        try:
            columns[name] = column.cast(target)
        except pa.ArrowException as error:
            raise DataError(f"{called}: the column {name!r} of {stored} cannot be read ({error})") from None
    return Table(columns)


def _target(stored: pa.DataType) -> pa.DataType | None:
    """What a column is read as; None for what is neither text nor number, nor lists of them."""
    if pa.types.is_dictionary(stored):
        return _target(stored.value_type)
    if pa.types.is_list(stored) or pa.types.is_large_list(stored) or pa.types.is_fixed_size_list(stored):
        inner = _target(stored.value_type)
        return next((kind for kind in LISTS if kind.value_type == inner), None)
    if any(is_(stored) for is_ in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        return pa.large_string()
    if pa.types.is_boolean(stored):
        return pa.large_string()
    if pa.types.is_integer(stored):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(stored) or pa.types.is_decimal(stored) else None

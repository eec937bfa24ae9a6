"""From a column of labels to numbers: classes in a stated order, or the values of a regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.own.declaration import METRICS, listing, nearest
from tasks.own.tables import Table, all_names
from tasks.spec import CORRELATIONS, F1, DataError, FileSource, ProblemType

MOST: Final = 65_536
"""Labels that a record has room for."""

_WHOLE: Final = r"^[+-]?[0-9]{1,18}$"
_POINTED: Final = r"^[+-]?[0-9]{1,15}(\.0*)?$"
"""Whole numbers, some perhaps written as pandas writes those of a column with a gap: `1.0`."""
NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_LIST: Final = r"""^\[\s*([\d'"-].*)?\]$"""
"""A list that was written into a table as a text."""


@dataclass(frozen=True)
class Labelled:
    """The labels of all parts as numbers."""

    problem: ProblemType
    names: tuple[str, ...]
    """By number; none in a regression."""
    values: Mapping[str, np.ndarray]
    """By part: int64, or float32 in a regression."""
    how: str
    """What decides their order, for people."""


def labelled(task: str, source: FileSource, tables: Mapping[str, Table]) -> Labelled:
    """Read the labels of all parts.

    Raises:
        DataError: labels are missing, are no numbers where those are needed, or none of those stated.
    """
    name = source.label
    columns = {part: _column(task, name, table) for part, table in tables.items()}
    kinds = {_kind(column) for column in columns.values()}
    problem = source.problem or _problem(source, kinds)
    if problem == "regression":
        values = {part: _numbers(task, tables[part], column) for part, column in columns.items()}
        for part, found in values.items():
            if np.ptp(found) == 0:
                raise DataError(
                    f"task {task!r}: every row of {tables[part].called} has the label {found[0]:g}, expected "
                    "several: a correlation with a constant does not exist"
                )
        return Labelled(problem, (), values, "numbers")
    pointed = any("." in one for one in (*source.labels, source.positive or ""))  # stated as `1.0`
    whole = kinds == {"whole"} and not pointed
    texts = {part: _written(column, whole=whole) for part, column in columns.items()}
    for part, column in texts.items():
        _check_no_lists(task, source, tables[part], column)
    names, how = _names(
        task, source, tables, texts, all_names(tables.values()).get(name, ()), numbers="text" not in kinds
    )
    values = {}
    for part, column in texts.items():
        numbers = pc.index_in(column, value_set=pa.array(names, pa.large_string()))
        if numbers.null_count:
            rows = np.flatnonzero(numbers.is_null().to_numpy())
            other = column[int(rows[0])].as_py()
            raise DataError(
                f"task {task!r}: {tables[part].rows(rows[:1])} has the label {other!r}, which is none of "
                f"those that the {'task states' if source.labels else 'data names'}; "
                f"{nearest(other, names)}{_of_yaml(other, names)}"
            )
        values[part] = numbers.to_numpy().astype(np.int64)
    _check_common(task, tables, values, names)
    return Labelled(problem, names, values, how)


def _column(task: str, name: str, table: Table) -> pa.ChunkedArray:
    """The labels of a part, none of them missing."""
    column = table.columns[name]
    missing = column.is_null()
    if pa.types.is_large_string(column.type):
        missing = pc.or_(missing, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), False))
    elif pa.types.is_floating(column.type):
        missing = pc.or_(missing, pc.fill_null(pc.is_nan(column), False))
    rows = np.flatnonzero(missing.to_numpy())
    if len(rows):
        have = "has" if len(rows) == 1 else "have"
        raise DataError(
            f"task {task!r}: {table.rows(rows)} {have} no {name!r}; fill it in, or take "
            f"{'the row' if len(rows) == 1 else 'the rows'} out"
        )
    return column


def _kind(column: pa.ChunkedArray) -> str:
    """`whole`, `number` or `text`."""
    if pa.types.is_integer(column.type):
        return "whole"
    if pa.types.is_floating(column.type):
        return "whole" if _all_whole(column) else "number"
    few = pc.utf8_trim_whitespace(pc.unique(column))
    for kind, pattern in (("whole", _WHOLE), ("whole", _POINTED), ("number", NUMBER)):
        if pc.all(pc.match_substring_regex(few, pattern)).as_py():
            return kind
    return "text"


def _all_whole(column: pa.ChunkedArray) -> bool:
    values = column.to_numpy()
    return bool((values == np.floor(values)).all() and (np.abs(values) < 2**53).all())


def _problem(source: FileSource, kinds: set[str]) -> ProblemType:
    """What is stated of labels and metrics decides; else numbers that are not whole are a regression."""
    if source.labels or source.positive is not None:
        return "classification"
    if source.metrics:
        return "regression" if METRICS[source.metrics[0]] in CORRELATIONS else "classification"
    return "regression" if "number" in kinds and "text" not in kinds else "classification"


def _numbers(task: str, table: Table, column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_large_string(column.type):
        trimmed = pc.utf8_trim_whitespace(column)
        wrong = np.flatnonzero(~pc.match_substring_regex(trimmed, NUMBER).to_numpy())
        if len(wrong):
            raise DataError(
                f"task {task!r}: {table.rows(wrong[:1])} has the label {column[int(wrong[0])].as_py()!r}, "
                "expected a number, as in a regression, such as 2.5 or -1"
            )
        column = trimmed.cast(pa.float64())
    found = column.to_numpy().astype(np.float64)
    with np.errstate(over="ignore"):
        small = found.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(small))
    if len(wrong):
        raise DataError(
            f"task {task!r}: {table.rows(wrong[:1])} has the label {found[wrong[0]]}, expected a finite one"
        )
    return small


def _written(column: pa.ChunkedArray, *, whole: bool) -> pa.ChunkedArray:
    """Labels as texts: 2 and not 2.0, where all that there are in any part are whole numbers."""
    if pa.types.is_large_string(column.type):
        if not whole or not pc.any(pc.match_substring(column, ".")).as_py():
            return column
        column = pc.utf8_trim_whitespace(column).cast(pa.float64())
    if pa.types.is_floating(column.type) and _all_whole(column):
        column = column.cast(pa.int64())
    return column.cast(pa.large_string())


def _check_no_lists(task: str, source: FileSource, table: Table, column: pa.ChunkedArray) -> None:
    """Several labels of a row, or those of its words, written into a CSV as `['a', 'b']`, are no class."""
    if pc.all(pc.match_substring_regex(pc.unique(column), _LIST)).as_py():
        raise DataError(
            f"task {task!r}: {source.label!r} of {table.called} holds lists written as texts, such as "
            f"{column[0].as_py()!r}, expected one label in every row; lists of words and their tags are kept "
            "by JSON lines and Parquet"
        )


def _check_common(
    task: str, tables: Mapping[str, Table], values: Mapping[str, np.ndarray], names: Sequence[str]
) -> None:
    """Where no label of a part is trained on, it is another column, or another writing."""
    first, *others = values
    trained = np.unique(values[first])
    for part in others:
        if not np.isin(values[part], trained).any():
            other, one = names[int(values[part][0])], names[int(trained[0])]
            raise DataError(
                f"task {task!r}: no label of {tables[part].called}, such as {other!r}, is one of "
                f"{tables[first].called}, such as {one!r}: every answer there would be wrong; "
                "write them alike"
            )


def _of_yaml(other: str, names: Sequence[str]) -> str:
    """What to do where YAML took a word for a truth value."""
    if other.casefold() in ("yes", "no", "on", "off", "y", "n") and {"true", "false"} & set(names):
        return "; YAML reads yes, no, on and off as true and false: put them in quotes"
    return ""


def _names(
    task: str,
    source: FileSource,
    tables: Mapping[str, Table],
    texts: Mapping[str, pa.ChunkedArray],
    named: tuple[str, ...],
    *,
    numbers: bool,
) -> tuple[tuple[str, ...], str]:
    """The labels in the order of their numbers, and what decides it."""
    if source.labels:
        names, how = source.labels, "as the task states them"
    elif named:
        names, how = named, "as the data names them"
    else:
        found = {value for column in texts.values() for value in pc.unique(column).to_pylist()}
        if numbers:
            names, how = tuple(sorted(found, key=_value)), "in the order of the numbers"
        else:
            names, how = tuple(sorted(found)), "sorted"
        _check_number(task, source, tables, len(found), names)
    if len(names) > MOST:
        raise DataError(f"task {task!r} has {len(names):,} labels, of at most {MOST:,}")
    if F1.name not in source.metrics:
        return names, how
    positive = source.positive
    if positive is None and set(names) != {"0", "1"}:
        raise DataError(
            f"task {task!r}: f1 is of one label, expected which, as positive:; {nearest(names[-1], names)}"
        )
    if positive is None:
        return names, how
    if positive not in names:
        raise DataError(
            f"task {task!r}: positive is {positive!r}, which no row has; {nearest(positive, names)}"
        )
    rest = [name for name in names if name != positive]
    return (rest[0], positive, *rest[1:]), f"{how}, {positive!r} second, which f1 is of"


def _value(written: str) -> tuple[int | float, str]:
    """What a number is sorted by; whole ones of any size exactly."""
    return (float(written) if set(written) & set(".eE") else int(written)), written


def _check_number(
    task: str, source: FileSource, tables: Mapping[str, Table], count: int, names: tuple[str, ...]
) -> None:
    """Classes are several, and far fewer than rows."""
    if count < 2:
        raise DataError(
            f"task {task!r}: every row has the label {names[0]!r}, expected two labels or more in "
            f"{source.label!r}"
        )
    first = next(iter(tables.values()))
    if count > 20 and count > len(first) / 2:
        raise DataError(
            f"task {task!r}: {source.label!r} has {count:,} different labels in {len(first):,} rows of "
            f"{first.called}, such as {listing(map(repr, names[:2]))}: it looks like an id or free text; "
            "name another column, state its `labels:`, or `problem: regression` if they are numbers"
        )

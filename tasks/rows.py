"""The examples of a task whose rows a function returns: checked as files are, each fault a DataError."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks import splits, tagged
from tasks.spec import DataError, Example, RowsSource, TaskSpec


def carved(spec: TaskSpec, source: RowsSource) -> tuple[splits.Splits, dict[str, tuple[list[Example], int]]]:
    """The three splits, and the further report splits by name, with how many rows were left out of each;
    selection comes from train, as for a task of the hub.

    Raises:
        DataError: the function fails, or a row is not as declared; one sentence.
    """
    train, report = examples(spec, source, "train"), examples(spec, source, "report")
    if spec.problem_type == "classification" and len(only := {str(one.label) for one in train}) == 1:
        raise DataError(
            f"task {spec.name!r}: {source} for the split 'train' all have the label "
            f"{spec.labels[int(*only)]!r}, expected two labels or more"
        )
    found = splits.carve_selection(train, report, spec.overlap)
    further = {
        name: splits.apart(examples(spec, source, name), found, spec.overlap)
        for name in source.further_reports
    }
    return found, further


def examples(spec: TaskSpec, source: RowsSource, split: str) -> list[Example]:
    """The rows that the function returns for a split, as examples in its order."""
    where = f"task {spec.name!r}: {source} for the split {split!r}"
    try:
        rows = list(source.rows(split))
    except Exception as error:  # the user's own code
        said = " ".join(str(error).split())[:300]
        raise DataError(f"{where} cannot be had ({type(error).__name__}: {said})") from error
    return [_example(spec, row, f"{where} has a row {number} that") for number, row in enumerate(rows)]


def _example(spec: TaskSpec, row: Any, where: str) -> Example:
    wanted = (*spec.text_columns, spec.label_column)
    if not isinstance(row, Mapping):
        raise DataError(f"{where} is {row!r:.80}, expected a mapping with {', '.join(wanted)}")
    missing = [column for column in wanted if column not in row]
    if missing:
        raise DataError(
            f"{where} has no {' and '.join(missing)}, but {', '.join(map(str, row)) or 'nothing'}; expected "
            f"{', '.join(wanted)}"
        )
    if spec.is_tagged:
        return tagged.example(spec, row[spec.text_columns[0]], row[spec.label_column], where)
    for column in spec.text_columns:
        if not isinstance(row[column], str):
            raise DataError(f"{where} has {row[column]!r:.80} as {column}, expected a text")
        if not row[column].isascii():
            try:
                row[column].encode()
            except UnicodeEncodeError:
                raise DataError(f"{where} has half of a pair of signs in {column}, expected a text") from None
    return Example(
        tuple(row[column] for column in spec.text_columns), _label(spec, row[spec.label_column], where)
    )


def _label(spec: TaskSpec, value: Any, where: str) -> int | float:
    """A label as the metrics have it: a number, of a class that is named by its word too."""
    if spec.problem_type == "regression":
        if isinstance(value, numbers.Real) and not isinstance(value, bool) and np.isfinite(float(value)):
            return float(np.float32(value))
        raise DataError(f"{where} has the label {value!r:.80}, expected a number")
    if isinstance(value, str) and value in spec.labels:
        return spec.labels.index(value)
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
        if str(number) in spec.labels and spec.labels.index(str(number)) != number:
            raise DataError(
                f"{where} has the label {number}, which is the word {str(number)!r} or the number of another "
                "one: give the labels as words"
            )
        if 0 <= number < spec.num_labels:
            return number
    known = ", ".join(spec.labels[:20]) + (", ..." if len(spec.labels) > 20 else "")
    raise DataError(
        f"{where} has the label {value!r:.80}, expected 0 to {spec.num_labels - 1} or one of {known}"
    )

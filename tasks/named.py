"""Labels that a file stores as numbers, and the words that `datasets` wrote into it for them.

A number means what the file says that it means: two files of one data set may number the same words
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.parquet import ParquetFile

from tasks.spec import DataError, TaskSpec


def features(schema: pa.Schema) -> Mapping[str, Any]:
    """What `datasets` wrote of its columns into a Parquet file, if it was it."""
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    import datasets

    try:
        return datasets.Features.from_arrow_schema(schema)
    except (ValueError, TypeError, KeyError, AttributeError):  # of another version
        return {}


def names_of(found: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The names of labels in the order of their numbers, by column, of those that have some.

    Args:
        found: of each column what `datasets` says of it.
        wanted: columns; one of lists has the names of what is in the lists.
    """
    if not found:
        return {}
    import datasets

    names = {}
    for name in wanted:
        kind = found.get(name)
        if isinstance(kind := getattr(kind, "feature", kind), datasets.ClassLabel):
            names[name] = tuple(kind.names)
    return names


def check(spec: TaskSpec, files: Sequence[Path]) -> None:
    """Where a file has words for the labels that the task has not, all that have any must have the same.

    Raises:
        DataError: they do not, in their order.
    """
    words = {file: names for file in files if (names := _of(spec, file))}
    foreign = next((file for file, names in words.items() if set(names) - set(spec.labels)), None)
    for file, names in words.items():
        if foreign is not None and names != words[foreign]:
            raise DataError(
                f"task {spec.name!r}: the labels 0, 1 ... are {shown(words[foreign])} in {foreign.name} and "
                f"{shown(names)} in {file.name}; expected {shown(spec.labels)} in both"
            )


def numbered(spec: TaskSpec, file: Path, columns: dict[str, list]) -> dict[str, list]:
    """A file's rows, by column, their labels by the task's numbers where the file has the same words."""
    names = _of(spec, file)
    if not names or not set(names) <= set(spec.labels):
        return columns
    number = {old: spec.labels.index(name) for old, name in enumerate(names)}

    def of(label: Any) -> Any:  # -1, and whatever else is no label, stays
        return list(map(of, label)) if isinstance(label, list) else number.get(label, label)

    return {**columns, spec.label_column: list(map(of, columns[spec.label_column]))}


def shown(names: Sequence[str]) -> str:
    """The first three."""
    return ", ".join(map(repr, names[:3])) + (" ..." if len(names) > 3 else "")


def _of(spec: TaskSpec, file: Path) -> tuple[str, ...]:
    """The words that a file stores its labels as numbers of; none where it says none."""
    found = names_of(features(ParquetFile(file).schema_arrow), [spec.label_column])
    return found.get(spec.label_column, ())

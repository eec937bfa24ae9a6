"""Labels that a file stores as numbers, and the words that `datasets` wrote into it for them.

A number means what the file says that it means: two files of one data set may number the same words
otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa


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

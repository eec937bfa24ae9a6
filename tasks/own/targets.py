"""Texts to write in data of one's own: a column of targets, of which an input may have several.

They are split as labels are, and without a stratum: texts of inputs are in one split only. What trains has a
row for each pair; what is scored has one for each input, with all its targets as references.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import pairs
from tasks.cache import Kept
from tasks.own import carving, checks
from tasks.own.carving import Part
from tasks.own.declaration import Own, default_metrics, listing
from tasks.own.tables import Table
from tasks.spec import DataError, FileSource


def made(task: str, source: FileSource, tables: Mapping[str, Table], told: str) -> Kept:
    """Checked and split.

    Args:
        task: its name.
        source: what is said of it.
        tables: by part, with the columns of texts and targets.
        told: what records call the data.

    Raises:
        DataError: a target is missing or no text, or a split is left without a row.
    """
    targets = {part: _targets(task, source.label, table) for part, table in tables.items()}
    names = pc.unique(pa.chunked_array([one for each in targets.values() for one in each.chunks])).sort()
    parts = {
        part: carving.part(
            [table.columns[name] for name in source.text],
            pc.index_in(targets[part], value_set=names).to_numpy().astype(np.int64),
            source.overlap,
        )
        for part, table in tables.items()
    }
    notes = [*checks.of_texts(source, tables), *checks.of_repeats(task, parts, tables, ())]
    for one in tables.values():
        one.columns.clear()
    split, out = carving.carved(parts, 0, source.seed)
    carving.check(task, split, source.overlap)
    written = names.to_pylist()
    table, sizes = pairs.table({part: _rows(one, written) for part, one in split.items()}, len(source.text))
    own = Own(
        text=source.text,
        label=source.label,
        problem="generation",
        metrics=source.metrics or default_metrics("generation", 0.0),
        sha256=_hash(split, written),
        template=source.template,
    )
    first, *rest = own.metrics
    beside = f", {listing(rest)} beside" if rest else ""
    why = "as stated" if source.metrics else "by default"
    notes.insert(0, f"{task}: texts are written, {source.label}; ranked by {first}{beside}, {why}.")
    facts = {
        "sizes": sizes,
        "dropped_train_examples": out,
        "sha256": own.sha256,
        "source": told,
        "own": own.model_dump(mode="json"),
        "notes": notes,
    }
    return Kept(table, facts)


def _targets(task: str, name: str, table: Table) -> pa.ChunkedArray:
    """The texts to write of a part, none of them missing or blank."""
    column = table.columns[name]
    if not pa.types.is_large_string(column.type):
        column = column.cast(pa.large_string())  # an answer that is a number is written as it stands
    blank = pc.or_(column.is_null(), pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True))
    rows = np.flatnonzero(blank.to_numpy())
    if len(rows):
        raise DataError(
            f"task {task!r}: {table.rows(rows)} {'has' if len(rows) == 1 else 'have'} no text to write in "
            f"{name!r}; fill it in, or take {'the row' if len(rows) == 1 else 'the rows'} out"
        )
    return column


def _rows(one: Part, targets: list[str]) -> list[pairs.Pair]:
    texts = zip(*(column.to_pylist() for column in one.texts), strict=True)
    return [(each, targets[number]) for each, number in zip(texts, one.labels.tolist(), strict=True)]


def _hash(split: dict[str, Part], targets: list[str]) -> str:
    """The sha256 of the splits: that of texts and numbers, and the texts which these stand for."""
    total = hashlib.sha256(carving.content_hash(split).encode())
    for target in targets:
        encoded = target.encode()
        total.update(len(encoded).to_bytes(8, "little") + encoded)
    return total.hexdigest()

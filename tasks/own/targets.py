"""Texts to write in data of one's own: a column of targets, of which an input may have several.

They are split as labels are, and without a stratum: texts of inputs are in one split only. What trains has a
row for each pair; what is scored has one for each input, with all its targets as references.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import further, pairs
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
    for table in tables.values():
        checks.check_texts(task, source, table)
    targets = {part: _targets(task, source.label, table) for part, table in tables.items()}
    main = [part for part in targets if part not in source.further_reports]
    names = _unique([targets[part] for part in main])
    known = len(names)  # what further report splits alone have comes after: the three are known by theirs
    more = _unique([targets[part] for part in source.further_reports])
    names = pa.concat_arrays([names, more.filter(pc.invert(pc.is_in(more, value_set=names)))])
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
    others = carving.further(parts, split)
    for name, apart in others.items():
        notes += checks.of_further(task, name, apart.left_out, tables[name])
    written = names.to_pylist()
    every = {**split, **{name: apart.part for name, apart in others.items()}}
    table, sizes = pairs.table({part: _rows(one, written) for part, one in every.items()}, len(source.text))
    own = Own(
        text=source.text,
        label=source.label,
        problem="generation",
        metrics=source.metrics or default_metrics("generation", 0.0),
        sha256=_hash(split, written[:known]),
        template=source.template,
        further={name: _hash({name: apart.part}, written) for name, apart in others.items()} or None,
    )
    first, *rest = own.metrics
    beside = f", {listing(rest)} beside" if rest else ""
    why = "as stated" if source.metrics else "by default"
    notes.insert(0, f"{task}: texts are written, {source.label}; ranked by {first}{beside}, {why}.")
    facts = {
        "sizes": {name: sizes[name] for name in split},
        "dropped_train_examples": out,
        "sha256": own.sha256,
        "source": told,
        "further": {
            name: further.told(sizes[name], len(apart.left_out), sha256)
            for (name, apart), sha256 in zip(others.items(), (own.further or {}).values(), strict=True)
        },
        "own": own.model_dump(mode="json"),
        "notes": notes,
    }
    return Kept(table, facts)


def _unique(columns: Sequence[pa.ChunkedArray]) -> pa.Array:
    """The different texts of some columns, sorted."""
    chunks = [one for each in columns for one in each.chunks]
    return pc.unique(pa.chunked_array(chunks, pa.large_string())).sort()


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

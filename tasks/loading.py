"""From a declaration to its three splits, as `datasets` has them.

A hub task is read from the hub at the declared commit, from the copy of that commit in the local cache
when the hub cannot be reached, or from a local folder of the hub's layout. A package task is read from
the file in the installed package, whose checksum is declared (`tasks/reading.py`). The splits are kept,
by the hash of the files or by the hub's commit (`tasks/cache.py`). Whatever goes wrong is a DataError that
says in one sentence what was received, what was expected and what to do.
"""

from __future__ import annotations

import hashlib
import struct
import unicodedata
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas
import pyarrow

from tasks import cache, further, needs, pairs, reading, rows, splits, tagged
from tasks.hub import HubSource
from tasks.own import preparing
from tasks.reading import Columns, Origin
from tasks.spec import DataError, Example, FileSource, PackageSource, RowsSource, TaskData, TaskSpec

FurtherParts = dict[str, tuple[list[Example], int]]
"""By name, the examples of further report splits, and how many rows were left out of each."""


def load(spec: TaskSpec, data: str | None = None) -> TaskData:
    """The splits of one task, with their content hash; `data` is for hub tasks (see `tasks.load`)."""
    if lacks := needs.missing(metric.name for metric in spec.metrics):
        raise DataError(f"task {spec.name!r}: {lacks}")
    source = spec.source
    if isinstance(source, RowsSource):
        return _data(_splits(spec, *rows.carved(spec, source), str(source)))
    if isinstance(source, FileSource):
        return preparing.load(spec, source, data)
    if isinstance(source, PackageSource):
        origin = reading.package(spec, source)
    else:
        origin = reading.hub(spec, source) if data is None else reading.folder(spec, source, data)

    def make() -> cache.Kept:
        found = origin.read()
        if isinstance(source, PackageSource):
            return _splits(spec, _carve_file(spec, source, *found), {}, f"{source.package} {source.version}")
        described = f"{source.hub_id}@{source.revision}" if data is None else _local(source, origin, found)
        return _splits(spec, *_carve_official(spec, source, origin, *found), described)

    kept = cache.kept(f"{spec.name}-splits", _key(spec, origin), make, worth=origin.worth)
    return _data(kept)


def _data(kept: cache.Kept) -> TaskData:
    """The splits of one table, in which they come one after another."""
    facts = dict(kept.facts)
    found = facts.pop("further")
    train, selection, report, *tables = pairs.parted(kept.table, facts["sizes"] | further.sizes(found))
    return TaskData(train, selection, report, **facts, further=further.read(found, tables))


def _key(spec: TaskSpec, origin: Origin) -> str | None:
    """What the splits depend on: the rows, what is declared of them, and what reads and carves them."""
    source, functions = spec.source, []
    if isinstance(source, PackageSource):
        functions = [function for function in (source.clean, source.build) if function]
    if any(function.__module__.split(".")[0] != __package__ for function in functions):
        return None  # of its code nothing is known
    declared: list[object] = [spec.name, spec.problem_type, spec.text_columns, spec.label_column, spec.labels]
    declared.append(spec.overlap)
    if isinstance(source, HubSource):
        declared += [source.unlabelled, str(source.joined), [str(one) for one in origin.further]]
    applied = [str(source), *(f"{function.__module__}.{function.__qualname__}" for function in functions)]
    libraries = (datasets.__version__, pyarrow.__version__, pandas.__version__, unicodedata.unidata_version)
    code = cache.code(*sorted(Path(__file__).parent.glob("*.py")))
    return cache.key(origin.content, declared, applied, libraries, code)


def _carve_official(
    spec: TaskSpec, source: HubSource, origin: Origin, train: Columns, report: Columns, *others: Columns
) -> tuple[splits.Splits, FurtherParts]:
    def read(columns: Columns, split: str) -> list[Example]:
        return _examples(spec, source, columns, split)

    carved = splits.carve_selection(
        read(train, source.train_split), read(report, source.report_split), spec.overlap
    )
    found = {
        one.name: splits.apart(read(columns, one.split), carved, spec.overlap)
        for one, columns in zip(origin.further, others, strict=True)
    }
    return carved, found


def _carve_file(spec: TaskSpec, source: PackageSource, columns: Columns) -> splits.Splits:
    rows = zip(columns["text"], columns["label"], columns["source"], strict=True)
    cleaned = (source.clean(text, label) for text, label, subset in rows if subset == source.subset)
    carved = splits.carve_three((example for example in cleaned if example is not None), spec.overlap)
    if not source.build:
        return carved
    parts = (source.build(carved.train), source.build(carved.selection), source.build(carved.report))
    return splits.Splits(*parts, dropped=carved.dropped)


def _local(source: HubSource, origin: Origin, found: tuple[Columns, ...]) -> str:
    """What a local folder is called; its row counts are told when they are not those of the hub."""
    official = [(source.train_split, source.train_rows), (source.report_split, source.report_rows)]
    official += [(one.split, one.rows) for one in origin.further]
    other = [
        f"{name} has {_count(columns)} rows, officially {rows}"
        for (name, rows), columns in zip(official, found, strict=True)
        if rows and _count(columns) != rows  # of some data sets no number is known
    ]
    other += [f"no {one.split}" for one in source.further_splits if one not in origin.further]
    return f"local folder, {source.hub_id} layout" + (f" ({'; '.join(other)})" if other else "")


def _count(columns: Columns) -> int:
    return len(next(iter(columns.values()), []))


def _splits(spec: TaskSpec, carved: splits.Splits, others: FurtherParts, described: str) -> cache.Kept:
    """The splits as one table, split after split, with all that `TaskData` says of them."""
    parts = {"train": carved.train, "selection": carved.selection, "report": carved.report}
    empty = [name for name, examples in parts.items() if not examples]
    if empty:
        raise DataError(
            f"task {spec.name!r}: the data leaves no example for {' and '.join(empty)}; "
            f"give the whole of {spec.source}"
        )
    for name, (examples, left_out) in others.items():
        if not examples:
            raise DataError(
                f"task {spec.name!r}: the further report split {name!r} has no row of its own, since "
                f"training or selection have a text of each of its {left_out}"
            )
    known = tagged.content_hash if spec.is_tagged else content_hash
    facts: dict[str, Any] = {
        "sizes": {name: len(examples) for name, examples in parts.items()},
        "dropped_train_examples": carved.dropped,
        "sha256": known(parts),
        "source": described,
        "further": {
            name: further.told(len(some), left_out, known({name: some}))
            for name, (some, left_out) in others.items()
        },
    }
    every = {**parts, **{name: some for name, (some, _) in others.items()}}
    if spec.problem_type == "generation":
        written = {name: [(one.texts, str(one.label)) for one in some] for name, some in every.items()}
        table, sizes = pairs.table(written, len(spec.text_columns))
        facts["sizes"] = {name: sizes[name] for name in parts}
        facts["further"] = {name: one | {"size": sizes[name]} for name, one in facts["further"].items()}
        return cache.Kept(table, facts)
    if spec.is_tagged:
        return cache.Kept(tagged.dataset(one for some in every.values() for one in some), facts)
    return cache.Kept(_dataset(spec, [example for some in every.values() for example in some]), facts)


def _dataset(spec: TaskSpec, examples: list[Example]) -> datasets.Dataset:
    columns: dict[str, list] = {"text": [example.texts[0] for example in examples]}
    if spec.is_pair:
        columns["text_pair"] = [example.texts[1] for example in examples]
    columns["label"] = [example.label for example in examples]
    features = {name: datasets.Value("string") for name in columns}
    features["label"] = datasets.Value("float32" if spec.problem_type == "regression" else "int64")
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


def content_hash(parts: dict[str, list[Example]]) -> str:
    """The sha256 of the splits: name, size, and each example's texts and label, in order.

    Every text is preceded by its length in bytes, so that no two different contents read the same.
    Labels are 64-bit integers, the 64-bit form of a float32, or texts.
    """
    total = hashlib.sha256()
    for name, examples in parts.items():
        total.update(f"{name}:{len(examples)}\n".encode())
        for example in examples:
            written = (example.label,) if isinstance(example.label, str) else ()
            for text in (*example.texts, *written):
                encoded = text.encode("utf-8", "surrogatepass")
                total.update(struct.pack("<q", len(encoded)) + encoded)
            if not written:
                total.update(struct.pack("<d" if isinstance(example.label, float) else "<q", example.label))
    return total.hexdigest()


def _examples(spec: TaskSpec, source: HubSource, rows: Columns, split: str) -> list[Example]:
    """The rows of an official split, checked against the declaration."""
    joined = source.joined
    read = spec.text_columns if joined is None else joined.columns
    wanted = (*read, spec.label_column)
    missing = [column for column in wanted if column not in rows]
    if missing:
        raise DataError(
            f"task {spec.name!r}: the split {split!r} has the columns {', '.join(rows)} but "
            f"not {' and '.join(missing)}; give files of the layout of {spec.source}"
        )
    if spec.is_tagged:
        return tagged.examples(spec, rows[spec.text_columns[0]], rows[spec.label_column], split)
    values, none = rows[spec.label_column], source.unlabelled
    labels: list = _labels(spec, [value for value in values if none is None or value != none], split)
    texts = []
    for index, row in enumerate(zip(*(rows[column] for column in read), strict=True)):
        if none is not None and values[index] == none:
            continue
        if joined is None and not all(isinstance(text, str) for text in row):
            raise DataError(
                f"task {spec.name!r}: row {index} of the split {split!r} has no text in "
                f"{' and '.join(read)}; fill it in or take the row out"
            )
        try:
            texts.append(row if joined is None else joined.write(dict(zip(read, row, strict=True))))
        except ValueError as error:
            raise DataError(
                f"task {spec.name!r}: row {index} of the split {split!r} has {error}; give files of the "
                f"layout of {spec.source}"
            ) from None
    return [Example(row, label) for row, label in zip(texts, labels, strict=True)]


def _labels(spec: TaskSpec, values: list, split: str) -> list[int] | list[float] | list[str]:
    advice = (
        f"give labelled files of the layout of {spec.source}; the official test splits of GLUE and SuperGLUE "
        "have no labels"
    )
    if spec.problem_type == "generation":
        blank = next((i for i, v in enumerate(values) if not isinstance(v, str) or not v.strip()), None)
        if blank is not None:
            raise DataError(
                f"task {spec.name!r}: row {blank} of the split {split!r} has {values[blank]!r:.40} in "
                f"{spec.label_column}, where a text to write is expected; fill it in or take the row out"
            )
        return values
    if spec.problem_type == "regression":
        floats = [v for v in values if isinstance(v, int | float) and np.isfinite(v) and v >= 0]
        if len(floats) != len(values):
            raise DataError(
                f"task {spec.name!r}: the split {split!r} has labels that are not numbers from 0 up; {advice}"
            )
        return [float(np.float32(v)) for v in floats]
    wrong = next((v for v in values if not isinstance(v, int) or not 0 <= v < spec.num_labels), values)
    if wrong is not values:
        raise DataError(
            f"task {spec.name!r}: the split {split!r} has the label {wrong!r} where 0 to "
            f"{spec.num_labels - 1} ({', '.join(spec.labels)}) are expected; {advice}"
        )
    return values

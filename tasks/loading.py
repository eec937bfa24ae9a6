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

import datasets
import numpy as np
import pandas
import pyarrow

from tasks import cache, pairs, reading, rows, splits
from tasks.own import preparing
from tasks.reading import Columns, Origin
from tasks.spec import (
    DataError,
    Example,
    FileSource,
    HubSource,
    PackageSource,
    RowsSource,
    TaskData,
    TaskSpec,
)


def load(spec: TaskSpec, data: str | None = None) -> TaskData:
    """The splits of one task, with their content hash; `data` is for hub tasks (see `tasks.load`)."""
    source = spec.source
    if isinstance(source, RowsSource):
        return _data(_splits(spec, rows.carved(spec, source), str(source)))
    if isinstance(source, FileSource):
        return preparing.load(spec, source, data)
    if isinstance(source, PackageSource):
        origin = reading.package(spec, source)
    else:
        origin = reading.hub(spec, source) if data is None else reading.folder(spec, source, data)

    def make() -> cache.Kept:
        found = origin.read()
        if isinstance(source, PackageSource):
            return _splits(spec, _carve_file(spec, source, *found), f"{source.package} {source.version}")
        local = data is not None
        described = _local(source, *found) if local else f"{source.hub_id}@{source.revision}"
        return _splits(spec, _carve_official(spec, source, *found), described)

    kept = cache.kept(f"{spec.name}-splits", _key(spec, origin), make, worth=origin.worth)
    return _data(kept)


def _data(kept: cache.Kept) -> TaskData:
    """The splits of one table, in which they come one after another."""
    return TaskData(*pairs.parted(kept.table, kept.facts["sizes"]), **kept.facts)


def _key(spec: TaskSpec, origin: Origin) -> str | None:
    """What the splits depend on: the rows, what is declared of them, and what reads and carves them."""
    source, functions = spec.source, []
    if isinstance(source, PackageSource):
        functions = [function for function in (source.clean, source.build) if function]
    if any(function.__module__.split(".")[0] != __package__ for function in functions):
        return None  # of its code nothing is known
    declared = (spec.name, spec.problem_type, spec.text_columns, spec.label_column, spec.labels, spec.overlap)
    applied = [str(source), *(f"{function.__module__}.{function.__qualname__}" for function in functions)]
    libraries = (datasets.__version__, pyarrow.__version__, pandas.__version__, unicodedata.unidata_version)
    code = cache.code(*sorted(Path(__file__).parent.glob("*.py")))
    return cache.key(origin.content, declared, applied, libraries, code)


def _carve_official(spec: TaskSpec, source: HubSource, train: Columns, report: Columns) -> splits.Splits:
    return splits.carve_selection(
        _examples(spec, train, source.train_split), _examples(spec, report, source.report_split), spec.overlap
    )


def _carve_file(spec: TaskSpec, source: PackageSource, columns: Columns) -> splits.Splits:
    rows = zip(columns["text"], columns["label"], columns["source"], strict=True)
    cleaned = (source.clean(text, label) for text, label, subset in rows if subset == source.subset)
    carved = splits.carve_three((example for example in cleaned if example is not None), spec.overlap)
    if not source.build:
        return carved
    parts = (source.build(carved.train), source.build(carved.selection), source.build(carved.report))
    return splits.Splits(*parts, dropped=carved.dropped)


def _local(source: HubSource, train: Columns, report: Columns) -> str:
    """What a local folder is called; its row counts are told when they are not those of the hub."""
    parts = (
        (source.train_split, _count(train), source.train_rows),
        (source.report_split, _count(report), source.report_rows),
    )
    other = [f"{name} has {rows} rows, officially {hub}" for name, rows, hub in parts if rows != hub]
    return f"local folder, {source.hub_id} layout" + (f" ({'; '.join(other)})" if other else "")


def _count(columns: Columns) -> int:
    return len(next(iter(columns.values()), []))


def _splits(spec: TaskSpec, carved: splits.Splits, described: str) -> cache.Kept:
    """The splits as one table, split after split, with all that `TaskData` says of them."""
    parts = {"train": carved.train, "selection": carved.selection, "report": carved.report}
    empty = [name for name, examples in parts.items() if not examples]
    if empty:
        raise DataError(
            f"task {spec.name!r}: the data leaves no example for {' and '.join(empty)}; "
            f"give the whole of {spec.source}"
        )
    facts = {
        "sizes": {name: len(examples) for name, examples in parts.items()},
        "dropped_train_examples": carved.dropped,
        "sha256": content_hash(parts),
        "source": described,
    }
    if spec.problem_type == "generation":
        written = {name: [(one.texts, str(one.label)) for one in some] for name, some in parts.items()}
        table, facts["sizes"] = pairs.table(written, len(spec.text_columns))
        return cache.Kept(table, facts)
    return cache.Kept(_dataset(spec, [example for examples in parts.values() for example in examples]), facts)


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


def _examples(spec: TaskSpec, rows: Columns, split: str) -> list[Example]:
    """The rows of an official split, checked against the declaration."""
    wanted = (*spec.text_columns, spec.label_column)
    missing = [column for column in wanted if column not in rows]
    if missing:
        raise DataError(
            f"task {spec.name!r}: the split {split!r} has the columns {', '.join(rows)} but "
            f"not {' and '.join(missing)}; give files of the layout of {spec.source}"
        )
    labels: list = _labels(spec, rows[spec.label_column], split)
    texts = list(zip(*(rows[column] for column in spec.text_columns), strict=True))
    for index, row in enumerate(texts):
        if not all(isinstance(text, str) for text in row):
            raise DataError(
                f"task {spec.name!r}: row {index} of the split {split!r} has no text in "
                f"{' and '.join(spec.text_columns)}; fill it in or take the row out"
            )
    return [Example(row, label) for row, label in zip(texts, labels, strict=True)]


def _labels(spec: TaskSpec, values: list, split: str) -> list[int] | list[float] | list[str]:
    advice = "the official test split of GLUE has none: give labelled train and validation files"
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

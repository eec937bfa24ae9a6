"""Data of one's own, made ready: read, checked, split, and kept by the content of its files.

    task = preparing.resolve({"name": "intents", "train": "train.csv", "report": "test.csv"}, "folder")
    task.own          what decides the scores, part of every trial's id
    task.notes        what is said to the user, once
    preparing.load(task.spec, task.folder)  the splits

A million rows are read and checked in seconds; what came out is kept (`tasks/cache.py`), and the next start
hashes the files and maps it into memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from tasks import cache, further, pairs, reading
from tasks.own import carving, checks, files, sentences, targets
from tasks.own.carving import Part
from tasks.own.declaration import Own, Said, default_metrics, listing, said
from tasks.own.labels import Labelled, labelled
from tasks.own.tables import Table, table_of
from tasks.spec import DataError, FileSource, TaskData, TaskSpec, Template


@dataclass(frozen=True)
class Resolved:
    """A task of one's own as it is used."""

    name: str
    own: Own
    source: FileSource
    folder: str | None
    """Of the files; None for a data set of the hub."""
    notes: tuple[str, ...]
    """What is said of it, a sentence each."""
    data: TaskData

    @property
    def spec(self) -> TaskSpec:
        """Its declaration."""
        return self.own.task(self.name, self.source)


def resolve(values: Mapping[str, Any], folder: str | None = None) -> Resolved:
    """Read what is said of a task, and its data.

    Args:
        values: as a study has them (`tasks/own/declaration.py`).
        folder: what relative paths begin at; None for the working directory.

    Raises:
        DataError: something of it is wrong; one sentence.
    """
    task = said(values)
    source, where = _placed(task, folder)
    kept = _kept(task.name, source, where)
    own = Own.model_validate(kept.facts["own"])
    source = replace(source, sha256=own.sha256, further_sha256=tuple((own.further or {}).values()))
    return Resolved(task.name, own, source, where, tuple(kept.facts["notes"]), _data(kept))


def load(spec: TaskSpec, source: FileSource, folder: str | None) -> TaskData:
    """The splits of a task that was resolved.

    Raises:
        DataError: the files are gone, or hold something else by now.
    """
    if not source.files:
        raise DataError(f"task {spec.name!r} is of its user's own data, and where they lie is not known here")
    data = _data(_kept(spec.name, replace(source, sha256=None, further_sha256=()), folder))
    hashes = [data.sha256, *(one.sha256 for one in data.further.values())]
    for before, now in zip([source.sha256, *source.further_sha256], hashes, strict=False):
        if before is not None and now != before:
            raise DataError(
                f"task {spec.name!r}: the files changed since the study was read (sha256 {now[:12]}, "
                f"before {before[:12]}); run it again"
            )
    return data


def file_paths(source: FileSource, folder: str) -> list[Path]:
    """All files of a task in its folder, those of saved folders one by one."""
    return [one for _, names in source.files for name in names for one in files.contents(Path(folder) / name)]


def _placed(task: Said, folder: str | None) -> tuple[FileSource, str | None]:
    """The source with its files in one folder that holds them all."""
    if task.source.hub is not None:
        return replace(task.source, files=tuple(task.paths.items())), None
    start = files.at_home(task.name, folder or ".").absolute()
    found = {
        part: files.found(task.name, [str(start / files.at_home(task.name, path)) for path in paths])
        for part, paths in task.paths.items()
    }
    common = Path(os.path.commonpath([path.parent for paths in found.values() for path in paths]))
    _check_apart(task.name, found)
    names = tuple(
        (part, tuple(path.relative_to(common).as_posix() for path in paths)) for part, paths in found.items()
    )
    return replace(task.source, files=names), str(common)


def _check_apart(task: str, found: Mapping[str, Sequence[Path]]) -> None:
    """No file is in two parts."""
    seen: dict[Path, str] = {}
    for part, paths in found.items():
        for path in paths:
            real = path.resolve()
            if real in seen:
                raise DataError(
                    f"task {task!r}: {path.name} is {seen[real]} and {part}; expected different files, or "
                    "one `file:` that is split"
                )
            seen[real] = part


def _kept(task: str, source: FileSource, folder: str | None) -> cache.Kept:
    """The splits as they were kept, or made now."""
    if folder is None:
        content: tuple[str, ...] = (str(source.hub), str(source.config), str(source.revision))
        large = True
    else:
        paths = file_paths(source, folder)
        try:
            content = tuple(cache.hash_of(path) for path in paths)
            large = sum(path.stat().st_size for path in paths) >= cache.KEPT_FROM
        except OSError as error:
            raise DataError(
                f"task {task!r}: {Path(str(error.filename)).name} cannot be read ({error.strerror})"
            ) from None
    beside = [Path(__file__).parents[1] / f"{name}.py" for name in ("splits", "bio", "tagged")]
    code = cache.code(*sorted(Path(__file__).parent.glob("*.py")), *beside)
    of = cache.key(task, _plain(source), content, pa.__version__, np.__version__, code)
    return _once(task, source, folder, of, large)


@lru_cache(maxsize=8)
def _once(task: str, source: FileSource, folder: str | None, of: str, large: bool) -> cache.Kept:
    """The same for whoever asks in this process, as well where nothing is kept on disk."""
    return cache.kept(f"{task}-own", of, lambda: _made(task, source, folder), worth=large)


def _plain(source: FileSource) -> list[Any]:
    """A source as text and numbers."""
    return [list(map(str, source.files)), *map(str, (getattr(source, name) for name in _STATED))]


_STATED = ("text", "label", "problem", "labels", "metrics", "positive", "overlap", "seed", "template")


def _data(kept: cache.Kept) -> TaskData:
    facts = {name: kept.facts[name] for name in ("sizes", "dropped_train_examples", "sha256", "source")}
    others = kept.facts["further"]
    train, selection, report, *tables = pairs.parted(kept.table, facts["sizes"] | further.sizes(others))
    return TaskData(train, selection, report, **facts, further=further.read(others, tables))


def _made(task: str, source: FileSource, folder: str | None) -> cache.Kept:
    """Read, check and split."""
    wanted = (*source.text, source.label)
    tables = _tables(task, source, folder, wanted)
    tagged = sentences.are(source, tables)
    if tagged or source.problem == "generation":
        kept = (sentences.made if tagged else targets.made)(task, source, tables, _told(source))
        kept.facts["notes"].insert(0, _summary(task, source, tables, kept.facts))
        return kept
    for table in tables.values():
        checks.check_texts(task, source, table)
    labels = labelled(task, source, tables)
    parts = {
        name: carving.part([table.columns[text] for text in source.text], labels.values[name], source.overlap)
        for name, table in tables.items()
    }
    notes = [
        *checks.of_texts(source, tables),
        *checks.of_labels(labels, tables),
        *checks.of_repeats(task, parts, tables, labels.names),
    ]
    for table in tables.values():
        table.columns.clear()  # the parts hold the texts, and are taken apart: no text is to be there thrice
    made, out = carving.carved(parts, len(labels.names), source.seed)
    carving.check(task, made, source.overlap)
    others = carving.further(parts, made)
    for name, one in others.items():
        notes += checks.of_further(task, name, one.left_out, tables[name])
    share = _largest_share(made["train"], labels)
    own = Own(
        text=source.text,
        label=source.label,
        problem=labels.problem,
        labels=labels.names,
        metrics=source.metrics or default_metrics(labels.problem, share),
        sha256=carving.content_hash(made),
        template=_template(source, labels),
        further={name: carving.content_hash({name: one.part}) for name, one in others.items()} or None,
    )
    facts: dict[str, Any] = {
        "sizes": {name: len(one) for name, one in made.items()},
        "dropped_train_examples": out,
        "sha256": own.sha256,
        "source": _told(source),
        "further": {
            name: further.told(len(one.part), len(one.left_out), sha256)
            for (name, one), sha256 in zip(others.items(), (own.further or {}).values(), strict=True)
        },
        "own": own.model_dump(mode="json"),
    }
    told = [_summary(task, source, tables, facts), _scored(task, source, own, labels, share), *notes]
    every = {**made, **{name: one.part for name, one in others.items()}}
    return cache.Kept(_dataset(every), {**facts, "notes": told})


def _tables(task: str, source: FileSource, folder: str | None, wanted: Sequence[str]) -> dict[str, Table]:
    if folder is not None:
        return {
            part: files.read(task, [(Path(name).name, Path(folder) / name) for name in names], wanted)
            for part, names in source.files
        }
    splits = [name for _, names in source.files for name in names]
    found = reading.of_hub(task, str(source.hub), source.config, str(source.revision), splits)
    tables = {}
    for part, names in source.files:
        if len(names) > 1:
            raise DataError(
                f"task {task!r}: {part} names {listing(names)}, expected one split of {source.hub}"
            )
        called = f"task {task!r}: {names[0]} of {source.hub}"
        tables[part] = table_of(called, found[names[0]], wanted)
        tables[part].files = [(names[0], len(found[names[0]]))]
        if not len(tables[part]):
            raise DataError(f"{called} has no rows")
    return tables


def _dataset(parts: Mapping[str, Part]) -> datasets.Dataset:
    """The splits as one table, split after split."""
    first = parts["train"]
    columns: dict[str, Any] = {}
    for place, name in enumerate(("text", "text_pair")[: len(first.texts)]):
        chunks = [chunk for one in parts.values() for chunk in one.texts[place].chunks]
        columns[name] = pa.chunked_array(chunks, pa.large_string())
    columns["label"] = pa.array(np.concatenate([one.labels for one in parts.values()]))
    features = {name: datasets.Value("large_string") for name in columns}
    features["label"] = datasets.Value(str(first.labels.dtype))
    info = datasets.DatasetInfo(features=datasets.Features(features))
    # Without one `datasets` pickles the whole table to make it, which takes as much memory again.
    fingerprint = carving.content_hash(dict(parts))[:16]
    return datasets.Dataset(pa.table(columns), info=info, fingerprint=fingerprint)


def _told(source: FileSource) -> str:
    if source.hub is not None:
        config = f", {source.config}" if source.config else ""
        splits = listing(name for _, names in source.files for name in names)
        return f"{source.hub}@{source.revision}{config}: {splits}"
    how = f", split by seed {source.seed}" if source.files[0][0] == "file" else ""
    return "own files: " + ", ".join(Path(name).name for _, names in source.files for name in names) + how


def _largest_share(train: Part, labels: Labelled) -> float:
    if labels.problem == "regression":
        return 0.0
    return float(np.bincount(train.labels).max() / len(train))


def _template(source: FileSource, labels: Labelled) -> Template | None:
    """How a model that writes is asked; without words it answers with the names of the labels."""
    if source.template is None or source.template.words or labels.problem != "classification":
        return source.template
    return replace(source.template, words=labels.names)


def _summary(task: str, source: FileSource, tables: Mapping[str, Table], facts: Mapping[str, Any]) -> str:
    read = listing(f"{len(table):,} rows of {table.called}" for table in tables.values())
    how = f", split by seed {source.seed}" if "file" in tables else ""
    if "file" not in tables and "selection" not in tables:
        how = ", the selection taken from the training rows"
    sizes = ", ".join(
        f"{one:,} to {verb}"
        for one, verb in zip(facts["sizes"].values(), ("train", "select", "report"), strict=True)
    )
    others = further.sizes(facts["further"])
    sizes += "".join(f", {one:,} to report as {name}" for name, one in others.items())
    return f"{task}: {read}; {sizes}{how}."


def _scored(task: str, source: FileSource, own: Own, labels: Labelled, share: float) -> str:
    """What it is scored by, and why."""
    if own.problem == "regression":
        what = "a regression" + ("" if source.problem else ", since its labels are numbers")
    else:
        count = len(own.labels)
        shown = listing(own.labels) if count <= 4 else f"{', '.join(own.labels[:3])} ... {own.labels[-1]}"
        what = f"{count} labels, {labels.how}: {shown}"
    first, *rest = own.metrics
    beside = f", {listing(rest)} beside" if rest else ""
    why = "as stated" if source.metrics else "by default"
    if not source.metrics and first == "macro_f1":
        why = f"by default, since one label has {share:.0%} of the training rows"
    return f"{task}: {what}; ranked by {first}{beside}, {why}."

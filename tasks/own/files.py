"""From files to columns: CSV, TSV, JSON (lines), Parquet, CoNLL's, folders that `datasets` saved, the hub.

Files are read as they are: no text is taken for a number or for a missing value, and nothing of a broken file
is skipped. Rows are counted from 1, without the header. What cannot be read is a DataError of one sentence.
"""

from __future__ import annotations

import csv
import glob
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import named
from tasks.own import conll, objects
from tasks.own.declaration import listing, nearest
from tasks.own.tables import Table, all_names, check_lists, kind, pick, plain, stacked, table_of, worded
from tasks.spec import DataError

KINDS: Final = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".jsonl": "JSON lines",
    ".ndjson": "JSON lines",
    ".json": "JSON",
    ".parquet": "Parquet",
    **dict.fromkeys(conll.ENDINGS, "CoNLL"),
}
"""What is read, by the ending of a file's name."""

_MAGIC: Final = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a ZIP or Excel file",
    b"\x1f\x8b": "compressed by gzip",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"%PDF": "a PDF",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"SQLite": "an SQLite file",
    b"ARROW1": "an Arrow file",
}
_AT_ONCE: Final = 50_000  # rows that are Python's own before they are Arrow's
_SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_TOLD: Final = 3  # rows that a sentence names


def found(task: str, paths: Sequence[str]) -> list[Path]:
    """The files that paths, patterns and saved folders stand for, in order.

    Raises:
        DataError: one stands for nothing, for a file of an unknown kind, or is there twice.
    """
    files: list[Path] = []
    for text in paths:
        path = Path(text)
        base, pattern = _there(task, path)
        if any(sign in pattern for sign in "*?["):
            some = [base / one for one in sorted(glob.glob(pattern, root_dir=base, recursive=True))]
            if not some:
                raise DataError(f"task {task!r}: no file matches {text!r}")
        else:
            some = [path]
        for one in some:
            _check_path(task, one)
        files += some
    if twice := next((one for one in files if files.count(one) > 1), None):
        raise DataError(f"task {task!r}: {twice.name} is named twice in one part; name it once")
    return files


def _there(task: str, path: Path) -> tuple[Path, str]:
    """The part of a path that exists, whatever signs are in its name, and the rest."""
    try:
        base = next(one for one in (path, *path.parents) if one.exists())
    except OSError as error:  # a name that is too long
        raise DataError(
            f"task {task!r}: {path.name[:40]!r}... is no name of a file ({error.strerror})"
        ) from None
    return base, "" if base == path else path.relative_to(base).as_posix()


def at_home(task: str, path: str) -> Path:
    """A path in which `~` is a folder.

    Raises:
        DataError: it is that of nobody here; one sentence.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise DataError(
            f"task {task!r}: {path!r} begins at a home that is not here: write the whole folder"
        ) from None


def contents(path: Path) -> list[Path]:
    """The files that decide what a path holds: itself, or those of a saved folder."""
    return sorted(one for one in path.glob("*") if one.is_file()) if path.is_dir() else [path]


def read(task: str, files: Sequence[tuple[str, Path]], wanted: Sequence[str]) -> Table:
    """Some columns of several files, one after the other.

    Args:
        task: its name, for people.
        files: as they are called, and where they are.
        wanted: names of the columns.

    Raises:
        DataError: a file cannot be read, or lacks a column; one sentence.
    """
    whole: Table | None = None
    for name, path in files:
        one = _read(f"task {task!r}: {name}", path, wanted)
        check_lists(f"task {task!r}: {name}", one)
        one.files = [(name, len(next(iter(one.columns.values()))))]
        if not len(one):
            raise DataError(f"task {task!r}: {name} has no rows")
        whole = one if whole is None else _joined(task, whole, one)
    assert whole is not None
    return whole


def _joined(task: str, first: Table, second: Table) -> Table:
    columns = {}
    for name in first.columns:
        one, other = first.columns[name], second.columns[name]
        if one.type != other.type:
            raise DataError(
                f"task {task!r}: the column {name!r} holds {kind(one.type)} in {first.files[0][0]} and "
                f"{kind(other.type)} in {second.files[0][0]}; expected the same in all files of a part"
            )
        columns[name] = pa.chunked_array([*one.chunks, *other.chunks], one.type)
    notes = list(dict.fromkeys([*first.notes, *second.notes]))
    lines = [one.lines for one in (first, second) if one.lines is not None]
    whole = np.concatenate(lines) if len(lines) == 2 else None
    return Table(columns, first.files + second.files, all_names([first, second]), notes, whole)


def _check_path(task: str, path: Path) -> None:
    if path.is_dir():
        saved = path / "dataset_dict.json"
        if saved.is_file():
            parts = [one.name for one in sorted(path.iterdir()) if (one / "state.json").is_file()]
            raise DataError(
                f"task {task!r}: {path.name} holds several splits, {listing(parts or ['none'])}; name one, "
                f"such as {path.name}/{(parts or ['train'])[0]}"
            )
        if not (path / "state.json").is_file():
            raise DataError(
                f"task {task!r}: {path.name} is a folder, and not one that `datasets` saved; name a file, or "
                f"several as {path.name}/*.csv"
            )
        return
    if not path.exists():
        if address := re.search(r"/([a-z][a-z0-9]+):/", path.as_posix()):
            raise DataError(
                f"task {task!r}: {address[1]}://.../{path.name} is an address, expected a file here: "
                "download it, or name a data set of the hub as hub:"
            )
        if path.is_symlink():
            raise DataError(f"task {task!r}: {path.name} is a link to what is not there")
        near = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = f"; {nearest(path.name, sorted(near))}" if near else f", nor a folder {str(path.parent)!r}"
        raise DataError(f"task {task!r}: there is no file {path.name!r} in {str(path.parent)!r}{hint}")
    if path.suffix.lower() not in KINDS:
        raise DataError(
            f"task {task!r}: {path.name} ends in {path.suffix or 'nothing'!r}, expected "
            f"{', '.join(KINDS)}, or a folder that `datasets` saved"
        )


def _read(called: str, path: Path, wanted: Sequence[str]) -> Table:
    try:
        if path.is_dir():
            return _saved(called, path, wanted)
        kind = KINDS[path.suffix.lower()]
        with path.open("rb") as stream:
            head = stream.read(4096)
        if not head.strip():
            raise DataError(f"{called} is empty")
        if kind == "Parquet":
            return _parquet(called, path, wanted, head)
        for magic, what in _MAGIC.items():
            if head.startswith(magic):
                raise DataError(f"{called} is {what} and not {kind}, which its name says; save it as {kind}")
        if kind == "CoNLL":
            return conll.read(called, path, wanted)
        return (_separated if kind in ("CSV", "TSV") else objects.read)(called, path, wanted, kind)
    except UnicodeDecodeError:
        raise DataError(f"{called}, {_first_bad(path)}; save it in UTF-8") from None
    except OSError as error:
        raise DataError(f"{called} cannot be read ({error.strerror or error})") from None


def _first_bad(path: Path) -> str:
    """Where a file stops being UTF-8."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return f"line {number} has the byte 0x{line[error.start]:02x}, which is not UTF-8"
    return "its end is not UTF-8"


def _separated(called: str, path: Path, wanted: Sequence[str], kind: str) -> Table:
    """Quoted as CSV is (RFC 4180): a text with a separator or a line break stands in double quotes."""
    csv.field_size_limit(sys.maxsize)
    notes = []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        separator, rows = "\t" if kind == "TSV" else ",", None
        first = stream.readline()
        if (other := _separator(first, wanted, separator)) != separator:
            notes.append(f"{path.name} is separated by {_SEPARATORS[other]}.")
        stream.seek(0)
        rows = csv.reader(stream, delimiter=other, strict=True)
        try:
            header = next(rows)
            picked = pick(called, header, wanted)
            batches = _batches(called, rows, len(header), picked)
            table = Table(stacked(called, wanted, batches), notes=notes)
        except csv.Error as error:
            raise DataError(
                f"{called}, line {rows.line_num}: {error}; a double quote in a quoted text is written "
                "twice, and every quoted text ends with one"
            ) from None
    if other == "\t":
        notes += _swallowed(path.name, table)
    return table


def _swallowed(name: str, table: Table) -> Iterator[str]:
    """In a TSV that quotes nothing a text that begins with a quote ends at the next one, perhaps rows on."""
    found: set[int] = set()
    for column in table.columns.values():
        lines = pc.match_substring_regex(column, r"\t[^\n]*\n|\n[^\n]*\t")
        found |= {*np.flatnonzero(lines.to_numpy()).tolist()}
    if found:
        rows = np.array(sorted(found))
        told = Table({}, [(name, max(found) + 1)]).rows(rows)
        yield (
            f"{told} {'has' if len(rows) == 1 else 'have'} tabs and line breaks in double quotes, and may be "
            "several rows: a quote that is none is written twice, in a text in quotes."
        )


def _separator(first: str, wanted: Sequence[str], usual: str) -> str:
    """What separates the names of the columns, where the usual sign does not."""
    for separator in dict.fromkeys((usual, *_SEPARATORS)):
        names = next(csv.reader([first.removeprefix("\ufeff")], delimiter=separator), [])
        if set(wanted) <= set(names):
            return separator
    return usual


def _batches(
    called: str, rows: Iterator[list[str]], width: int, picked: Sequence[int]
) -> Iterator[list[list[str]]]:
    """The wanted columns, some rows at a time; lines without anything on them are no rows."""
    wrong: list[tuple[int, int]] = []
    number = 0
    while some := list(islice(rows, _AT_ONCE)):
        some = [row for row in some if row]
        wrong += [(number + i, len(row)) for i, row in enumerate(some, 1) if len(row) != width]
        number += len(some)
        if not wrong:
            yield [[row[column] for row in some] for column in picked]
    if wrong:
        which = listing(str(row) for row, _ in wrong[:_TOLD])
        more = f", and {len(wrong) - _TOLD} more rows" if len(wrong) > _TOLD else ""
        raise DataError(
            f"{called}, row {which}{more}: {wrong[0][1]} fields where the header has {width}; put a text "
            "with a separator or a line break into double quotes"
        )


def _parquet(called: str, path: Path, wanted: Sequence[str], head: bytes) -> Table:
    from pyarrow.parquet import ParquetFile

    if not head.startswith(b"PAR1"):
        raise DataError(f"{called} is no Parquet file, which its name says; name it by what it is")
    try:
        file = ParquetFile(path)
        columns = list(file.schema_arrow.names)
        pick(called, columns, wanted)
        table = plain(called, file.read(columns=list(wanted)), wanted)
        return worded(called, table, named.features(file.schema_arrow))
    except pa.ArrowException as error:
        raise DataError(f"{called} cannot be read ({str(error).splitlines()[0].rstrip('.')})") from None


def _saved(called: str, path: Path, wanted: Sequence[str]) -> Table:
    """A data set that `datasets` saved."""
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise DataError(f"{called} cannot be read ({str(error).splitlines()[0].rstrip('.')})") from None
    return table_of(called, saved, wanted)

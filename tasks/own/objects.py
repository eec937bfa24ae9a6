"""Files of objects: JSON lines, or one list in JSON; `NaN`, which is no JSON, is a value that is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from tasks.own.declaration import listing, nearest
from tasks.own.tables import Table, stacked
from tasks.spec import DataError

_AT_ONCE: Final = 50_000  # rows that are Python's own before they are Arrow's
_TOLD: Final = 3  # keys that a sentence names


def read(called: str, path: Path, wanted: Sequence[str], kind: str) -> Table:
    """Objects, one on each line, or in a list."""
    with path.open(encoding="utf-8-sig") as stream:
        if kind == "JSON":
            if stream.read(4096).lstrip().startswith("["):
                stream.seek(0)
                try:
                    found = _loads(stream.read().lstrip("\ufeff"))
                except ValueError as error:
                    raise DataError(f"{called} is not JSON ({error})") from None
                return Table(stacked(called, wanted, _objects(called, iter(found), wanted)))
            stream.seek(0)
        return Table(stacked(called, wanted, _objects(called, _parsed(called, stream), wanted)))


def _parsed(called: str, stream: Any) -> Iterator[Any]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            yield _loads(line.lstrip("\ufeff"))
        except ValueError as error:
            raise DataError(
                f"{called}, line {number} is not JSON ({getattr(error, 'msg', error)}); expected an object "
                "on every line, or one list of objects"
            ) from None


_constants: Final = json.JSONDecoder(parse_constant=lambda name: None if name == "NaN" else float(name))
"""`NaN` is no JSON: Python writes it for a value that is missing."""


def _loads(text: str) -> Any:
    """One value of JSON.

    Raises:
        ValueError: it is none, or more than can be read.
    """
    try:
        return _constants.decode(text)
    except RecursionError:
        raise ValueError("too deeply nested") from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("a number of too many digits") from None


def _objects(called: str, found: Iterator[Any], wanted: Sequence[str]) -> Iterator[list[list[Any]]]:
    number = 0
    while some := list(islice(found, _AT_ONCE)):
        if number == 0 and len(some) == 1 and isinstance(some[0], dict):
            _check_one(called, some[0], wanted)
        for row, one in enumerate(some, number + 1):
            if not isinstance(one, dict):
                raise DataError(
                    f"{called}, row {row} is {type(one).__name__}, expected an object with {listing(wanted)}"
                )
            if row == 1 or any(name not in one for name in wanted):
                for name in wanted:
                    if name not in one:
                        place = "" if row == 1 else f", row {row}"
                        raise DataError(f"{called}{place} has no column {name!r}; {nearest(name, one)}")
        number += len(some)
        yield [[one[name] for one in some] for name in wanted]


def _check_one(called: str, one: dict[str, Any], wanted: Sequence[str]) -> None:
    """A file of one object is one of columns, or has its rows below a key."""
    nested = [name for name, value in one.items() if isinstance(value, list | dict)]
    if len(nested) == len(one) or not set(wanted) <= one.keys():
        raise DataError(
            f"{called} is one object, of {listing(map(repr, list(one)[:_TOLD]) if one else ['nothing'])}, "
            f"expected a list of objects with {listing(wanted)}, one for each row"
        )

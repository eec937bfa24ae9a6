"""Reading JSON of strangers: sizes and nesting are bounded before anything is parsed or walked."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from reports.errors import RecordError
from reports.records.files import plain

MAX_BYTES: Final = 4_000_000  # a record of a long study is some 20 kB
MAX_DEPTH: Final = 32
MAX_ENTRIES: Final = 20_000  # of one list or object: the curve of a long run has some hundreds
MAX_NAMES: Final = 1_000  # of one object
MAX_TEXT: Final = 20_000  # characters
MAX_INTEGER: Final = 2**63 - 1
MAX_NUMBER: Final = 1e30  # nothing that is measured here is near it
MAX_DIGITS: Final = 400

# A string never fails to match, even one without an end: no input takes more than linear time.
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*+(?:"|\\?\Z)', re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z_<][A-Za-z0-9_>-]{0,79}")


def parsed(path: Path, *, constant: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """The JSON object in a file, bounded in size and depth, with nothing that JSON does not allow.

    Args:
        path: the file.
        constant: turns `NaN` and the infinities, which are no JSON, into a value; None refuses them.

    Raises:
        RecordError: one sentence without the file's name, that begins with a JSON path.
    """
    return loaded(path, constant=constant)[1]


def loaded(path: Path, *, constant: Callable[[str], Any] | None = None) -> tuple[str, dict[str, Any]]:
    """The text of a file beside what :func:`parsed` makes of it."""
    try:
        if kind := plain(path):
            raise RecordError(f"$ is {kind}, and a record is a plain file")
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size  # to read a limit's worth takes that memory each time
            content = stream.read(min(size, MAX_BYTES) + 1)
    except OSError as error:
        raise RecordError(f"$ cannot be read ({error.strerror})") from None
    if len(content) > MAX_BYTES:
        raise RecordError(f"$ is larger than {MAX_BYTES} bytes, which no record is")
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordError(f"$ is not JSON (byte {error.start} is not UTF-8)") from None
    data = _at_once(decoded) if constant is None else None
    if data is None:
        data = _step_by_step(decoded, constant)
    if not isinstance(data, dict):
        raise RecordError(f"$ is a {type(data).__name__}, expected an object")
    return decoded, data


def _at_once(decoded: str) -> Any:
    """What a text holds that has no fault at all, in a third of the time that naming a fault takes.

    None where it has one, or might have.
    """
    try:
        data = json.loads(decoded, object_pairs_hook=_object)
    except (RecordError, ValueError, RecursionError):
        return None
    return data if _sound(data) else None


def _step_by_step(decoded: str, constant: Callable[[str], Any] | None) -> Any:
    """What a text holds; its first fault is named."""
    _check_depth(decoded)
    try:
        data = json.loads(
            decoded, object_pairs_hook=_object, parse_int=_integer, parse_constant=constant or float
        )
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise RecordError(f"$ is not JSON ({reason})") from None
    check_values(data)
    return data


def _sound(data: Any, depth: int = 1) -> bool:
    """Whether :func:`check_values` has nothing to say, without a path to any value; False where unsure."""
    if type(data) is dict:
        names = "".join(data)
        fits = len(data) <= MAX_NAMES and len(names) <= MAX_TEXT and names.isascii()
        values: Iterable[Any] = data.values()
    else:
        fits = type(data) is list and len(data) <= MAX_ENTRIES
        values = data
    if not fits:
        return False
    for value in values:
        kind = type(value)
        if kind is str:
            fine = len(value) <= MAX_TEXT and (value.isascii() or _is_unicode(value))
        elif kind is float:
            fine = -MAX_NUMBER <= value <= MAX_NUMBER
        elif kind is int:
            fine = -MAX_INTEGER <= value <= MAX_INTEGER
        else:
            fine = value is None or kind is bool or (depth < MAX_DEPTH and _sound(value, depth + 1))
        if not fine:
            return False
    return True


def check_values(data: Any) -> None:
    """Refuse what JSON readers let through: NaN, giant numbers, texts and lists, text that is no Unicode."""
    for path, value, depth in _walk(data):
        if depth > MAX_DEPTH:
            raise RecordError(f"{path} is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, float) and not math.isfinite(value):
            raise RecordError(f"{path} is {value}, and a number that was not measured must be null")
        if isinstance(value, int) and abs(value) > MAX_INTEGER:
            raise RecordError(f"{path} is an integer beyond 64 bits")
        if isinstance(value, float) and abs(value) > MAX_NUMBER:
            raise RecordError(f"{path} is {value:g}, and nothing is measured beyond {MAX_NUMBER:g}")
        if isinstance(value, str):
            if len(value) > MAX_TEXT:
                raise RecordError(f"{path} is a text of {len(value)} characters, of at most {MAX_TEXT}")
            if not _is_unicode(value):
                raise RecordError(f"{path} holds text that is not valid Unicode")


def step(path: str, key: object) -> str:
    """A JSON path one level deeper; a name that is not plain is quoted, in ASCII and bounded."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    name = str(key)
    if _PLAIN_NAME.fullmatch(name):
        return f"{path}.{name}"
    quoted = json.dumps(name[:60])  # surrogates come out escaped as well
    return f"{path}[{quoted}]" if len(quoted) <= 200 else f"{path}[{quoted[:200]}...]"


def _check_depth(decoded: str) -> None:
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", decoded)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise RecordError(f"$ is nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: readers disagree on which of two equal ones counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1) if len(names) <= MAX_NAMES else "…"
        raise RecordError(f"$ has an object with the name {json.dumps(twice[:60])} twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise RecordError(f"$ holds an integer of {len(digits)} digits")
    return int(digits)


def _walk(data: Any) -> Iterator[tuple[str, Any, int]]:
    """Every value with its JSON path and depth, in document order, without recursion."""
    stack: list[tuple[str, Any, int]] = [("$", data, 0)]
    while stack:
        path, value, depth = stack.pop()
        yield path, value, depth
        if isinstance(value, dict):
            if len(value) > MAX_NAMES:
                raise RecordError(f"{path} has {len(value)} names, of at most {MAX_NAMES}")
            stack += [(step(path, key), child, depth + 1) for key, child in value.items()][::-1]
            stack += [(f"{path}.<name>", key, depth + 1) for key in value]
        elif isinstance(value, (list, tuple)):
            if len(value) > MAX_ENTRIES:
                raise RecordError(f"{path} has {len(value)} entries, of at most {MAX_ENTRIES}")
            stack += [(step(path, index), child, depth + 1) for index, child in enumerate(value)][::-1]


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

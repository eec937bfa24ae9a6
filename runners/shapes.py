"""The sizes of models that were read off once, so that counting on them needs neither torch nor model code.

Those of the published architectures and of the embedded model come with Paretune (``shapes.json``, which
``tests/shapes_file.py`` makes); those of others are kept in a cache of the user's. An entry is found by all
that decides what is in it: the model's configuration, the number of labels, the version of transformers and,
in the cache, the code of ours that read it off. What is missing, foreign or broken is as if it were not
there.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

from methods.anatomy import Geometry
from methods.anatomy.geometry import Linears
from reports.records.atomic import write_atomically
from runners.known import architectures, location, unreadable

SHIPPED = Path(__file__).parent / "shapes.json"
"""What comes with Paretune: the entries, and the version of transformers that they were read off with."""
LABELS = 2
"""Of the models in it."""
READERS = ("methods", "runners")
"""The packages whose code decides what is read off a model."""
MOST_BYTES = 1 << 20
"""Size of a file of the cache beyond which it is none."""
MOST_ALIKE = 10_000
"""Blocks of a model, beyond which it is none."""
_ASKS_FOR_MORE = ("auto_map", "configuration_files", "quantization_config")
"""Keys of a configuration that say that it alone does not decide what the model is."""


@dataclass(frozen=True)
class Shapes:
    """A model in numbers."""

    geometry: Geometry
    takes: frozenset[str]
    """The methods that it takes with their default options, and whose closed forms were compared with it."""


def known(name: str, labels: int) -> Shapes | None:
    """The sizes of a model, where they were read off before; else None.

    Args:
        name: as for :func:`runners.models.skeleton`.
        labels: outputs of its task head.

    Raises:
        ModelError: it cannot be found or reached.
    """
    content = _content(name)
    if content is None:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError, RuntimeError):
        if labels == LABELS and (found := _shipped().get(_hash(content))) is not None:
            return found
        file = _file(content, labels)
        if file.stat().st_size <= MOST_BYTES:
            stored = json.loads(file.read_bytes())
            if stored["sha256"] == _hash(_written(stored["shapes"])):
                return _read(stored["shapes"])
    return None


def keep(name: str, labels: int, shapes: Shapes) -> None:
    """Keep the sizes of a model for later, if that can be done."""
    with suppress(OSError, ValueError, RuntimeError):  # a ModelError among them
        if (content := _content(name)) is None:
            return
        plain = described(shapes)
        stored = {"sha256": _hash(_written(plain)), "model": name, "shapes": plain}
        write_atomically(_file(content, labels), json.dumps(stored), durable=False)


def folder() -> Path:
    """The folder of the cache, which need not be there.

    Raises:
        RuntimeError: the user has no home.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        base = Path(given)
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path.home() / ".cache"
    return base / "paretune" / "shapes"


def place(name: str, what: str, asked: Mapping[str, Any]) -> Path | None:
    """Where something else that a model's configuration decides may be kept; None where that does not.

    Args:
        name: as for :func:`known`.
        what: the folder beside this one.
        asked: all else that decides it, as plain data.

    Raises:
        ModelError: the model cannot be found or reached.
        ValueError, RuntimeError: nothing can be kept here.
    """
    if (content := _content(name)) is None:
        return None
    key = {**asked, "transformers": _transformers(), "torch": version("torch"), "code": _code()}
    return (
        folder().parent
        / what
        / f"{_hash(content + json.dumps(key, sort_keys=True, default=str).encode())}.json"
    )


def described(shapes: Shapes) -> dict[str, Any]:
    """As plain data; equal neighbours, of which a deep model has many, are written once."""
    plain: dict[str, Any] = {"takes": sorted(shapes.takes)}
    for field in fields(Geometry):
        value = getattr(shapes.geometry, field.name)
        if isinstance(value, Mapping):
            value = {role: _runs(its) for role, its in value.items()}
        elif isinstance(value, tuple):
            value = _runs(value)
        plain[field.name] = value
    return plain


def hash_of(name: str) -> str | None:
    """What a model is found by in what comes with Paretune; None where that does not decide its sizes."""
    content = _content(name)
    return None if content is None else _hash(content)


def _runs(values: Sequence[Any]) -> list[Any]:
    return [[len(list(its)), value] for value, its in groupby(values)]


def _unrolled(runs: Iterable[Any]) -> tuple[Any, ...]:
    made: list[Any] = []
    for number, value in runs:
        if _number(number) > MOST_ALIKE:
            raise ValueError(f"no model has {number} of anything")
        made += [_value(value)] * number
    return tuple(made)


def _value(value: Any) -> Any:
    """A number, a shape, or the name and number of a set of attentions."""
    if not isinstance(value, list):
        return _number(value)
    first, second = value
    return (first if isinstance(first, str) else _number(first)), _number(second)


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is no number of anything")
    return value


def _read(plain: Mapping[str, Any]) -> Shapes:
    """What :func:`described` wrote.

    Raises:
        ValueError, KeyError, TypeError: it is something else.
    """
    values: dict[str, Any] = {}
    for field in fields(Geometry):
        value = plain[field.name]
        if field.name == "linears":
            linears = Linears()
            linears |= {str(role): _unrolled(runs) for role, runs in value.items()}
            values[field.name] = linears
        elif isinstance(value, list):
            values[field.name] = _unrolled(value)
        else:
            values[field.name] = None if value is None and field.name == "positions" else _number(value)
    return Shapes(Geometry(**values), frozenset(plain["takes"]))


@cache
def _shipped() -> dict[str, Shapes]:
    """What comes with Paretune, by the hash of the configuration; nothing with another transformers."""
    told = json.loads(SHIPPED.read_text(encoding="utf-8"))
    if told["transformers"] != _transformers():
        return {}
    return {key: _read(plain) for key, plain in told["models"].items()}


def _content(name: str) -> bytes | None:
    """What decides a model's sizes, but for its labels; None where that is not its configuration alone.

    Raises:
        ModelError: the model cannot be found, or its configuration not be reached.
    """
    if (entry := architectures().get(name)) is not None:
        return json.dumps(entry, sort_keys=True).encode()
    place = Path(location(name))
    file = place / "config.json" if place.is_dir() else _downloaded(name)
    try:
        content = file.read_bytes()
        settings = json.loads(content)
    except (OSError, ValueError, RecursionError):  # who builds the model says what is wrong
        return None
    whole = isinstance(settings, dict) and not any(key in settings for key in _ASKS_FOR_MORE)
    return content if whole else None


def _downloaded(name: str) -> Path:
    """The configuration of a model on the hub, as it is there now; else the one that was downloaded.

    Raises:
        ModelError: there is neither.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

    disable_progress_bars()
    try:
        return Path(hf_hub_download(name, "config.json"))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise unreadable(name, error) from None
    finally:
        enable_progress_bars()


def _file(content: bytes, labels: int) -> Path:
    """Where the sizes of a model are kept."""
    key = {"labels": labels, "transformers": _transformers(), "code": _code()}
    return folder() / f"{_hash(content + _written(key))}.json"


def _transformers() -> str:
    """The version of transformers that is installed.

    Raises:
        ValueError: it cannot be told.
    """
    try:
        return version("transformers")
    except PackageNotFoundError:
        raise ValueError("transformers was not installed") from None


@cache
def _code() -> str:
    """A hash of our own code.

    Raises:
        ValueError: it does not lie in files.
    """
    root = Path(__file__).parents[1]
    files = sorted(file for package in READERS for file in (root / package).rglob("*.py"))
    if Path(__file__) not in files:
        raise ValueError("the code does not lie in files")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"\0{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _written(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True).encode()


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

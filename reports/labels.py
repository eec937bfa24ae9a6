"""What rows are called."""

from __future__ import annotations

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from reports import text
from reports.identity import Identity
from reports.origins import Origin, trusted


def labels(
    identities: Sequence[Identity], origins: Sequence[Origin] = (), *, told: bool = False
) -> list[str]:
    """A name for each row, no two alike: comparisons tell methods apart by it.

    The method's name, with the options and settings in which rows of that method differ, or what another
    suite calls the row. Names that people would read as the same are numbered.

    Args:
        identities: what the rows are.
        origins: who measured them.
        told: whether the name says so where that is not the maintainers.
    """
    found: list[str] = []
    taken: set[str] = set()
    for index, (plain, which) in enumerate(zip(_by_difference(identities), identities, strict=True)):
        name = which.label or plain
        origin = origins[index] if told else None
        if origin and not trusted(origin):
            name = f"{name}, {origin.by or origin.kind}"
        candidate = next(each for each in _numbered(name) if seen_as(each) not in taken)
        taken.add(seen_as(candidate))
        found.append(candidate)
    return found


def seen_as(name: str) -> str:
    """What a reader sees of a name: no invisible characters, wide and styled letters as plain ones."""
    return unicodedata.normalize("NFKC", text.clean(name)).casefold()


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{text.clean(name, 150)} #{number}" for number in itertools.count(2))


def _by_difference(identities: Sequence[Identity]) -> list[str]:
    by_method: dict[str, list[Identity]] = defaultdict(list)
    for which in identities:
        by_method[which.method].append(which)
    names = []
    for which in identities:
        twins = by_method[which.method]
        parts = [
            f"{key}={_short(values[key])}"
            for values, others in (
                (which.options, [twin.options for twin in twins]),
                (which.settings, [twin.settings for twin in twins]),
            )
            for key in sorted({key for other in others for key in other})
            if key in values and any(key not in other or other[key] != values[key] for other in others)
        ]
        names.append(f"{which.method} ({', '.join(parts)})" if parts else which.method)
    return names


def _short(value: Any) -> str:
    """An option's value as a person would type it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "+".join(_short(item) for item in value)
    return "none" if value is None else str(value)

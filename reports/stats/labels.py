"""What rows are called."""

from __future__ import annotations

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reports import text
from reports.records.identity import Identity
from reports.records.origins import Origin, trusted

FIRST = ("steps", "epochs", "train_examples", "batch_size", "max_length", "search", "learning_rate")
"""Settings that a name tells before others, where one of several will do."""


_ALIKE = str.maketrans("01i|", "olll")


def labels(
    identities: Sequence[Identity], origins: Sequence[Origin] = (), *, told: bool = False
) -> list[str]:
    """A name for each row, no two alike: comparisons tell methods apart by it.

    The method's name, with the options in which rows of that method differ and as few settings as are
    needed beside them, or what another suite calls the row. Names that people would read as the same are
    numbered.

    Args:
        identities: what the rows are.
        origins: who measured them.
        told: whether the name says so where that is not the maintainers.
    """
    found: list[str] = []
    taken: set[str] = set()
    for index, (plain, which) in enumerate(zip(_by_difference(identities), identities, strict=True)):
        name = text.name(which.label or plain)
        origin = origins[index] if told else None
        if origin and not trusted(origin):
            name = f"{name}, {origin.by or origin.kind}"
        candidate = next(each for each in _numbered(name) if seen_as(each) not in taken)
        taken.add(seen_as(candidate))
        found.append(candidate)
    return found


def seen_as(name: str) -> str:
    """What a reader sees of a name at a glance, equal for names that look alike.

    No invisible characters, wide and styled letters as plain ones, no difference between 0 and o, 1, I and l,
    rn and m, vv and w. Letters of other scripts are told by their code points already.
    """
    plain = unicodedata.normalize("NFKC", text.clean(name)).casefold()
    return plain.translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{text.clean(name, 150)} #{number}" for number in itertools.count(2))


def _by_difference(identities: Sequence[Identity]) -> list[str]:
    by_method: dict[str, list[Identity]] = defaultdict(list)
    for which in identities:
        by_method[which.method].append(which)
    named = {method: _telling(twins) for method, twins in by_method.items()}
    names = []
    for which in identities:
        options, settings = named[which.method]
        parts = [*_shown(which.options, options), *_shown(which.settings, settings)]
        names.append(f"{which.method} ({', '.join(parts)})" if parts else which.method)
    return names


def _telling(twins: Sequence[Identity]) -> tuple[list[str], list[str]]:
    """The options in which rows of one method differ, and as few settings as tell the rest apart."""
    options = _differing([twin.options for twin in twins])
    left = _differing([twin.settings for twin in twins])
    left.sort(key=lambda key: FIRST.index(key) if key in FIRST else len(FIRST))
    settings: list[str] = []

    def told_apart(keys: Sequence[str]) -> int:
        return len({(_shown(twin.options, options), _shown(twin.settings, keys)) for twin in twins})

    def use(key: str) -> tuple[bool, int]:
        """What every row has comes first: a row without it would have a bare name beside the others'."""
        apart = told_apart([*settings, key])
        return apart > told_apart(settings) and all(key in twin.settings for twin in twins), apart

    while left and told_apart([*settings, *left]) > told_apart(settings):
        best = max(left, key=use)  # the first of equals
        settings.append(best)
        left.remove(best)
    return options, settings


def _shown(values: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{key}={_short(values[key])}" for key in keys if key in values)


def _differing(several: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = sorted({key for values in several for key in values})
    first = several[0]
    return [
        key
        for key in keys
        if any((key in values) != (key in first) or values.get(key) != first.get(key) for values in several)
    ]


def _short(value: Any) -> str:
    """An option's value as a person would type it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "+".join(_short(item) for item in value)
    return "none" if value is None else str(value)

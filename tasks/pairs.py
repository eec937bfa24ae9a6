"""The splits of a task whose answers are written: pairs of an input and a target, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets

Pair = tuple[tuple[str, ...], str]
"""The text, or the two texts, of an input, and what is to be written."""


def table(parts: Mapping[str, Iterable[Pair]], columns: int) -> tuple[datasets.Dataset, dict[str, int]]:
    """The splits as one table, and their sizes: pairs in `train`, inputs in the others.

    Args:
        parts: `train` first.
        columns: of texts, one or two.
    """
    import datasets

    rows: list[tuple[tuple[str, ...], str | None, list[str] | None]] = []
    sizes = {}
    for name, pairs in parts.items():
        before = len(rows)
        if name == "train":
            rows += [(texts, target, None) for texts, target in pairs]
        else:
            references: dict[tuple[str, ...], list[str]] = {}
            for texts, target in pairs:
                references.setdefault(texts, []).append(target)
            rows += [(texts, None, several) for texts, several in references.items()]
        sizes[name] = len(rows) - before
    made: dict[str, list] = {
        name: [texts[index] for texts, _, _ in rows]
        for index, name in enumerate(("text", "text_pair")[:columns])
    }
    features = {name: datasets.Value("string") for name in (*made, "target")}
    features["references"] = datasets.List(datasets.Value("string"))
    made |= {"target": [target for _, target, _ in rows], "references": [several for *_, several in rows]}
    return datasets.Dataset.from_dict(made, features=datasets.Features(features)), sizes


def parted(whole: datasets.Dataset, sizes: Mapping[str, int]) -> list[datasets.Dataset]:
    """The splits of one table, in which they come one after another; of pairs, each with its own columns."""
    found: list[datasets.Dataset] = []
    start = 0
    for size in sizes.values():
        one = whole.select(range(start, start + size))
        if "references" in one.column_names:
            one = one.remove_columns("target" if found else "references")
        found.append(one)
        start += size
    return found

"""Three splits that share no text, the same on every machine.

What selects a checkpoint is never what is reported. There is no random number here: everything follows
the sha256 of the text, so the same data gives the same splits whatever the order of its rows, the
platform or the library versions. Texts are compared *normalised*: case-folded, white space collapsed.

Two examples *touch* when they share a key. With the rule "any_text" each of an example's texts is a
key; with "example" the key is all its texts together. Examples that touch, directly or through others,
never end up in different splits:

- hub tasks (`carve_selection`): the official validation set is the report split, complete. Training
  examples that touch it are dropped. The rest falls into connected components, which go whole, in the
  order of their hash, into the selection split until it holds a tenth of the rest, at most 2,000
  examples; one that no longer fits is skipped. What is left is the training split. Exact duplicates
  inside the official training set stay: they are official, and stay together.
- single files (`carve_three`): of examples that touch, the first in hash order stays. In that order the
  first tenth is reported, the next twentieth selects, the rest trains.

A further report split (`apart`) moves nothing of these: what of it touches training or selection is left out.

A tenth is about 60 examples for the smallest GLUE task (WNLI has 635 in training) and 250 or more for the
others. 2,000 bound the cost of selecting, with one standard error of an accuracy near 0.01.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tasks.spec import Example, Overlap

SELECTION_SHARE = 0.10
SELECTION_MAX = 2000
FILE_REPORT_SHARE = 0.10
FILE_SELECTION_SHARE = 0.05

_SEPARATOR = "\x1f"  # ASCII "unit separator": white space to str.split, so in no normalised text


class Splits(NamedTuple):
    """The three splits, each in hash order, and how many training examples were left out."""

    train: list[Example]
    selection: list[Example]
    report: list[Example]
    dropped: int


def normalise(text: str) -> str:
    """The form in which two texts are compared: case-folded, white space collapsed."""
    return " ".join(text.casefold().split())


def digest(texts: Iterable[str]) -> bytes:
    """The sha256 of the normalised texts, which orders examples and components."""
    joined = _SEPARATOR.join(normalise(text) for text in texts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).digest()


def hash_order(examples: Iterable[Example]) -> list[Example]:
    """The examples in the order of their hash; ties by the text as it stands, then by label."""
    return sorted(examples, key=lambda example: (digest(example.texts), example.texts, example.label))


def keys(example: Example, overlap: Overlap) -> tuple[str, ...]:
    """What an example must not share with an example of another split."""
    texts = tuple(normalise(text) for text in example.texts)
    return texts if overlap == "any_text" else (_SEPARATOR.join(texts),)


def carve_selection(
    train: Iterable[Example], report: Iterable[Example], overlap: Overlap = "any_text"
) -> Splits:
    """Keep `report` whole, drop what touches it from `train`, and carve the selection split from the rest."""
    report = hash_order(report)
    train = hash_order(train)
    reported = {key for example in report for key in keys(example, overlap)}
    kept = [example for example in train if reported.isdisjoint(keys(example, overlap))]
    room = min(SELECTION_MAX, max(1, round(SELECTION_SHARE * len(kept))))
    chosen: set[int] = set()
    for component in _components([keys(example, overlap) for example in kept]):
        if len(component) <= room - len(chosen):
            chosen.update(component)
        if len(chosen) == room:
            break
    return Splits(
        train=[example for index, example in enumerate(kept) if index not in chosen],
        selection=[kept[index] for index in sorted(chosen)],
        report=report,
        dropped=len(train) - len(kept),
    )


def carve_three(examples: Iterable[Example], overlap: Overlap = "any_text") -> Splits:
    """Carve all three splits from one set of examples, after leaving out those that touch an earlier one."""
    ordered = hash_order(examples)
    seen: set[str] = set()
    unique: list[Example] = []
    for example in ordered:
        own = keys(example, overlap)
        if seen.isdisjoint(own):
            unique.append(example)
            seen.update(own)
    report_end = round(FILE_REPORT_SHARE * len(unique))
    selection_end = report_end + round(FILE_SELECTION_SHARE * len(unique))
    return Splits(
        train=unique[selection_end:],
        selection=unique[report_end:selection_end],
        report=unique[:report_end],
        dropped=len(ordered) - len(unique),
    )


def apart(
    rows: Iterable[Example], splits: Splits, overlap: Overlap = "any_text"
) -> tuple[list[Example], int]:
    """A further report split without what touches training or selection, and how many examples that are."""
    ordered = hash_order(rows)
    used = {key for part in (splits.train, splits.selection) for one in part for key in keys(one, overlap)}
    kept = [example for example in ordered if used.isdisjoint(keys(example, overlap))]
    return kept, len(ordered) - len(kept)


def _components(keys_of: Sequence[tuple[str, ...]]) -> list[list[int]]:
    """Groups of indices joined by shared keys, in the order of the smallest hash among their keys."""
    if not keys_of:
        return []
    # scipy is imported here so that listing tasks does not pay for it.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = {key: index for index, key in enumerate(dict.fromkeys(k for own in keys_of for k in own))}
    rows = [index for index, own in enumerate(keys_of) for _ in own]
    columns = [len(keys_of) + number[key] for own in keys_of for key in own]
    size = len(keys_of) + len(number)
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    _, label_of = connected_components(graph.tocsr(), directed=False)

    members: dict[int, list[int]] = {}
    for index in range(len(keys_of)):
        members.setdefault(int(label_of[index]), []).append(index)
    smallest: dict[int, bytes] = {}
    for key, index in number.items():
        component, key_hash = int(label_of[len(keys_of) + index]), digest((key,))
        smallest[component] = min(smallest.get(component, key_hash), key_hash)
    return [members[component] for component in sorted(members, key=lambda c: smallest[c])]

"""Splits of data of one's own: no text in two of them, the same whatever the order of the rows.

What is done is that of `tasks/splits.py`, in arrays, so that a million rows take seconds: texts are compared
normalised, and every one is known by 128 bits of its sha256. Examples that share a text, directly or through
others, are a *group* (with the rule "example" only those with all texts the same).

- Where train and report are given, report stays whole, then selection, if it is given; training examples that
  share a text with either are left out, and of the selection those that share one with the report. Without a
  selection split, groups of the training rows make one: a tenth of every label's, at most 2,000.
- One file is split by groups: of every label's rows a fifth is reported on and a tenth selects. Which groups
  are taken is decided by their hash and the seed.

Of a further report split, what shares a text with the training or the selection rows is left out.

A group goes where the label of its first example sends it. A label with fewer than three rows trains alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.spec import DataError, Overlap
from tasks.splits import SELECTION_MAX, SELECTION_SHARE, digest, normalise

REPORT_SHARE = 0.2
"""Of one file, what is reported on."""

Keys = np.ndarray
"""(rows, 2): 128 bits of the hash of a normalised text."""


@dataclass
class Part:
    """Rows of one part: their texts, one column or two, their labels, and keys."""

    texts: list[pa.ChunkedArray]
    labels: np.ndarray
    keys: list[Keys]
    """Of every text, or of all texts together."""
    whole: Keys
    """Of all texts together, which orders the rows."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Part:
        """Some of the rows, in the order given."""
        index = pa.array(rows)
        texts = [text.take(index) for text in self.texts]
        return Part(texts, self.labels[rows], [one[rows] for one in self.keys], self.whole[rows])


def part(
    texts: list[pa.ChunkedArray], labels: np.ndarray, overlap: Overlap, keyed: int | None = None
) -> Part:
    """Rows with their keys; only the first texts have any, if it is said how many."""
    keys = [_keys([text]) for text in texts[:keyed]]
    whole = keys[0] if len(keys) == 1 else _keys(texts[:keyed])
    return Part(texts, labels, [whole] if overlap == "example" else keys, whole)


def ordered(one: Part) -> Part:
    """The rows in the order of their hash; of equal ones, by label and then by the text as it stands."""
    order = np.lexsort((one.labels, one.whole[:, 1], one.whole[:, 0]))
    first, second, labels = one.whole[order, 0], one.whole[order, 1], one.labels[order]
    same = (first[1:] == first[:-1]) & (second[1:] == second[:-1]) & (labels[1:] == labels[:-1])
    for start, end in _runs(same):
        rows = order[start:end].tolist()
        rows.sort(key=lambda row: [text[row].as_py() for text in one.texts])
        order[start:end] = rows
    return one.take(order)


def touches(one: Part, others: Sequence[Part]) -> np.ndarray:
    """Which rows of a part share a key with any row of other parts."""
    found = np.zeros(len(one), bool)
    taken = [keys for other in others for keys in other.keys]
    if not taken:
        return found
    there = np.concatenate(taken)
    for keys in one.keys:
        numbers = _numbered([there, keys])
        found |= np.isin(numbers[len(there) :], numbers[: len(there)])
    return found


def given(
    train: Part, selection: Part | None, report: Part, labels: int
) -> tuple[dict[str, Part], dict[str, int]]:
    """The splits of parts that were given, and how many rows of train and selection were left out."""
    out = {"train": 0, "selection": 0}
    if selection is not None:
        kept = ~touches(selection, [report])
        out["selection"] = len(selection) - int(kept.sum())
        selection = selection.take(np.flatnonzero(kept))
    others = [report] if selection is None else [report, selection]
    kept = ~touches(train, others)
    out["train"] = len(train) - int(kept.sum())
    train = train.take(np.flatnonzero(kept))
    if selection is None:
        share = min(SELECTION_SHARE, SELECTION_MAX / max(len(train), 1))
        chosen = _groups_of(train, labels, [share], seed=0)
        selection, train = train.take(np.flatnonzero(chosen == 0)), train.take(np.flatnonzero(chosen < 0))
    return {"train": train, "selection": selection, "report": report}, out


@dataclass
class Apart:
    """A further report split: its rows in order, and which rows were left out."""

    part: Part
    left_out: np.ndarray


def further(parts: dict[str, Part], made: dict[str, Part]) -> dict[str, Apart]:
    """Further report splits without what shares a text with the training or the selection rows.

    Args:
        parts: by name; left empty.
        made: the three splits.
    """
    found = {}
    for name in list(parts):
        one = parts.pop(name)
        out = touches(one, [made["train"], made["selection"]])
        found[name] = Apart(ordered(one.take(np.flatnonzero(~out))), np.flatnonzero(out))
    return found


def of_one_file(whole: Part, labels: int, seed: int) -> dict[str, Part]:
    """The splits of one file."""
    chosen = _groups_of(whole, labels, [REPORT_SHARE, SELECTION_SHARE], seed)
    return {
        name: whole.take(np.flatnonzero(chosen == number))
        for name, number in (("train", -1), ("selection", 1), ("report", 0))
    }


def carved(parts: dict[str, Part], labels: int, seed: int) -> tuple[dict[str, Part], int]:
    """The splits of parts as they were given, or of one file, each in order; the parts are used up.

    Args:
        parts: `file`, or `train`, `report` and perhaps `selection`; left empty.
        labels: how many there are; 0 splits without looking at them.
        seed: of one file.

    Returns:
        The splits, and how many training rows were left out.
    """
    if "file" in parts:
        made, out = of_one_file(parts.pop("file"), labels, seed), 0
    else:
        made, left = given(parts.pop("train"), parts.pop("selection", None), parts.pop("report"), labels)
        out = left["train"]
    for name in made:
        made[name] = ordered(made[name])
    return made, out


def content_hash(parts: dict[str, Part]) -> str:
    """The sha256 of the splits: names, sizes, texts, their lengths and labels, in order, and nothing else."""
    total = hashlib.sha256()
    for name, one in parts.items():
        total.update(f"{name}:{len(one)}:{len(one.texts)}\n".encode())
        for text in one.texts:
            lengths = hashlib.sha256()
            for chunk in text.chunks:
                offsets = np.frombuffer(chunk.buffers()[1], "<i8")[
                    chunk.offset : chunk.offset + len(chunk) + 1
                ]
                lengths.update(np.diff(offsets).astype("<i8").tobytes())
                total.update(memoryview(chunk.buffers()[2] or b"")[offsets[0] : offsets[-1]])
            total.update(lengths.digest())
        total.update(one.labels.astype("<f8" if one.labels.dtype.kind == "f" else "<i8").tobytes())
    return total.hexdigest()


def _keys(texts: Sequence[pa.ChunkedArray]) -> Keys:
    """The keys of rows, by their texts together."""
    made = bytearray()
    for batch in pa.table([*texts], names=[str(i) for i in range(len(texts))]).to_batches(50_000):
        columns: list[Any] = [column.to_pylist() for column in batch.columns]
        if len(columns) == 1:
            for text in columns[0]:
                made += hashlib.sha256(normalise(text).encode()).digest()[:16]
        else:
            for pair in zip(*columns, strict=True):
                made += digest(pair)[:16]
    return np.frombuffer(bytes(made), ">u8").astype(np.uint64).reshape(-1, 2)


def _numbered(keys: Sequence[Keys]) -> np.ndarray:
    """Keys as numbers from 0: equal ones have the same, in the order of the keys."""
    every = np.concatenate(keys)
    order = np.lexsort((every[:, 1], every[:, 0]))
    sorted_ = every[order]
    new = np.r_[False, (sorted_[1:] != sorted_[:-1]).any(axis=1)]
    numbers = np.empty(len(every), np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def _groups_of(one: Part, labels: int, shares: Sequence[float], seed: int) -> np.ndarray:
    """For each row which of the shares takes it, or -1: whole groups, label by label."""
    group = _groups(one)
    count = int(group.max(initial=-1)) + 1
    order = np.lexsort((one.labels, one.whole[:, 1], one.whole[:, 0]))
    first = np.empty(count, np.int64)
    first[group[order][::-1]] = order[::-1]  # the row of the smallest key of every group
    kind = one.labels[first] if labels else np.zeros(count, np.int64)
    sizes = np.bincount(group, minlength=count)
    mixed = _mixed(one.whole[first, 0], seed)
    rows = np.bincount(kind, weights=sizes, minlength=max(labels, 1)).astype(int)
    left = [[_quota(share, int(total), place) for place, share in enumerate(shares)] for total in rows]
    chosen = np.full(count, -1)
    by_place = np.lexsort((one.whole[first, 1], mixed)).tolist()
    kinds, sizes_ = kind.tolist(), sizes.tolist()
    for number in by_place:
        room = left[kinds[number]]
        for place, free in enumerate(room):
            if sizes_[number] <= free:
                room[place] -= sizes_[number]
                chosen[number] = place
                break
    return chosen[group]


def _quota(share: float, rows: int, place: int) -> int:
    """The rows of a label that a share takes; a label that is rare gives one to each as far as it can."""
    return max(round(share * rows), 1 if rows >= 3 + 2 * place and share * rows > 0.2 else 0)


def _groups(one: Part) -> np.ndarray:
    """The number of the group of each row."""
    numbers = _numbered(one.keys).reshape(len(one.keys), len(one))
    if len(numbers) == 1:
        return numbers[0]
    # scipy is imported here so that a single column does not pay for it.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = int(numbers.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(one), np.int8), (numbers[0], numbers[1])), shape=(size, size))
    _, component = connected_components(graph.tocsr(), directed=False)
    found: np.ndarray = np.unique(component[numbers[0]], return_inverse=True)[1]
    return found


def _mixed(keys: np.ndarray, seed: int) -> np.ndarray:
    """Keys in another order for every seed (the finaliser of splitmix64; Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = keys + np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found: np.ndarray = x ^ (x >> np.uint64(31))
    return found


def _runs(same: np.ndarray) -> list[tuple[int, int]]:
    """Where rows are equal to the one before: starts and ends."""
    edges = np.diff(np.r_[0, same.astype(np.int8), 0])
    return list(
        zip(np.flatnonzero(edges == 1).tolist(), (np.flatnonzero(edges == -1) + 1).tolist(), strict=True)
    )


def check(task: str, parts: dict[str, Part], overlap: Overlap) -> None:
    """Every split must have something in it.

    Raises:
        DataError: one is empty.
    """
    for name, one in parts.items():
        if not len(one):
            hint = "; give more rows"
            if overlap == "any_text" and len(one.texts) == 2:
                hint += ", or `overlap: example` where pairs share a text by design"
            raise DataError(f"task {task!r}: no row is left for {name}{hint}")

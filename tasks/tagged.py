"""Sentences whose words have labels, from rows to splits: each fault a DataError."""

from __future__ import annotations

import hashlib
import numbers
import struct
from collections.abc import Iterable, Sequence
from typing import Any

import datasets
import numpy as np

from tasks import bio
from tasks.spec import DataError, Example, TaskSpec

_LISTS = (list, tuple, np.ndarray)


def examples(spec: TaskSpec, words: Sequence[Any], tags: Sequence[Any], split: str) -> list[Example]:
    """The rows of an official split, checked against the declaration."""
    where = f"task {spec.name!r}: row {{}} of the split {split!r}"
    pairs = zip(words, tags, strict=True)
    return [example(spec, *pair, where.format(row)) for row, pair in enumerate(pairs)]


def example(spec: TaskSpec, words: Any, tags: Any, where: str) -> Example:
    """A sentence: its words, and the number of the label of each.

    Args:
        spec: the task.
        words: of the sentence.
        tags: the label of each, as its number or as the task calls it.
        where: what a fault begins with.

    Raises:
        DataError: there are no words, not as many labels, or they are none of the task's, or not in IOB2.
    """
    column, labelled = spec.text_columns[0], spec.label_column
    words, tags = (list(one) if isinstance(one, _LISTS) else one for one in (words, tags))
    if not isinstance(words, list) or not words:
        raise DataError(f"{where} has {words!r:.40} in {column}, expected a list of words")
    if not isinstance(tags, list) or len(tags) != len(words):
        told = f"{len(tags)} tags" if isinstance(tags, list) else f"{tags!r:.40}"
        raise DataError(f"{where} has {told} in {labelled}, expected one for each of its {len(words)} words")
    for place, word in enumerate(words, 1):
        if not isinstance(word, str) or not word.strip():
            raise DataError(f"{where} has {word!r:.40} as word {place}, expected a text that is not empty")
    found = tuple(_number(spec, tag, f"{where} has, for word {place},") for place, tag in enumerate(tags, 1))
    names = [spec.labels[number] for number in found]
    if (loose := bio.dangling(names)) is not None:
        raise DataError(
            f"{where} has the tag {names[loose]!r} for word {loose + 1}, where no span of that type is to go "
            f"on: expected IOB2, in which 'B{names[loose][1:]}' begins one"
        )
    return Example(tuple(words), found)


def _number(spec: TaskSpec, tag: Any, where: str) -> int:
    if isinstance(tag, str) and tag in spec.labels:
        return spec.labels.index(tag)
    whole = isinstance(tag, numbers.Integral) and not isinstance(tag, bool)
    if whole and 0 <= (number := int(tag)) < spec.num_labels:
        return number
    raise DataError(
        f"{where} the tag {tag!r:.40}, expected 0 to {spec.num_labels - 1} or one of {', '.join(spec.labels)}"
    )


def dataset(sentences: Iterable[tuple[Sequence[str], Any]]) -> datasets.Dataset:
    """Words and label numbers as a table."""
    rows = list(sentences)
    columns = {"words": [list(words) for words, _ in rows], "tags": [list(tags) for _, tags in rows]}
    kinds = {"words": datasets.Value("string"), "tags": datasets.Value("int64")}
    features = datasets.Features({name: datasets.List(kind) for name, kind in kinds.items()})
    return datasets.Dataset.from_dict(columns, features=features)


def content_hash(parts: dict[str, list[Example]]) -> str:
    """The sha256 of the splits: name, size, and the words and label numbers of each sentence, in order.

    How many words there are stands in front of them, and the bytes of each in front of it.
    """
    total = hashlib.sha256()
    for name, sentences in parts.items():
        total.update(f"{name}:{len(sentences)}\n".encode())
        for words, tags in sentences:
            total.update(struct.pack("<q", len(words)))
            for word in words:
                encoded = word.encode("utf-8", "surrogatepass")
                total.update(struct.pack("<q", len(encoded)) + encoded)
            total.update(struct.pack(f"<{len(words)}q", *tags))  # type: ignore[misc]
    return total.hexdigest()

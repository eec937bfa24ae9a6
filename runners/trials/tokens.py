"""A split as tokens, in flat arrays: of a large split they lie in a file that is mapped into memory.

Tokens are made once for the content of a split, a tokenizer and a length, and kept (`tasks/cache.py`). The
next start, and every other process, maps them: no text is read, and no row is an object of Python until
someone asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tokenizers
import transformers
from datasets import Dataset
from transformers import BatchEncoding, PreTrainedTokenizerBase

from tasks import cache
from tasks.reading import quiet

_AT_ONCE = 1_000  # texts, so that only so many are objects of Python
_KINDS = {"token_type_ids": pa.int8(), "attention_mask": pa.int8()}  # of whatever else 32 bits


@dataclass(frozen=True, eq=False)
class Words:
    """The labels of the words of rows, read or not."""

    tags: np.ndarray
    """Their numbers, int64, row after row."""
    read: np.ndarray
    """Whether the model reads the word, bool."""
    starts: np.ndarray
    """Where each row begins in them."""
    lengths: np.ndarray
    """Words per row."""

    @classmethod
    def of(cls, tags: Sequence[Sequence[int]], read: Sequence[np.ndarray]) -> Words:
        """From the words of each row."""
        lengths = np.array([len(row) for row in tags])
        numbers = np.fromiter(chain.from_iterable(tags), np.int64)
        return cls(numbers, np.concatenate(read), np.cumsum(lengths) - lengths, lengths)

    def __getitem__(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The labels of a row's words, and whether each is read."""
        part = slice(self.starts[row], self.starts[row] + self.lengths[row])
        return self.tags[part], self.read[part]

    def part(self, kept: np.ndarray) -> Words:
        """Those of some of the rows, in the order given."""
        return Words(self.tags, self.read, self.starts[kept], self.lengths[kept])


@dataclass(frozen=True, eq=False)
class Encoded:
    """One split as tokens, or some rows of it."""

    columns: Mapping[str, np.ndarray]
    """What the model reads, by name: the values of all rows of the split in one array. Where tokens have
    labels of their own, these are the column `labels`."""
    starts: np.ndarray
    """Where each row begins in them."""
    lengths: np.ndarray
    """Tokens per row."""
    cut: np.ndarray
    """Whether a row's text was longer than what is read of it."""
    targets: np.ndarray
    """Labels as the model is trained on them: int64, or float32 in a regression. Where tokens have their own,
    how many of a row's have one."""
    words: Words | None = None
    """Where words are labelled, those of the rows."""

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """One row as lists; its label is `labels`."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        part = slice(self.starts[index], self.starts[index] + self.lengths[index])
        row = {name: values[part].tolist() for name, values in self.columns.items()}
        return {"labels": self.targets[index].item()} | row

    def __getitems__(self, indices: list[int]) -> Rows:
        """Some rows for a batch: this is what a loader asks for."""
        return Rows(self, np.asarray(indices, np.int64))

    def labels(self) -> np.ndarray:
        """Labels in row order: int64, or float64 in a regression."""
        return self.targets.astype(np.float64 if self.targets.dtype.kind == "f" else np.int64)

    def part(self, chosen: Iterable[int]) -> Encoded:
        """Some of the rows, in the order given."""
        kept = np.fromiter(chosen, np.int64)
        rows = (self.starts[kept], self.lengths[kept], self.cut[kept], self.targets[kept])
        return Encoded(self.columns, *rows, None if self.words is None else self.words.part(kept))

    @property
    def tagged(self) -> Words:
        """The words of the rows, where these are labelled."""
        assert self.words is not None
        return self.words


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a split, on their way into a batch."""

    split: Encoded
    indices: np.ndarray
    """Which rows of the split they are."""

    def __len__(self) -> int:
        return len(self.indices)

    def labels(self) -> np.ndarray:
        """Their labels as the model is trained on them."""
        return self.split.targets[self.indices]

    def padded(self, fill: Mapping[str, int], side: str) -> dict[str, np.ndarray]:
        """Every column (rows x length of the longest, int64).

        Args:
            fill: by column, what it is padded with.
            side: where padding stands, ``left`` or ``right``.
        """
        lengths, starts = self.split.lengths[self.indices], self.split.starts[self.indices]
        width, ends = int(lengths.max()), np.cumsum(lengths)
        places = np.arange(width)
        first = (width - lengths if side == "left" else np.zeros_like(lengths))[:, None]
        real = (places >= first) & (places < first + lengths[:, None])
        # Where the values of these rows lie, one row after the other.
        source = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
        made = {}
        for name, values in self.split.columns.items():
            made[name] = np.full(real.shape, fill[name], np.int64)
            made[name][real] = values[source]
        return made


def identity(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The hash of all that decides what a tokenizer makes of a text; None if that cannot be told.

    A fast tokenizer can be written down. One in Python is a program, of which nothing is known.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    # Both are state of the last call and set anew in each: left in, every call would make another tokenizer.
    backend.no_truncation()
    backend.no_padding()
    settings = {name: repr(value) for name, value in tokenizer.init_kwargs.items() if name != "name_or_path"}
    if any(" at 0x" in value for value in settings.values()):
        return None  # an object that is another in every process
    read = (tokenizer.model_input_names, tokenizer.truncation_side, tokenizer.split_special_tokens)
    ends = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    kind = f"{type(tokenizer).__module__}.{type(tokenizer).__qualname__}"
    versions = (transformers.__version__, tokenizers.__version__)
    return cache.key(kind, versions, read, ends, sorted(settings.items()), backend.to_str())


def encoded(
    rows: Dataset,
    content: tuple[str, ...],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    known: str | None,
) -> Encoded:
    """Tokenize a split, cutting inputs (the longer text of a pair first) to ``max_length`` tokens.

    A text without tokens, which is none to a model, becomes the token that ends a text.

    Args:
        rows: the split.
        content: tells this split's content from all others; the first of it is a name for people.
        tokenizer: makes tokens of texts.
        max_length: of a row.
        known: the tokenizer's :func:`identity`.
    """
    texts = [name for name in ("text", "text_pair") if name in rows.column_names]

    def tokens(some: pa.Table) -> pa.Table:
        return _tokens(tokenizer, [some[name].to_pylist() for name in texts], some["label"], max_length)

    def make() -> cache.Kept:
        with quiet():
            made = rows.with_format("arrow").map(
                tokens,
                batched=True,
                batch_size=_AT_ONCE,
                remove_columns=rows.column_names,
                keep_in_memory=True,
                new_fingerprint=of or "unknown",
            )
        return cache.Kept(made)

    code = cache.code(Path(__file__))
    of = known and cache.key(content, texts, max_length, known, pa.__version__, code)
    kept = cache.kept(f"{content[0]}-tokens", of, make, worth=rows.data.nbytes >= cache.KEPT_FROM)
    return _flat(kept.table)


def _tokens(
    tokenizer: PreTrainedTokenizerBase, texts: list[list[str]], labels: pa.ChunkedArray, max_length: int
) -> pa.Table:
    """Some rows as tokens: a list in every column, with their labels and whether they were cut."""
    found = tokenizer(*texts, truncation=True, max_length=max_length)
    names = [name for name in tokenizer.model_input_names if name in found]
    ending = tokenizer.pad_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    nothing = {"input_ids": ending, "attention_mask": 1}
    cut = _cut(tokenizer, texts, found, np.array([len(ids) for ids in found["input_ids"]]))
    columns: dict[str, Any] = {}
    for name in names:
        lists = [values or [nothing.get(name, 0)] for values in found[name]]
        if [len(values) for values in lists] != [len(ids) or 1 for ids in found["input_ids"]]:
            raise ValueError(f"the tokenizer gives another number of {name} than of tokens")
        values = pa.array(np.fromiter(chain.from_iterable(lists), np.int64))
        offsets = np.cumsum([0, *map(len, lists)])
        columns[name] = pa.LargeListArray.from_arrays(offsets, values.cast(_KINDS.get(name, pa.int32())))
    return pa.table({**columns, "labels": labels, "cut": cut})


def _cut(
    tokenizer: PreTrainedTokenizerBase, texts: list[list[str]], found: BatchEncoding, lengths: np.ndarray
) -> np.ndarray:
    """Which rows lost tokens: those with an overflow, which a fast tokenizer keeps.

    Of any other, a row may have lost some if it is as long as the longest: it is read again in full.
    """
    if found.encodings is not None:
        return np.array([bool(encoding.overflowing) for encoding in found.encodings])
    full = np.flatnonzero(lengths == lengths.max())
    again = tokenizer(*([column[i] for i in full] for column in texts), verbose=False)["input_ids"]
    cut = np.zeros(len(lengths), bool)
    cut[full] = [len(ids) > lengths.max() for ids in again]
    return cut


def _flat(table: Dataset) -> Encoded:
    """The columns of a table of tokens, of which those of a kept one stay where they are."""
    found: pa.Table = table.with_format("arrow")[:].combine_chunks()
    columns = {name: found[name].chunk(0) for name in found.column_names}
    labels, cut = columns.pop("labels"), columns.pop("cut")
    offsets = columns["input_ids"].offsets.to_numpy()
    return Encoded(
        columns={name: lists.values.to_numpy() for name, lists in columns.items()},
        starts=offsets[:-1],
        lengths=np.diff(offsets),
        cut=cut.to_numpy(zero_copy_only=False),
        targets=labels.to_numpy(),
    )

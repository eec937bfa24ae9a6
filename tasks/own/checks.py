"""What is wrong with data of one's own, which ends it, and what is worth a word, which is said once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.own.carving import Part, touches
from tasks.own.declaration import IMBALANCED, listing
from tasks.own.labels import NUMBER, Labelled
from tasks.own.tables import Table
from tasks.spec import DataError, FileSource

RARE: Final = 5
"""Training rows of a label, below which it can hardly be learned."""
WIDE: Final = 30
"""How far the labels of a regression vary, above which, and below whose inverse, it is said."""
LARGE_LOSS: Final = 0.5
"""Of the training rows: where more are left out, the parts are hardly two."""

_TOLD: Final = 3


def check_texts(task: str, source: FileSource, table: Table) -> None:
    """Every text must be there, and be a text.

    Raises:
        DataError: one is not; one sentence.
    """
    for name in source.text:
        column = table.columns[name]
        if not pa.types.is_large_string(column.type):
            raise DataError(
                f"task {task!r}: the column {name!r} of {table.called} holds numbers ({column.type}), "
                "expected texts; name another column as text"
            )
        if column.null_count:
            rows = np.flatnonzero(column.is_null().to_numpy())
            raise DataError(
                f"task {task!r}: {table.rows(rows)} {_has(rows)} no text in {name!r}; fill it in, or take "
                f"{'the row' if len(rows) == 1 else 'the rows'} out"
            )
        if pc.all(pc.equal(pc.utf8_trim_whitespace(column), "")).as_py():
            raise DataError(f"task {task!r}: every {name!r} of {table.called} is empty; name another column")


def of_texts(source: FileSource, tables: Mapping[str, Table]) -> Iterator[str]:
    """What is odd about the texts."""
    for table in tables.values():
        yield from table.notes
        for name in source.text:
            column = table.columns[name]
            trimmed = pc.utf8_trim_whitespace(column)
            empty = np.flatnonzero(pc.equal(trimmed, "").to_numpy())
            if len(empty):
                yield f"{table.rows(empty)} {_has(empty)} an empty {name!r}, and {_is(empty)} kept."
            if pc.all(pc.match_substring_regex(trimmed, r"^[+-]?[0-9]+([.,][0-9]+)?$")).as_py():
                yield f"Every {name!r} of {table.called} is a number: is it the right column?"


def of_labels(found: Labelled, tables: Mapping[str, Table]) -> Iterator[str]:
    """What is odd about the labels, part by part."""
    if found.problem == "regression":
        part, values = next(iter(found.values.items()))
        spread = float(np.std(values.astype(np.float64)))
        if not 1 / WIDE < spread < WIDE:
            yield (
                f"The labels of {tables[part].called} vary by {spread:.2g} around their mean, and learning "
                "rates are made for labels that vary by about 1: scale them."
            )
        return
    yield from alike(found.names)
    names = np.array(found.names, dtype=object)
    counts = {part: np.bincount(values, minlength=len(names)) for part, values in found.values.items()}
    first, *others = counts
    for part in others:
        if (counts[part] > 0).sum() == 1:
            yield f"Every row of {tables[part].called} has the label {names[counts[part].argmax()]!r}."
        alone = np.flatnonzero((counts[part] > 0) & (counts[first] == 0))
        if len(alone):
            rows = np.flatnonzero(np.isin(found.values[part], alone))
            yield (
                f"{tables[part].rows(rows)} {_has(rows)} {_few(names[alone])}, which no training row has: "
                "answers there are always wrong."
            )
    nowhere = np.flatnonzero(sum(counts.values()) == 0)
    if len(nowhere):
        yield f"No row has {_few(names[nowhere])}."
    rare = np.flatnonzero((counts[first] > 0) & (counts[first] < RARE))
    if len(rare):
        yield f"Fewer than {RARE} training rows have {_few(names[rare])}."
    share = counts[first].max() / max(counts[first].sum(), 1)
    if share > IMBALANCED:
        yield (
            f"{share:.0%} of the training rows have the label {names[counts[first].argmax()]!r}: to answer "
            "nothing else is right as often."
        )


def alike(names: Sequence[str]) -> Iterator[str]:
    """Labels that are one to a reader."""
    ways: tuple[tuple[Callable[[str], object], str], ...] = (
        (lambda name: " ".join(name.casefold().split()), "differ in case or white space alone"),
        (lambda name: float(name) if re.match(NUMBER, name.strip()) else name, "are one number"),
        (lambda name: unicodedata.normalize("NFKC", name), "look alike: they differ in their Unicode signs"),
    )
    told: set[tuple[str, ...]] = set()
    for way, what in ways:
        folded: dict[object, list[str]] = {}
        for name in names:
            folded.setdefault(way(name), []).append(name)
        for some in map(tuple, folded.values()):
            if len(some) > 1 and some not in told:
                told.add(some)
                yield f"The labels {listing(map(repr, some))} {what}."
    if names and all(re.match(r"^[+-]?[0-9]+,[0-9]+$", name) for name in names):
        yield f"The labels, such as {names[0]!r}, are numbers with a decimal comma, and are read as texts."


def of_repeats(
    task: str, parts: Mapping[str, Part], tables: Mapping[str, Table], names: tuple[str, ...]
) -> Iterator[str]:
    """Texts that are in two parts, or in one part with several labels.

    Raises:
        DataError: the report holds all of the training texts.
    """
    if "report" in parts:
        for part in [name for name in ("train", "selection") if name in parts]:
            others = [name for name in ("report", "selection") if name in parts and name != part]
            others = others if part == "train" else ["report"]
            twice = np.flatnonzero(touches(parts[part], [parts[name] for name in others]))
            if not len(twice):
                continue
            table, where = tables[part], listing(tables[name].called for name in others)
            if len(twice) == len(parts[part]):
                raise DataError(
                    f"task {task!r}: every text of {table.called} is in {where} as well, so that nothing is "
                    f"left to {'train on' if part == 'train' else 'select by'}; give one `file:` to have it "
                    "split, or files that share no text"
                )
            share = len(twice) / len(parts[part])
            much = f", {share:.0%} of them" if share > LARGE_LOSS else ""
            yield (
                f"{table.rows(twice)} {_is(twice)} left out{much}: {where} "
                f"{'has' if len(others) == 1 else 'have'} the same {'text' if len(twice) == 1 else 'texts'}."
            )
    first = next(iter(parts))
    yield from _contradictions(parts[first], tables[first], names)


def of_further(task: str, name: str, out: np.ndarray, table: Table) -> Iterator[str]:
    """Rows of a further report split that are left out, since training or selection have their texts.

    Raises:
        DataError: none is kept.
    """
    if len(out) == len(table):
        raise DataError(
            f"task {task!r}: every text of {table.called} is in the training rows or the selection as well, "
            f"so that nothing is left to report on as {name!r}; give rows that nothing is trained on"
        )
    if len(out):
        yield (
            f"{table.rows(out)} {_is(out)} left out of {name!r}: the training rows or the selection have the "
            f"same {'text' if len(out) == 1 else 'texts'}."
        )


def _contradictions(one: Part, table: Table, names: tuple[str, ...]) -> Iterator[str]:
    """Equal examples with several labels."""
    if not names:
        return
    order = np.lexsort((one.labels, one.whole[:, 1], one.whole[:, 0]))
    keys, labels = one.whole[order], one.labels[order]
    wrong = np.flatnonzero((keys[1:] == keys[:-1]).all(axis=1) & (labels[1:] != labels[:-1]))
    if len(wrong):
        rows = np.sort(order[wrong[0] : wrong[0] + 2])
        more = f", and so have {len(wrong) - 1:,} more pairs of rows" if len(wrong) > 1 else ""
        told = listing(repr(names[one.labels[row]]) for row in rows)
        yield f"{table.rows(rows)} have one text and the labels {told}{more}."


def _few(names: np.ndarray) -> str:
    told = listing(map(repr, names[:_TOLD]))
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return f"the label{'s' if len(names) > 1 else ''} {told}{more}"


def _is(rows: np.ndarray) -> str:
    return "is" if len(rows) == 1 else "are"


def _has(rows: np.ndarray) -> str:
    return "has" if len(rows) == 1 else "have"

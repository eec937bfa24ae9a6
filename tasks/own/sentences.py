"""Sentences whose words have tags, from columns of lists: checked, brought to IOB2, and numbered.

Carving works on texts: a sentence is its words behind one another with a sign between them that no word has,
and so are its tags. Tags of IOB1, as in CoNLL-2003's own files, are read as IOB2; what is neither is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import datasets
import numpy as np
import pyarrow as pa

from tasks import bio, further, tagged
from tasks.cache import Kept
from tasks.own import carving, checks
from tasks.own.carving import Part
from tasks.own.declaration import Own, default_metrics, listing, nearest, problem_of
from tasks.own.tables import Table, all_names
from tasks.spec import DataError, FileSource

BETWEEN: Final = "\x1f"
"""Stands between words, and between tags."""

_TOLD: Final = 3


def are(source: FileSource, tables: Mapping[str, Table]) -> bool:
    """Whether words are labelled: the columns hold lists, or it is stated."""
    if "token_classification" in (source.problem, problem_of(source.metrics)):
        return True
    return any(pa.types.is_large_list(column.type) for t in tables.values() for column in t.columns.values())


def made(task: str, source: FileSource, tables: Mapping[str, Table], told: str) -> Kept:
    """Checked and split.

    Args:
        task: its name.
        source: what is said of it.
        tables: by part, with the columns of words and tags.
        told: what records call the data.

    Raises:
        DataError: words or tags are missing, the tags are none of IOB2 or IOB1, or a split is left without a
            sentence.
    """
    names, how, parts, notes = _read(task, source, tables)
    notes += checks.of_repeats(task, parts, tables, ())
    split, out = carving.carved(parts, 0, source.seed)
    carving.check(task, split, "example")
    others = carving.further(parts, split)
    for name, apart in others.items():
        notes += checks.of_further(task, name, apart.left_out, tables[name])
    own = Own(
        text=source.text,
        label=source.label,
        problem="token_classification",
        labels=names,
        metrics=source.metrics or default_metrics("token_classification", 0.0),
        sha256=carving.content_hash(split),
        further={name: carving.content_hash({name: one.part}) for name, one in others.items()} or None,
    )
    first, *rest = own.metrics
    beside = f", {listing(rest)} beside" if rest else ""
    why = "as stated" if source.metrics else "by default"
    shown = listing(names) if len(names) <= 5 else f"{', '.join(names[:3])} ... {names[-1]}"
    notes.insert(
        0, f"{task}: words have {len(names)} labels, {how}: {shown}; ranked by {first}{beside}, {why}."
    )
    facts = {
        "sizes": {name: len(one) for name, one in split.items()},
        "dropped_train_examples": out,
        "sha256": own.sha256,
        "source": told,
        "further": {
            name: further.told(len(one.part), len(one.left_out), sha256)
            for (name, one), sha256 in zip(others.items(), (own.further or {}).values(), strict=True)
        },
        "own": own.model_dump(mode="json"),
        "notes": notes,
    }
    return Kept(_dataset({**split, **{name: one.part for name, one in others.items()}}), facts)


def _read(
    task: str, source: FileSource, tables: Mapping[str, Table]
) -> tuple[tuple[str, ...], str, dict[str, Part], list[str]]:
    """The labels, what decides their order, the parts with words and numbers of tags as texts, and notes."""
    stated = source.problem or problem_of(source.metrics)
    if stated not in (None, "token_classification"):
        raise DataError(
            f"task {task!r} is a {stated}, as stated, and its columns hold lists: expected a text and a "
            "label in every row, or a token_classification"
        )
    if source.template is not None:
        raise DataError(f"task {task!r} has a template, and labels of words are not written: leave it out")
    if len(source.text) > 1:
        raise DataError(f"task {task!r}: text names {listing(source.text)}, expected one column of words")
    found = {part: _checked(task, source, table) for part, table in tables.items()}
    notes = [note for table in tables.values() for note in table.notes]
    for part, (words, tags) in found.items():
        if (in_iob2 := _in_iob2(task, tables[part], tags)) is not tags:
            found[part] = words, in_iob2
            notes.append(f"The tags of {tables[part].called} are IOB1, and are read as IOB2.")
    names, how = _names(task, source, tables, {part: tags for part, (_, tags) in found.items()})
    numbers = {name: str(number) for number, name in enumerate(names)}
    parts = {}
    for part, (words, tags) in found.items():
        _check_stated(task, tables[part], tags, names)
        columns = [_joined(words), _joined([[numbers[tag] for tag in own] for own in tags])]
        parts[part] = carving.part(columns, np.zeros(len(words), np.int64), "any_text", keyed=1)
    theirs = {part: tags for part, (_, tags) in found.items()}
    _check_spans(task, source, tables, theirs)
    notes += [*_lonely(tables, theirs), *checks.alike(names[1:]), *_contradictions(parts, tables)]
    return names, how, parts, notes


def _contradictions(parts: Mapping[str, Part], tables: Mapping[str, Table]) -> Iterator[str]:
    """Sentences that are there twice, with other tags."""
    first = next(iter(parts))
    seen: dict[str, tuple[int, str]] = {}
    pairs = []
    columns = (column.to_pylist() for column in parts[first].texts)
    for row, (words, tags) in enumerate(zip(*columns, strict=True)):
        before, theirs = seen.setdefault(words, (row, tags))
        if theirs != tags:
            pairs.append((before, row))
    if pairs:
        more = f", and so have {len(pairs) - 1:,} more pairs of sentences" if len(pairs) > 1 else ""
        yield f"{tables[first].rows(np.array(pairs[0]))} have the same words and other tags{more}."


def _check_spans(
    task: str, source: FileSource, tables: Mapping[str, Table], tags: Mapping[str, list[list[str]]]
) -> None:
    """Where a part has no span that is trained on, every F1 there is 0, whatever a model answers."""
    kinds = {
        part: {bio.split(tag)[1] for own in rows for tag in set(own)} - {""} for part, rows in tags.items()
    }
    first, *others = kinds
    if not kinds[first]:
        raise DataError(
            f"task {task!r}: every word of {tables[first].called} has the tag 'O', expected spans in "
            f"{source.label!r}"
        )
    for part in others:
        if not kinds[part] & kinds[first]:
            has = f"spans of {listing(sorted(kinds[part]))} alone" if kinds[part] else "no span"
            raise DataError(
                f"task {task!r}: {tables[part].called} has {has}, and {tables[first].called} has "
                f"{listing(sorted(kinds[first]))}: every F1 there would be 0"
            )


def _dataset(parts: Mapping[str, Part]) -> datasets.Dataset:
    """The splits as one table of words and label numbers, split after split."""
    words, tags = ([t for one in parts.values() for t in one.texts[place].to_pylist()] for place in (0, 1))
    pairs = zip(words, tags, strict=True)
    return tagged.dataset((one.split(BETWEEN), list(map(int, other.split(BETWEEN)))) for one, other in pairs)


def _joined(rows: Sequence[Sequence[str]]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array([BETWEEN.join(row) for row in rows], pa.large_string())])


def _checked(task: str, source: FileSource, table: Table) -> tuple[list[list[str]], list[list[str]]]:
    """Words and tags of a part, as many of these as of those, all of them texts."""
    word, tag = source.text[0], source.label
    columns = [table.columns[name] for name in (word, tag)]
    for name, column in zip((word, tag), columns, strict=True):
        if not pa.types.is_large_list(column.type):
            raise DataError(
                f"task {task!r}: the column {name!r} of {table.called} holds no lists, expected a list of "
                "words in every row, and one of their tags"
            )
    words, tags = (column.to_pylist() for column in columns)
    named = _named(task, source, table, columns[1].type)
    for row, (own, theirs) in enumerate(zip(words, tags, strict=True)):
        where = f"task {task!r}: {table.rows(np.array([row]))}"
        if not own or theirs is None:
            raise DataError(f"{where} has no {tag if own else word!r}; fill it in, or take the row out")
        if len(own) != len(theirs):
            raise DataError(f"{where} has {len(own)} words and {len(theirs)} tags, expected one for each")
        for place, (one, other) in enumerate(zip(own, theirs, strict=True)):
            here = f"task {task!r}: {table.word(row, place)}"
            if not isinstance(one, str) or not one.strip() or BETWEEN in one:
                raise DataError(f"{here} is {one!r}, expected a word: a text that is not empty")
            if other is None or other == "":
                raise DataError(f"{here} has no tag; fill it in, or take the sentence out")
            if named and not 0 <= other < len(named):
                raise DataError(f"{here} has the tag {other}, expected 0 to {len(named) - 1}")
            if not named and not bio.is_tag(other):
                raise DataError(f"{here} has the tag {other!r}, expected O, B-TYPE or I-TYPE, as in B-PER")
    return words, [[named[one] for one in own] for own in tags] if named else tags


def _named(task: str, source: FileSource, table: Table, kind: pa.DataType) -> tuple[str, ...]:
    """What the numbers of a column of tags stand for; nothing where it holds texts."""
    if not pa.types.is_integer(kind.value_type):
        return ()
    names = source.labels
    if not names:
        raise DataError(
            f"task {task!r}: the tags of {table.called} are numbers, expected what they stand for, as "
            "labels: [O, B-PER, I-PER, ...]"
        )
    _check_names(task, names)
    return names


def _check_names(task: str, names: Sequence[str]) -> None:
    if (fault := bio.fault_of(names)) is not None:
        raise DataError(f"task {task!r} {fault}")


def _in_iob2(task: str, table: Table, tags: list[list[str]]) -> list[list[str]]:
    """The tags themselves where they are IOB2; where they are IOB1, the same in IOB2.

    Raises:
        DataError: they are neither.
    """
    open_ = [(row, place) for row, own in enumerate(tags) if (place := bio.dangling(own)) is not None]
    if not open_:
        return tags
    other = next(((row, p) for row, own in enumerate(tags) if (p := bio.needless(own)) is not None), None)
    if other is not None:
        row, place = open_[0]
        raise DataError(
            f"task {task!r}: {table.word(row, place)} has the tag {tags[row][place]!r}, where no span of "
            f"that type is to go on, as in IOB1, but {table.word(*other)} has "
            f"{tags[other[0]][other[1]]!r}, as in IOB2; expected one of the two throughout"
        )
    return [bio.from_iob1(own) for own in tags]


def _names(
    task: str, source: FileSource, tables: Mapping[str, Table], tags: Mapping[str, list[list[str]]]
) -> tuple[tuple[str, ...], str]:
    """The labels in the order of their numbers, and what decides it."""
    if source.labels:
        _check_names(task, source.labels)
        return source.labels, "as the task states them"
    if own := all_names(tables.values()).get(source.label, ()):
        _check_names(task, own)
        return own, "as the data names them"
    kinds = {bio.split(tag)[1] for rows in tags.values() for own in rows for tag in set(own)} - {""}
    return bio.labels_of(kinds), "by type"


def _check_stated(task: str, table: Table, tags: list[list[str]], names: Sequence[str]) -> None:
    known = set(names)
    for row, own in enumerate(tags):
        if not known.issuperset(own):
            place = next(place for place, tag in enumerate(own) if tag not in known)
            raise DataError(
                f"task {task!r}: {table.word(row, place)} has the tag {own[place]!r}, which is none of those "
                f"that the task states; {nearest(own[place], names)}"
            )


def _lonely(tables: Mapping[str, Table], tags: Mapping[str, list[list[str]]]) -> Iterator[str]:
    """Types of span that no training sentence has."""
    first, *others = tags
    kinds = {part: [{bio.split(tag)[1] for tag in own} - {""} for own in rows] for part, rows in tags.items()}
    trained = set[str]().union(*kinds[first])
    for part in others:
        if new := sorted(set[str]().union(*kinds[part]) - trained):
            rows = np.flatnonzero([bool(own & set(new)) for own in kinds[part]])
            told = listing(map(repr, new[:_TOLD]))
            more = f" and {len(new) - _TOLD} more" if len(new) > _TOLD else ""
            have = "has" if len(rows) == 1 else "have"
            yield (
                f"{tables[part].rows(rows)} {have} spans of {told}{more}, which no training sentence has: "
                "answers there are always wrong."
            )

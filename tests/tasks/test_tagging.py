"""Sentences whose words are labelled, from files of the hub's layout and from functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyarrow import table
from pyarrow.parquet import write_table

import tasks
from tasks import DataError, RowsSource, TaskError, TaskSpec
from tasks.spec import ACCURACY, Template

CONLL = tasks.get("conll2003")
Row = dict[str, Any]


def rows(split: str, count: int = 40) -> list[Row]:
    """A person that meets another in a place; the number makes a sentence its own."""
    found = []
    for i in range(count):
        words = ["Anna", "meets", "Eva", "Maria", "in", "New", "York", f"{split}{i}", "."]
        found.append({"tokens": words, "ner_tags": [1, 0, 1, 2, 0, 5, 6, 0, 0], "id": str(i)})
    return found


def folder(path: Path, train: list[Row], report: list[Row]) -> str:
    for split, some in (("train", train), ("test", report)):
        path.mkdir(parents=True, exist_ok=True)
        columns = {name: [row[name] for row in some] for name in some[0]}
        write_table(table(columns), path / f"{split}-00000-of-00001.parquet")
    return str(path)


def test_no_sentence_is_in_two_splits_and_words_keep_their_tags(tmp_path: Path) -> None:
    train, report = rows("train"), rows("test", 7)
    train.append({**report[3], "tokens": [word.upper() for word in report[3]["tokens"]]})
    data = tasks.load("conll2003", folder(tmp_path, train, report))
    assert data.sizes == {"train": 36, "selection": 4, "report": 7}
    assert data.dropped_train_examples == 1
    splits = (data.train, data.selection, data.report)
    assert all(split.column_names == ["words", "tags"] for split in splits)
    found = [row for split in splits for row in split]
    expected = {tuple(row["tokens"]): row["ner_tags"] for row in [*train[:-1], *report]}
    assert {tuple(row["words"]): row["tags"] for row in found} == expected
    assert "train has 41 rows, officially 14041" in data.source


def test_the_hash_sees_words_their_borders_and_tags_and_not_the_order(tmp_path: Path) -> None:
    def known(name: str, train: list[Row]) -> str:
        return tasks.load("conll2003", folder(tmp_path / name, train, rows("test", 5))).sha256

    train = rows("train")
    before = known("a", train)
    assert known("b", train[::-1]) == before
    joined = {"tokens": ["Anna meets", *train[3]["tokens"][2:]], "ner_tags": train[3]["ner_tags"][1:]}
    changed = (
        train[3] | {"ner_tags": [1, 0, 1, 2, 0, 5, 6, 0, 7]},
        train[3] | joined,
        train[3] | {"tokens": ["anna", *train[3]["tokens"][1:]]},
    )
    hashes = {known(f"c{i}", [*train[:3], one, *train[4:]]) for i, one in enumerate(changed)}
    assert len(hashes | {before}) == 4


FAULTS: list[tuple[Row, str]] = [
    ({"ner_tags": [0, 0]}, r"has 2 tags in ner_tags, expected one for each of its 9 words"),
    ({"tokens": [], "ner_tags": []}, r"has \[\] in tokens, expected a list of words"),
    ({"tokens": ["a", " ", "b"], "ner_tags": [0, 0, 0]}, r"has ' ' as word 2, expected a text that is not"),
    ({"ner_tags": [9, *[0] * 8]}, r"has, for word 1, the tag 9, expected 0 to 8 or one of O, B-PER, I-PER,"),
    ({"ner_tags": [-1, *[0] * 8]}, r"has, for word 1, the tag -1, expected"),
    ({"ner_tags": [0, 2, *[0] * 7]}, r"has the tag 'I-PER' for word 2, where no span .* 'B-PER' begins one"),
    ({"ner_tags": [1, 6, *[0] * 7]}, r"has the tag 'I-LOC' for word 2"),
]


@pytest.mark.parametrize(("change", "said"), FAULTS)
def test_a_fault_is_told_with_its_row(tmp_path: Path, change: Row, said: str) -> None:
    report = rows("test", 5)
    report[2] |= change
    where = folder(tmp_path, rows("train"), report)
    with pytest.raises(DataError, match=rf"^task 'conll2003': row 2 of the split 'test' {said}"):
        tasks.load("conll2003", where)


def test_files_without_the_columns_are_refused(tmp_path: Path) -> None:
    plain = [{"text": "a"}] * 5
    with pytest.raises(DataError, match="has the columns text but not tokens and ner_tags"):
        tasks.load("conll2003", folder(tmp_path, plain, plain))


def task(given: Callable[[str], Any], **changes: Any) -> TaskSpec:
    return replace(CONLL, name="mine", source=RowsSource("names", given), **changes)


def test_a_function_may_give_the_rows() -> None:
    def named(split: str) -> list[Row]:
        some = rows(split)
        return [row | {"ner_tags": [CONLL.labels[tag] for tag in row["ner_tags"]]} for row in some]

    assert tasks.load(task(named)).sha256 == tasks.load(task(rows)).sha256
    with pytest.raises(DataError, match=r"has a row 0 that has, for word 1, the tag 'X', expected 0 to 8 or"):
        tasks.load(task(lambda split: [row | {"ner_tags": ["X"] * 9} for row in rows(split)]))
    with pytest.raises(DataError, match="has a row 0 that has 'Anna' in tokens, expected a list of words"):
        tasks.load(task(lambda split: [row | {"tokens": "Anna"} for row in rows(split)]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ()}, "needs two labels or more"),
        ({"labels": ("O", "PER")}, "has the tag 'PER', expected O, B-TYPE and I-TYPE"),
        ({"overlap": "any_text"}, "sentences are compared whole: overlap='example'"),
        ({"text_columns": ("a", "b")}, "one column of words"),
        ({"metrics": (ACCURACY,)}, "a token_classification is not scored by accuracy"),
        ({"template": Template(words=CONLL.labels)}, "its template"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError, match=said):
        task(rows, **changes)
    with pytest.raises(TaskError, match="its tags are not written as text"):
        CONLL.written_as  # noqa: B018

"""Tasks whose rows a function returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pytest

import tasks
from tasks import DataError, RowsSource, TaskSpec
from tasks.spec import ACCURACY, PEARSON

WORDS = ("no", "yes")


def task(rows: Callable[[str], Any], **changes: Any) -> TaskSpec:
    about = ("odd", 1, "Odd", "What is odd.", "classification", ("text",), "label", WORDS, (ACCURACY,))
    made = TaskSpec(*about, RowsSource("numbers", rows), "CC0-1.0", "", "")
    return made.__class__(**{**vars(made), **changes})


def rows(split: str) -> list[dict[str, Any]]:
    return [{"text": f"{split} {i}", "label": i % 2} for i in range(40)]


def labels(data: tasks.TaskData) -> dict[str, int]:
    return {row["text"]: row["label"] for part in (data.train, data.selection, data.report) for row in part}


def test_the_rows_are_split_and_known_by_their_content() -> None:
    data = tasks.load(task(rows))
    assert sum(data.sizes.values()) == 80
    assert data.sizes["report"] == 40
    assert data.source == "rows of numbers"
    assert labels(data) == {row["text"]: row["label"] for part in ("train", "report") for row in rows(part)}
    as_words = task(lambda split: [row | {"label": WORDS[row["label"]]} for row in rows(split)])
    numpy_s = task(lambda split: [row | {"label": np.int32(row["label"])} for row in rows(split)])
    turned = task(lambda split: reversed(rows(split)))
    a_dataset = task(lambda split: datasets.Dataset.from_list(rows(split)))
    assert {tasks.load(one).sha256 for one in (as_words, numpy_s, turned, a_dataset)} == {data.sha256}
    other = task(lambda split: [row | {"text": row["text"] + "!"} for row in rows(split)])
    assert tasks.load(other).sha256 != data.sha256  # under one name: nothing was kept of the first


def test_a_regression_has_numbers_of_either_sign() -> None:
    given = task(
        lambda split: [row | {"label": row["label"] - 0.5} for row in rows(split)],
        problem_type="regression",
        labels=(),
        metrics=(PEARSON,),
    )
    assert set(labels(tasks.load(given)).values()) == {-0.5, 0.5}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda split: 1 / 0, "cannot be had (ZeroDivisionError: division by zero)"),
        (lambda split: None, "cannot be had (TypeError: 'NoneType' object is not iterable)"),
        (lambda split: ["text"], "has a row 0 that is 'text', expected a mapping with text, label"),
        (
            lambda split: [*rows(split), {"txt": "a", "label": 1}],
            "has a row 40 that has no text, but txt, label",
        ),
        (lambda split: [{"text": 3, "label": 1}], "has a row 0 that has 3 as text, expected a text"),
        (lambda split: [{"text": "a", "label": 2}], "has the label 2, expected 0 to 1 or one of no, yes"),
        (lambda split: [{"text": "a", "label": True}], "has the label True"),
        (lambda split: [{"text": "a", "label": "maybe"}], "has the label 'maybe'"),
        (lambda split: [{"text": "a", "label": None}], "has the label None"),
        (
            lambda split: [{"text": "\ud83d", "label": 1}],
            "has a row 0 that has half of a pair of signs in text",
        ),
        (lambda split: [row | {"label": 1} for row in rows(split)], "all have the label 'yes', expected two"),
    ],
)
def test_what_is_no_row_is_named(given: Callable[[str], Any], said: str) -> None:
    with pytest.raises(DataError) as error:
        tasks.load(task(given))
    assert str(error.value).startswith("task 'odd': rows of numbers for the split 'train' ")
    assert said in str(error.value)


def test_a_number_that_is_the_word_of_another_label_is_refused() -> None:
    stars = task(
        lambda split: [row | {"label": row["label"] + 1} for row in rows(split)], labels=("1", "2", "3")
    )
    with pytest.raises(DataError, match="the label 1, which is the word '1' or the number of another one"):
        tasks.load(stars)


@pytest.mark.parametrize("label", [float("nan"), float("inf"), "1.5", None, True])
def test_what_is_no_number_is_named(label: Any) -> None:
    given = task(
        lambda split: [row | {"label": label} for row in rows(split)],
        problem_type="regression",
        labels=(),
        metrics=(PEARSON,),
    )
    with pytest.raises(DataError, match="expected a number"):
        tasks.load(given)

"""Further report splits: they move nothing of the three, and nothing of them was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tasks
from tasks import DataError, FurtherSplit, RowsSource, TaskData, TaskSpec, cache, glue, splits
from tasks.spec import ACCURACY, Example

Folder = Callable[..., str]
Columns = dict[str, list[Any]]


def texts(table: Any) -> list[tuple[str, ...]]:
    return list(zip(*(table[name] for name in table.column_names if name != "label"), strict=True))


def three(data: TaskData) -> tuple[Any, ...]:
    return data.train[:], data.selection[:], data.report[:], data.sizes, data.sha256


def test_mnli_is_what_it_was_with_more_told(made_folder: Folder) -> None:
    folder = made_folder(glue.MNLI)
    data = tasks.load("mnli", folder)
    for file in Path(folder, "mnli").glob("validation_mismatched-*"):
        file.unlink()
    before = tasks.load("mnli", folder)
    assert three(data) == three(before)
    assert (before.further, [*data.further]) == ({}, ["mismatched"])
    assert "validation_mismatched has 8 rows, officially 9832" in data.source
    assert "no validation_mismatched" in before.source
    further = data.further["mismatched"]
    assert further.rows.column_names == data.report.column_names
    assert data.split("mismatched") == (further.rows, further.sha256)
    assert data.split("train")[1] == data.sha256


@pytest.mark.parametrize("kept_on_disk", [False, True])
def test_rows_that_training_has_a_text_of_are_left_out_and_counted(
    kept_on_disk: bool, made_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "KEPT_FROM", 0 if kept_on_disk else 10**9)

    def change(split: str, columns: Columns) -> Columns:
        if split == "validation_mismatched":
            columns["premise"][:2] = ["TRAIN  premise number 7", "train hypothesis number 8"]
            # Reported on twice, and trained on never.
            columns["hypothesis"][2] = "validation_matched premise number 1"
        return columns

    folder = made_folder(glue.MNLI, change=change)
    first, data = tasks.load("mnli", folder), tasks.load("mnli", folder)
    further = data.further["mismatched"]
    assert (further.left_out, len(further.rows)) == (2, 6)
    assert three(first) == three(data)
    assert first.further["mismatched"].rows[:] == further.rows[:]
    both = ("validation_mismatched premise number 2", "validation_matched premise number 1")
    assert both in texts(further.rows)
    rows = [row for part in (data.train, data.selection) for row in texts(part)]
    used = {splits.normalise(text) for row in rows for text in row}
    assert used.isdisjoint(splits.normalise(text) for row in texts(further.rows) for text in row)


def test_a_split_of_which_all_was_trained_on_is_refused(made_folder: Folder) -> None:
    def change(split: str, columns: Columns) -> Columns:
        if split == "validation_mismatched":
            columns["premise"] = [f"train premise number {row}" for row in range(8)]
        return columns

    with pytest.raises(DataError, match=r"^task 'mnli': the further report split 'mismatched' has no row"):
        tasks.load("mnli", made_folder(glue.MNLI, change=change))


words = st.sampled_from("abcdefgh")
examples = st.lists(st.builds(Example, st.tuples(words, words), st.integers(0, 1)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(examples, examples, examples, st.sampled_from(["any_text", "example"]))
def test_what_is_kept_touches_nothing_that_was_used(
    train: list[Example], selection: list[Example], rows: list[Example], overlap: Any
) -> None:
    kept, left_out = splits.apart(rows, splits.Splits(train, selection, [], 0), overlap)
    assert len(kept) + left_out == len(rows)
    assert kept == splits.hash_order(kept)
    used = {key for one in (*train, *selection) for key in splits.keys(one, overlap)}
    touching = [one for one in rows if not used.isdisjoint(splits.keys(one, overlap))]
    assert sorted(map(str, [*kept, *touching])) == sorted(map(str, rows))


def rows(split: str) -> list[dict[str, Any]]:
    return [{"text": f"{split} {i}", "label": i % 2} for i in range(20)]


def test_rows_of_a_function_are_asked_for_by_name() -> None:
    about = ("odd", 1, "Odd", "What is odd.", "classification", ("text",), "label", ("no", "yes"))
    source = RowsSource("numbers", rows, ("later", "elsewhere"))
    task = TaskSpec(*about, (ACCURACY,), source, "CC0-1.0", "", "")
    assert task.further_reports == ("later", "elsewhere")
    data = tasks.load(task)
    alone = dataclasses.replace(task, source=RowsSource("numbers", rows))
    assert three(data) == three(tasks.load(alone))
    found = {name: {row["text"] for row in one.rows} for name, one in data.further.items()}
    assert found == {name: {row["text"] for row in rows(name)} for name in ("later", "elsewhere")}
    assert len({one.sha256 for one in data.further.values()}) == 2


def test_a_text_to_write_has_its_references_there_too(made_folder: Folder) -> None:
    e2e = tasks.get("e2e")
    source = dataclasses.replace(e2e.source, further_splits=(FurtherSplit("later", "validation", 4672),))

    def change(split: str, columns: Columns) -> Columns:
        columns["human_reference"] = [f"what {split} says {row}" for row in range(len(columns["idx"]))]
        if split == "validation":
            columns["meaning_representation"] = [f"later {row // 2}" for row in range(8)]
        return columns

    task = dataclasses.replace(e2e, source=source)
    folder = made_folder(task, change=change)
    data = tasks.load(task, folder)
    assert three(data) == three(tasks.load("e2e", folder))
    assert data.further["later"].rows.column_names == ["text", "references"]
    assert [len(several) for several in data.further["later"].rows["references"]] == [2] * 4

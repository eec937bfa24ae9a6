"""Several report splits of data of one's own: named in the study, scored apart, part of what a trial is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks import loading
from tasks.own import preparing
from tasks.own.declaration import Own
from tasks.spec import DataError

KINDS = ("card", "cash")


def write(folder: Path, name: str, numbers: range, kind: str = "") -> None:
    rows = [f"the question of number {i},{kind or KINDS[i % 2]}" for i in numbers]
    (folder / name).write_text("\n".join(["text,label", *rows]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "train.csv", range(60))
    write(tmp_path, "test.csv", range(60, 70))
    write(tmp_path, "other.csv", range(66, 80))
    return tmp_path


def resolve(folder: Path, report: Any, **changes: Any) -> preparing.Resolved:
    said = {"name": "intents", "train": "train.csv", "report": report}
    return preparing.resolve(said | changes, str(folder))


def test_the_first_is_what_it_is_alone_and_the_others_are_told(folder: Path) -> None:
    with (folder / "other.csv").open("a") as stream:
        stream.write("\nThe question of  number 4,card\nthe question of number 7,cash")
    alone, both = resolve(folder, "test.csv"), resolve(folder, {"test": "test.csv", "bank": "other.csv"})
    assert both.own.sha256 == alone.own.sha256
    assert both.data.sizes == alone.data.sizes
    for name in ("train", "selection", "report"):
        assert getattr(both.data, name)[:] == getattr(alone.data, name)[:]
    assert (alone.own.further, alone.data.further) == (None, {})
    further = both.data.further["bank"]
    assert (len(further.rows), further.left_out) == (14, 2)
    assert both.own.further == {"bank": further.sha256}
    assert "10 to report, 14 to report as bank, the selection taken" in both.notes[0]
    assert (
        "other.csv, rows 15 and 16 are left out of 'bank': the training rows or the selection have the same "
        "texts."
    ) in both.notes
    # In a record it is left out where there is none, and reads back where there is.
    for one in (alone, both):
        assert Own.model_validate(one.own.model_dump(mode="json")) == one.own
    assert both.spec.further_reports == ("bank",)
    assert loading.load(both.spec, both.folder).further["bank"].rows[:] == further.rows[:]


def test_one_name_is_the_report_split_alone(folder: Path) -> None:
    assert resolve(folder, {"test": "test.csv"}).own == resolve(folder, "test.csv").own


def test_files_that_change_after_the_study_was_read_are_found(folder: Path) -> None:
    found = resolve(folder, {"test": "test.csv", "bank": ["other.csv"]})
    write(folder, "other.csv", range(66, 79))
    with pytest.raises(DataError, match="the files changed since the study was read"):
        loading.load(found.spec, found.folder)


def test_a_label_that_a_further_split_alone_has_is_said(folder: Path) -> None:
    write(folder, "other.csv", range(70, 74), kind="loan")
    with (folder / "other.csv").open("a") as stream:
        stream.write("\none more,card")
    found = resolve(folder, {"test": "test.csv", "bank": "other.csv"})
    assert found.own.labels == ("card", "cash", "loan")
    assert any("'loan', which no training row has" in note for note in found.notes)


@pytest.mark.parametrize(
    ("report", "changes", "said"),
    [
        ({}, {}, "report names no split, expected files, or one name or more with files each"),
        (
            {"test": "test.csv", "train": "other.csv"},
            {},
            "'train' is no name for a report split, expected let",
        ),
        ({"a b": "test.csv"}, {}, "'a b' is no name for a report split"),
        ({1: "test.csv"}, {}, "1 is no name for a report split"),
        ({None: "test.csv"}, {}, "None is no name for a report split"),
        ({"test": "test.csv", "bank": 3}, {}, "report 'bank' is 3, expected a text or a list of some"),
        ({"test": "test.csv", "bank": "gone.csv"}, {}, "there is no file 'gone.csv'"),
        (
            {"test": "test.csv", "bank": "test.csv"},
            {},
            "test.csv is report and bank; expected different files",
        ),
        ({"bank": "other.csv", "test": "test.csv"}, {"train": None, "file": "train.csv"}, "has file: beside"),
        ({"test": None, "bank": "other.csv"}, {}, "has no report"),
    ],
)
def test_what_is_wrong_is_one_sentence(report: Any, changes: Any, said: str, folder: Path) -> None:
    with pytest.raises(DataError, match=said) as caught:
        resolve(folder, report, **changes)
    assert "\n" not in str(caught.value)


def test_a_split_that_was_trained_on_is_no_report(folder: Path) -> None:
    write(folder, "other.csv", range(10, 20))
    with pytest.raises(DataError, match=r"every text of other\.csv is in the training rows or the selection"):
        resolve(folder, {"test": "test.csv", "bank": "other.csv"})


def test_texts_to_write_have_further_splits_as_well(tmp_path: Path) -> None:
    for name, numbers in {"train": range(30), "test": range(30, 36), "other": range(36, 41)}.items():
        rows = [f"input {i},write {i} {way}" for i in numbers for way in ("so", "or so")]
        rows += ["input 3,aa"] if name == "other" else []  # which the training rows have too
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,wanted", *rows]))
    alone = resolve(tmp_path, "test.csv", target="wanted")
    both = resolve(tmp_path, {"test": "test.csv", "other": "other.csv"}, target="wanted")
    assert (both.own.sha256, both.data.sizes) == (alone.own.sha256, alone.data.sizes)
    assert both.data.report[:] == alone.data.report[:]
    further = both.data.further["other"]
    assert (len(further.rows), further.left_out) == (5, 1)
    assert [len(several) for several in further.rows["references"]] == [2] * 5
    assert both.own.further == {"other": further.sha256}

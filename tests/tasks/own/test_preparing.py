"""From files to splits: what kind of file it is moves nothing, and what is not stated is told by the data."""

from __future__ import annotations

import csv
import json
import os
import pickle
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

import tasks
from tasks.own import preparing
from tasks.own.declaration import Own
from tasks.spec import DataError

TEXTS = [f'a "text", number {i};\nof\ttwo lines, naïve' for i in range(40)]
LABELS = ["ham" if i % 4 else "spam" for i in range(40)]
DATA = os.environ.get("PARETUNE_OWN_DATA", Path(__file__).parents[3].parent / "shared" / "own-data")
BANKING = Path(DATA) / "banking77"


def write(path: Path, texts: list[str], labels: list[Any]) -> None:
    """The same rows in the kind of file that the name ends in."""
    kind = path.suffix
    if kind in (".csv", ".tsv"):
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t" if kind == ".tsv" else ",")
            writer.writerows([("text", "label"), *zip(texts, labels, strict=True)])
    elif kind == ".parquet":
        write_table(pa.table({"text": texts, "label": labels}), path)
    elif kind:
        rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
        path.write_text(json.dumps(rows) if kind == ".json" else "\n".join(map(json.dumps, rows)))
    else:
        with preparing.reading.quiet():
            datasets.Dataset.from_dict({"text": texts, "label": labels}).save_to_disk(str(path))


def resolve(folder: Path, **values: Any) -> preparing.Resolved:
    return preparing.resolve({"name": "mine", **values}, str(folder))


@pytest.mark.parametrize(
    "labels",
    [LABELS, [i % 3 for i in range(40)], [i / 4 - 3 for i in range(40)]],
    ids=["texts", "whole", "numbers"],
)
def test_the_kind_of_the_file_moves_nothing(tmp_path: Path, labels: list[Any]) -> None:
    found = []
    for kind in (".csv", ".tsv", ".jsonl", ".json", ".parquet", ""):
        write(tmp_path / f"rows{kind}", TEXTS, labels)
        found.append(resolve(tmp_path, file=f"rows{kind}").own)
    assert len(set(found)) == 1
    assert found[0].problem == ("regression" if isinstance(labels[0], float) else "classification")


def test_several_files_are_one_after_the_other(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", TEXTS, LABELS)
    for part in range(2):
        write(tmp_path / f"part-{part}.csv", TEXTS[part * 20 :][:20], LABELS[part * 20 :][:20])
    whole = resolve(tmp_path, file="rows.csv")
    (tmp_path / "more").mkdir()
    (tmp_path / "rows.csv").rename(tmp_path / "more" / "rows.csv")
    for paths in (
        "part-*.csv",
        "*/rows.csv",
        ["part-1.csv", "part-0.csv"],
        [str(tmp_path / "part-0.csv"), "part-1.csv"],
    ):
        assert resolve(tmp_path, file=paths).own == whole.own


def test_a_folder_may_have_signs_of_a_pattern_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "data [v1]*"
    folder.mkdir()
    write(folder / "rows[1].csv", TEXTS, LABELS)
    found = resolve(folder, file="rows[1].csv").own
    assert [resolve(folder, file="*.csv").own, resolve(tmp_path, file="data [v1]*/*.csv").own] == [found] * 2


def test_what_is_declared_is_what_is_loaded(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", TEXTS, LABELS)
    write(tmp_path / "dev.csv", [f"dev {i}" for i in range(9)], LABELS[:9])
    write(tmp_path / "test.jsonl", [f"test {i}" for i in range(8)], LABELS[:8])
    found = resolve(tmp_path, train="train.csv", selection="dev.csv", report="test.jsonl")
    spec = found.spec
    assert (spec.name, spec.labels, spec.problem_type) == ("mine", ("ham", "spam"), "classification")
    assert [one.name for one in spec.metrics] == ["macro_f1", "accuracy"]  # 30 of 40 say ham
    data = tasks.load(spec, found.folder)
    assert data.sizes == {"train": 40, "selection": 9, "report": 8}
    assert data.sha256 == found.own.sha256
    assert data.source == "own files: train.csv, dev.csv, test.jsonl"
    numbers = dict(zip(data.train["text"], data.train["label"], strict=True))
    assert [numbers[text] for text in TEXTS] == [0 if label == "ham" else 1 for label in LABELS]
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert hash(spec) == hash(found.spec)
    assert Own.model_validate_json(found.own.model_dump_json()) == found.own


def test_files_that_changed_since_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", TEXTS, LABELS)
    found = resolve(tmp_path, file="rows.csv")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "rows.csv").rename(moved / "rows.csv")
    assert tasks.load(found.spec, str(moved)).sha256 == found.own.sha256
    assert resolve(moved, file="rows.csv").own == found.own
    write(moved / "rows.csv", TEXTS, LABELS[::-1])
    with pytest.raises(DataError, match="the files changed since the study was read"):
        tasks.load(found.spec, str(moved))
    assert resolve(moved, file="rows.csv").own != found.own


def test_what_is_large_is_kept_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "rows.csv", [f"{text} {'x' * 3000}" for text in TEXTS], LABELS)
    first = resolve(tmp_path, file="rows.csv")
    preparing._once.cache_clear()  # as in another process
    monkeypatch.setattr(preparing.files, "read", None)
    again = resolve(tmp_path, file="rows.csv")
    assert (again.own, again.notes) == (first.own, first.notes)
    assert again.data.train[:] == first.data.train[:]


def test_pairs_share_no_text_between_splits(tmp_path: Path) -> None:
    rows = [{"premise": f"p {i // 3}", "hypothesis": f"h {i}", "label": i % 3} for i in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = resolve(tmp_path, file="rows.jsonl", text=["premise", "hypothesis"])
    parts = [set(found.data.train["text"]), set(found.data.selection["text"]), set(found.data.report["text"])]
    assert sum(map(len, parts)) == 20
    assert found.data.train.column_names == ["text", "text_pair", "label"]
    one = resolve(tmp_path, file="rows.jsonl", text=["premise", "hypothesis"], overlap="example")
    assert sum(one.data.sizes.values()) == 60
    assert one.own.sha256 != found.own.sha256


@pytest.mark.parametrize(
    ("labels", "values", "expected"),
    [
        (["b", "a"], {}, ("a", "b")),
        (["b", "a"], {"labels": ["b", "a"]}, ("b", "a")),
        ([10, 9, -1], {}, ("-1", "9", "10")),
        ([1, 2, 3], {"metric": "f1", "positive": 3}, ("1", "3", "2")),
        ([True, False], {}, ("false", "true")),
        (["1.5", "2.5"], {"problem": "classification"}, ("1.5", "2.5")),
        ([1.0, 2.0], {}, ("1", "2")),
        ([10.0, 9.0], {"problem": "classification"}, ("9", "10")),
        ([10.5, 9.5], {"metric": "accuracy"}, ("9.5", "10.5")),
        (["1.0", "0"], {}, ("0", "1")),
        (["1.0", "0.0"], {"metric": "f1", "positive": "1.0"}, ("0.0", "1.0")),
        (["2.0", "1.0"], {"labels": [2, 1]}, ("2", "1")),
        ([1, "1", 2.0, "3."], {}, ("1", "2", "3")),
        (["02", "1"], {}, ("1", "02")),
        ([1, 0], {"metric": "f1"}, ("0", "1")),
        ([1, 2, -3], {"problem": "regression"}, ()),
        ([-1.5, 2], {}, ()),
    ],
)
def test_labels_are_in_a_stated_order(tmp_path: Path, labels: list[Any], values: Any, expected: Any) -> None:
    write(tmp_path / "rows.jsonl", TEXTS, [labels[i % len(labels)] for i in range(40)])
    found = resolve(tmp_path, file="rows.jsonl", **values)
    assert found.own.labels == expected
    if not expected:
        assert found.data.train.features["label"].dtype == "float32"
        assert min(min(one["label"]) for one in (found.data.train, found.data.report)) < 0
        assert found.own.metrics == ("pearson", "spearman")


def test_no_word_is_a_missing_value(tmp_path: Path) -> None:
    words = ["None", "NA", "null", "nan", "2024-05-01"]
    for kind in (".csv", ".jsonl"):
        write(tmp_path / f"rows{kind}", [*TEXTS[:37], *words[:3]], [words[i % 5] for i in range(40)])
        assert resolve(tmp_path, file=f"rows{kind}").own.labels == ("2024-05-01", "NA", "None", "nan", "null")


def test_names_of_a_saved_folder_are_the_labels(tmp_path: Path) -> None:
    kinds = datasets.ClassLabel(names=["world", "sports"])
    features = datasets.Features({"text": datasets.Value("string"), "label": kinds})
    saved = datasets.Dataset.from_dict(
        {"text": TEXTS, "label": [i % 2 for i in range(40)]}, features=features
    )
    with preparing.reading.quiet():
        datasets.DatasetDict({"train": saved, "test": saved}).save_to_disk(str(tmp_path / "news"))
    found = resolve(tmp_path, file="news/train")
    assert found.own.labels == ("world", "sports")
    assert found.notes[1].startswith(
        "mine: 2 labels, as the data names them: world and sports; ranked by accuracy"
    )


def test_whole_numbers_are_the_same_labels_however_each_part_writes_them(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", TEXTS, [float(i % 3) for i in range(40)])
    write(tmp_path / "test.csv", [f"test {i}" for i in range(9)], [f"{i % 3}.0" for i in range(9)])
    write(tmp_path / "dev.jsonl", [f"dev {i}" for i in range(9)], [i % 3 for i in range(9)])
    found = resolve(tmp_path, train="train.parquet", selection="dev.jsonl", report="test.csv")
    assert (found.own.problem, found.own.labels, len(found.notes)) == ("classification", ("0", "1", "2"), 2)
    write(tmp_path / "test.csv", [f"test {i}" for i in range(9)], [i / 2 for i in range(9)])
    assert resolve(tmp_path, train="train.parquet", report="test.csv").own.problem == "regression"


def test_names_in_a_parquet_file_are_those_of_the_folder_it_was_saved_from(tmp_path: Path) -> None:
    kinds = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["w", "s"])}
    )
    table = datasets.Dataset.from_dict({"text": TEXTS, "label": [i % 2 for i in range(40)]}, features=kinds)
    with preparing.reading.quiet():
        table.save_to_disk(str(tmp_path / "news"))
        table.to_parquet(tmp_path / "news.parquet")
    found = resolve(tmp_path, file="news.parquet").own
    assert (found, found.labels) == (resolve(tmp_path, file="news").own, ("w", "s"))
    written = resolve(tmp_path, file="news.parquet", target="label").data
    assert {*written.train["target"]} == {"w", "s"}


def numbered(path: Path, labels: list[str], names: list[str]) -> None:
    """Parquet in which `datasets` stored the labels as numbers of these names."""
    with preparing.reading.quiet():
        table = datasets.Dataset.from_dict({"text": [f"{path.stem} {i}" for i in range(40)], "label": labels})
        table.cast_column("label", datasets.ClassLabel(names=names)).to_parquet(path)


def test_each_file_numbers_its_labels_as_it_says(tmp_path: Path) -> None:
    numbered(tmp_path / "train.parquet", LABELS, ["spam", "ham"])
    numbered(tmp_path / "more.parquet", LABELS, ["spam", "ham"])
    numbered(tmp_path / "report.parquet", LABELS, ["spam", "ham"])
    asked = {"train": ["train.parquet", "more.parquet"], "report": "report.parquet"}
    before = resolve(tmp_path, **asked)
    numbered(tmp_path / "more.parquet", LABELS, ["ham", "spam"])
    numbered(tmp_path / "report.parquet", LABELS, ["ham", "eggs", "spam"])
    after = resolve(tmp_path, **asked)
    assert after.own.labels == ("spam", "ham", "eggs")
    assert after.data.train[:] == before.data.train[:]
    assert after.data.report[:] == before.data.report[:]
    write(tmp_path / "report.csv", [f"report {i}" for i in range(40)], LABELS)  # beside named ones, texts
    assert resolve(tmp_path, **{**asked, "report": "report.csv"}).data.report[:] == before.data.report[:]
    write(tmp_path / "report.csv", [f"report {i}" for i in range(40)], ["Ham", *LABELS[1:]])
    with pytest.raises(
        DataError, match="has the label 'Ham', which is none of those that the data names; did you"
    ):
        resolve(tmp_path, **{**asked, "report": "report.csv"})


def test_the_metric_that_is_chosen_is_said(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", TEXTS, LABELS)
    assert resolve(tmp_path, file="rows.csv").notes[1] == (
        "mine: 2 labels, sorted: ham and spam; ranked by macro_f1, accuracy beside, by default, "
        "since one label "
        "has 75% of the training rows."
    )
    stated = resolve(tmp_path, file="rows.csv", metric=["matthews_correlation", "f1"], positive="ham")
    assert stated.own.metrics == ("matthews_correlation", "f1")
    assert stated.own.labels == ("spam", "ham")
    assert stated.notes[1].endswith("ranked by matthews_correlation, f1 beside, as stated.")


@pytest.mark.skipif(not BANKING.is_dir(), reason="the data of banking77 is not beside this repository")
def test_seventy_seven_intents() -> None:
    found = resolve(BANKING, train="train.csv", report="test.csv", label="category")
    assert len(found.own.labels) == 77
    assert sum(found.data.sizes.values()) + found.data.dropped_train_examples == 10_003 + 3_080
    assert np.bincount(found.data.selection["label"], minlength=77).min() >= 1

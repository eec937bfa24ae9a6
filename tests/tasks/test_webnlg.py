"""WebNLG from a folder of JSON files, in the layout of the LoRA paper's own experiments."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tasks

Change = Callable[[list[Any]], Any]


def entry(number: int, split: str, category: str, texts: int = 2) -> dict[str, Any]:
    triples = [
        {"subject": f"{split}_{number}", "property": name, "object": f"Thing_{number}"}
        for name in ("isNear", "isIn")[: 1 + number % 2]
    ]
    said = [
        {"comment": "good", "lang": "", "lex": f"{split} {number}, {n}.", "xml_id": f"Id{n}"}
        for n in range(texts)
    ]
    toto = {"comment": "toto", "lang": "", "lex": "Nonsense.", "xml_id": "Id9"}
    told = {"category": category, "modifiedtripleset": triples, "lexicalisations": [*said, toto], "size": "1"}
    return {str(number): told}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train = [entry(number, "train", "Airport") for number in range(1, 41)]
    test = [entry(number, "test", "Airport" if number < 5 else "Athlete", 3) for number in range(1, 9)]
    for split, entries in (("train", train), ("dev", []), ("test", test)):
        (tmp_path / f"{split}.json").write_text(json.dumps({"entries": entries}), encoding="utf-8")
    return tmp_path


def test_an_entry_is_its_triples_with_all_its_good_texts(folder: Path) -> None:
    data = tasks.load("webnlg", str(folder))
    assert data.sizes == {"train": 72, "selection": 4, "report": 8}
    assert data.source == "local folder, webnlg_challenge_2017 layout"
    report = dict(zip(data.report["text"], data.report["references"], strict=True))
    assert report["test_1 : isNear : Thing_1 | test_1 : isIn : Thing_1"] == [
        "test 1, 0.",
        "test 1, 1.",
        "test 1, 2.",
    ]
    assert report["test_2 : isNear : Thing_2"] == ["test 2, 0.", "test 2, 1.", "test 2, 2."]
    assert not any("Nonsense" in text for text in data.train["target"])
    seen, unseen = (set(data.further[name].rows["text"]) for name in ("seen", "unseen"))
    assert (len(seen), len(unseen)) == (4, 4)
    assert seen | unseen == set(report)
    assert tasks.load("webnlg", str(folder)).sha256 == data.sha256


def test_without_a_folder_it_says_where_the_files_are() -> None:
    with pytest.raises(
        tasks.DataError, match=r"is read from a folder alone, which github\.com/microsoft/LoRA"
    ) as told:
        tasks.load("webnlg")
    assert "--data DIR takes a folder with train.json" in str(told.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entries: {"rows": entries}, "expected a JSON object with a list of entries"),
        (lambda entries: entries, "expected a JSON object with a list of entries"),
        (lambda entries: {"entries": [*entries, {}]}, "entry 9 is {}, expected a number with category"),
        (lambda entries: {"entries": [{"1": {"category": "Food"}}]}, "entry 1 is .*expected a number with"),
        (lambda entries: {"entries": [3]}, "entry 1 is 3, expected"),
        (lambda entries: {"entries": []}, "leaves no example for report"),
    ],
)
def test_another_file_is_one_sentence(folder: Path, change: Change, said: str) -> None:
    file = folder / "test.json"
    file.write_text(json.dumps(change(json.loads(file.read_text())["entries"])), encoding="utf-8")
    with pytest.raises(tasks.DataError, match=rf"^task 'webnlg': .*{said}") as told:
        tasks.load("webnlg", str(folder))
    assert "\n" not in str(told.value)


def test_a_file_that_is_missing_or_cut_is_one_sentence(folder: Path) -> None:
    (folder / "test.json").write_text('{"entries": [', encoding="utf-8")
    with pytest.raises(tasks.DataError, match=r"cannot read test\.json \(JSONDecodeError"):
        tasks.load("webnlg", str(folder))
    (folder / "train.json").unlink()
    with pytest.raises(tasks.DataError, match=r"no train\.json in .*the layout of webnlg_challenge_2017"):
        tasks.load("webnlg", str(folder))

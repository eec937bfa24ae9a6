"""Files as they lie on people's disks: each fault has one sentence, and what can be borne is said once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow.parquet import read_table, write_table

from tasks.own import preparing
from tasks.spec import DataError

GOOD = "text,label\n" + "".join(f"a text of number {i},{'ham' if i % 2 else 'spam'}\n" for i in range(30))
REPORT = "text,label\n" + "".join(f"reported are {i},{'ham' if i % 2 else 'spam'}\n" for i in range(10))
Content = str | bytes | Callable[[Path], Any]


def rows(label: Callable[[int], object], count: int = 30, text: str = "a text of number {}") -> str:
    return "text,label\n" + "".join(f"{text.format(i)},{label(i)}\n" for i in range(count))


def parquet(**columns: Any) -> Callable[[Path], None]:
    return lambda path: write_table(pa.table(columns), path)


def saved(path: Path) -> None:
    table = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk(str(path))


def named(path: Path) -> None:
    """Parquet as `datasets` writes it: numbers, and in the schema what they stand for."""
    kinds = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["n", "p"])}
    )
    table = datasets.Dataset.from_dict({"text": TEXTS, "label": [0, 1, -1] * 10}, features=kinds)
    with preparing.reading.quiet():
        table.to_parquet(path)


def renamed(path: Path) -> None:
    """The same file, of which something else has left out a name."""
    named(path)
    table = read_table(path)
    told = table.schema.metadata[b"huggingface"].replace(b'["n", "p"]', b'["n"]')
    write_table(table.replace_schema_metadata({b"huggingface": told}), path)


def jsonl(*objects: Any) -> str:
    return "\n".join(json.dumps(one) for one in objects)


TEXTS = [f"a text of number {i}" for i in range(30)]
BAD: dict[str, tuple[Mapping[str, Content], Mapping[str, Any], str]] = {
    # What is no file, or another kind of one.
    "one number to report on": (
        {"train.csv": rows(lambda i: i), "report.csv": rows(lambda i: -2, 5, "r {}")},
        {"problem": "regression"},
        r"every row of report.csv has the label -2, expected several",
    ),
    "too large a number": (
        {"a.parquet": parquet(text=TEXTS, label=pa.array([2**64 - 1] * 30, pa.uint64()))},
        {"train": "a.parquet"},
        r"a.parquet: the column 'label' of uint64 cannot be read \(.+\)",
    ),
    "no file": (
        {},
        {"train": "trian.csv"},
        r"there is no file 'trian.csv' in '.*'; did you mean 'train.csv'\?",
    ),
    "no folder": ({}, {"train": "data/train.csv"}, r"no file 'train.csv' in '.*data', nor a folder '.*data'"),
    "no match": ({}, {"train": "part-*.csv"}, r"no file matches '.*part-\*\.csv'"),
    "a folder": (
        {"here": Path.mkdir},
        {"train": "here"},
        r"here is a folder, and not one that `datasets` saved",
    ),
    "several splits": (
        {"both": saved},
        {"train": "both"},
        r"both holds several splits, test and train; name one, such as both/test",
    ),
    "another ending": (
        {"a.xlsx": b"PK\x03\x04"},
        {"train": "a.xlsx"},
        r"a.xlsx ends in '.xlsx', expected .csv, .tsv, .jsonl,",
    ),
    "no ending": ({"data": GOOD}, {"train": "data"}, r"data ends in 'nothing', expected .csv"),
    "empty": ({"train.csv": ""}, {}, r"train.csv is empty"),
    "white space": ({"train.csv": "\n \n"}, {}, r"train.csv is empty"),
    "header only": ({"train.csv": "text,label\n"}, {}, r"train.csv has no rows"),
    "excel": (
        {"train.csv": b"PK\x03\x04\x14"},
        {},
        r"train.csv is a ZIP or Excel file and not CSV, which its name",
    ),
    "gzip": ({"train.csv": b"\x1f\x8b\x08x"}, {}, r"train.csv is compressed by gzip and not CSV"),
    "utf-16": ({"train.csv": GOOD.encode("utf-16")}, {}, r"train.csv is text in UTF-16 and not CSV"),
    "parquet as csv": (
        {"train.csv": parquet(text=TEXTS, label=TEXTS)},
        {},
        r"train.csv is a Parquet file and not CSV, which its name says; save it as CSV",
    ),
    "csv as parquet": (
        {"a.parquet": GOOD},
        {"train": "a.parquet"},
        r"a.parquet is no Parquet file, which its name",
    ),
    "cut parquet": ({"a.parquet": b"PAR1abc"}, {"train": "a.parquet"}, r"a.parquet cannot be read \(.+\)$"),
    "latin-1": (
        {"train.csv": "text,label\nnaïve,a\nn,b\n".encode("latin-1")},
        {},
        r"train.csv, line 2 has the byte 0xef, which is not UTF-8; save it in UTF-8",
    ),
    # What is not as its kind wants it.
    "ragged": (
        {"train.csv": "text,label\na,x\nb, c,y\nd,x\ne\n"},
        {},
        r"train.csv, row 2 and 4: 3 fields where the header has 2; put a text with a separator",
    ),
    "unclosed quote": (
        {"train.csv": 'text,label\n"a,x\nb,y\n'},
        {},
        r"train.csv, line 3: unexpected end of data; a double quote in a quoted text is written twice",
    ),
    "quote inside": (
        {"train.csv": 'text,label\n"a "b" c",x\n'},
        {},
        r"train.csv, line 2: ',' expected after '\"'",
    ),
    "broken json lines": (
        {"a.jsonl": jsonl({"text": "a", "label": 1}) + '\n{"text": "b",\n'},
        {"train": "a.jsonl"},
        r"a.jsonl, line 2 is not JSON \(.+\); expected an object on every line",
    ),
    "broken json": ({"a.json": "[{]"}, {"train": "a.json"}, r"a.json is not JSON \(.+\)"),
    "json without objects": (
        {"a.json": "[1, 2]"},
        {"train": "a.json"},
        r"a.json, row 1 is int, expected an object",
    ),
    "json that lacks a key": (
        {"a.jsonl": jsonl({"text": "a", "label": 1}, {"text": "b"})},
        {"train": "a.jsonl"},
        r"a.jsonl, row 2 has no column 'label'; there are: text$",
    ),
    "json with lists": (
        {"a.jsonl": jsonl({"text": ["a", "b"], "label": 1})},
        {"train": "a.jsonl"},
        r"a.jsonl: the column 'text' holds lists and 'label' does not; expected a text and a label in every",
    ),
    "parquet with lists": (
        {"a.parquet": parquet(text=TEXTS, label=[[1]] * 30)},
        {"train": "a.parquet"},
        r"a.parquet: the column 'label' holds lists and 'text' does not; expected a text and a label in",
    ),
    "json of columns": (
        {"a.json": json.dumps({"text": ["a", "b"], "label": [1, 2]})},
        {"train": "a.json"},
        r"a.json is one object, of 'text' and 'label', expected a list of objects with text and label",
    ),
    "json below a key": (
        {"a.json": json.dumps({"data": [{"text": "a", "label": 1}]})},
        {"train": "a.json"},
        r"a.json is one object, of 'data', expected a list of objects with text and label",
    ),
    "json too deep": (
        {"a.jsonl": '{"text": "a", "label": ' + "[" * 100_000},
        {"train": "a.jsonl"},
        r"a.jsonl, line 1 is not JSON \(too deeply nested\)",
    ),
    "a number of thousands of digits": (
        {"a.jsonl": '{"text": "a", "label": ' + "9" * 5000 + "}"},
        {"train": "a.jsonl"},
        r"a.jsonl, line 1 is not JSON \(a number of too many digits\)",
    ),
    "half of a pair of signs": (
        {"a.jsonl": jsonl({"text": "\ud83d", "label": 1}, {"text": "b", "label": 2})},
        {"train": "a.jsonl"},
        r"a.jsonl: the column 'text' holds the sign '\\ud83d', half of a pair, which no text in UTF-8 has",
    ),
    "parquet with objects": (
        {"a.parquet": parquet(text=TEXTS, label=[{"of": 1}] * 30)},
        {"train": "a.parquet"},
        r"a.parquet: the column 'label' holds struct<of: int64>, expected texts or numbers",
    ),
    "parquet with dates": (
        {"a.parquet": parquet(text=TEXTS, label=pa.array([1] * 30, pa.date32()))},
        {"train": "a.parquet"},
        r"a.parquet: the column 'label' holds date32\[day\], expected texts or numbers",
    ),
    "parquet with bytes": (
        {"a.parquet": parquet(text=[b"a"] * 30, label=TEXTS)},
        {"train": "a.parquet"},
        r"a.parquet: the column 'text' holds binary, expected texts or numbers",
    ),
    # Paths.
    "an address": (
        {},
        {"train": "https://example.org/a.csv"},
        r"https://.../a.csv is an address, expected a file here: download it, or name a data set of the hub",
    ),
    "a long name": (
        {},
        {"train": "x" * 5000 + ".csv"},
        r"'x{40}'... is no name of a file \(File name too long\)",
    ),
    "a link to nothing": (
        {"a.csv": lambda path: path.symlink_to("nowhere.csv")},
        {"train": "a.csv"},
        r"a.csv is a link to what is not there",
    ),
    # Columns.
    "no such column": (
        {"train.csv": GOOD.replace("label", "Label", 1)},
        {},
        r"train.csv has no column 'label'; did you mean 'Label'\? there are: text, Label",
    ),
    "no header": (
        {"train.csv": GOOD.split("\n", 1)[1]},
        {},
        r"train.csv has no column 'text'; .*there are: a text of number 0, spam",
    ),
    "a column twice": (
        {"train.csv": "text,label,text\na,b,c\n"},
        {},
        r"train.csv has 2 columns 'text'; rename",
    ),
    "texts that are numbers": (
        {"a.parquet": parquet(text=list(range(30)), label=TEXTS)},
        {"train": "a.parquet"},
        r"the column 'text' of a.parquet holds numbers \(int64\), expected texts",
    ),
    "kinds that differ": (
        {"a.jsonl": jsonl({"text": "a", "label": 1}), "b.jsonl": jsonl({"text": "b", "label": "x"})},
        {"train": ["a.jsonl", "b.jsonl"]},
        r"the column 'label' holds int64 in a.jsonl and texts in b.jsonl; expected the same",
    ),
    # Missing values.
    "missing texts": (
        {"a.jsonl": jsonl({"text": "a", "label": 1}, {"text": None, "label": 0})},
        {"train": "a.jsonl"},
        r"a.jsonl, row 2 has no text in 'text'; fill it in, or take the row out",
    ),
    "nothing but empty texts": (
        {"train.csv": "text,label\n,a\n ,b\n"},
        {},
        r"every 'text' of train.csv is empty",
    ),
    "missing labels": (
        {"train.csv": rows(lambda i: "" if i in (3, 7, 9, 12, 14) else i % 2)},
        {},
        r"train.csv, rows 4, 8, 10 and 2 more have no 'label'; fill it in, or take the rows out",
    ),
    "a missing label in the second file": (
        {"b.csv": rows(lambda i: " " if i == 2 else "ham", 5, "more {}")},
        {"train": ["train.csv", "b.csv"]},
        r"b.csv, row 3 has no 'label'",
    ),
    "missing numbers": (
        {"a.parquet": parquet(text=TEXTS, label=[float("nan"), *map(float, range(29))])},
        {"train": "a.parquet"},
        r"a.parquet, row 1 has no 'label'",
    ),
    "a label that Python calls NaN": (
        {"a.jsonl": jsonl({"text": "a", "label": "x"}, {"text": "b", "label": float("nan")})},
        {"train": "a.jsonl"},
        r"a.jsonl, row 2 has no 'label'",
    ),
    "a text that Python calls NaN": (
        {"a.jsonl": jsonl({"text": "a", "label": "x"}, {"text": float("nan"), "label": "y"})},
        {"train": "a.jsonl"},
        r"a.jsonl, row 2 has no text in 'text'",
    ),
    "a category that is missing": (
        {"a.parquet": parquet(text=TEXTS, label=pa.array(["x", None, "y"] * 10).dictionary_encode())},
        {"train": "a.parquet"},
        r"a.parquet, rows 2, 5, 8 and 7 more have no 'label'",
    ),
    "a missing number of named ones": (
        {"a.parquet": named},
        {"train": "a.parquet"},
        r"a.parquet, rows 3, 6, 9 and 7 more have no 'label'",
    ),
    "a number that no name is of": (
        {"a.parquet": renamed},
        {"train": "a.parquet"},
        r"a.parquet: the column 'label' holds 1, expected 0 to 0, which are 'n'",
    ),
    # Labels.
    "labels of another column": (
        {"report.csv": rows(lambda i: i % 2, 5, "r {}")},
        {},
        r"no label of report.csv, such as '0', is one of train.csv, such as 'ham': every answer there would",
    ),
    "labels in another writing": (
        {"report.csv": REPORT.replace(",ham", ",Ham").replace(",spam", ",Spam")},
        {},
        r"no label of report.csv, such as 'Spam', is one of train.csv, such as 'ham'",
    ),
    "truth values in two writings": (
        {
            "a.parquet": parquet(text=TEXTS, label=[True, False] * 15),
            "report.csv": rows(lambda i: i % 2 == 0, 5, "r {}"),
        },
        {"train": "a.parquet"},
        r"no label of report.csv, such as 'True', is one of a.parquet, such as 'false'",
    ),
    "a selection of other labels": (
        {"dev.csv": rows(lambda i: "eggs", 5, "d {}")},
        {"selection": "dev.csv"},
        r"no label of dev.csv, such as 'eggs', is one of train.csv",
    ),
    "lists in a table": (
        {"train.csv": rows(lambda i: f"\"['a', 'b{i % 3}']\"")},
        {},
        r"'label' of train.csv holds lists written as texts, such as \"\['a', 'b0'\]\", expected one label",
    ),
    "several numbers in a table": (
        {"train.csv": rows(lambda i: f'"[{i % 3}, {i % 2}]"')},
        {},
        r"'label' of train.csv holds lists written as texts, such as '\[0, 0\]', expected",
    ),
    "yes and no": (
        {"train.csv": rows(lambda i: "yes" if i % 2 else "no")},
        {"labels": [True, False]},  # as YAML reads [yes, no]
        r"train.csv, row 1 has the label 'no', which .* YAML reads yes, no, on and off as true and false",
    ),
    "one class": (
        {"train.csv": rows(lambda i: "ham"), "report.csv": rows(lambda i: "ham", 5, "r {}")},
        {},
        r"every row has the label 'ham', expected two labels or more in 'label'",
    ),
    "a label a row": (
        {"train.csv": rows(lambda i: f"id-{i}")},
        {},
        r"has 32 different labels in 30 rows of train.csv, such as 'ham' and 'id-0': it looks like an id",
    ),
    "no number": (
        {"train.csv": rows(lambda i: "n/a" if i == 4 else i / 2)},
        {"problem": "regression"},
        r"train.csv, row 5 has the label 'n/a', expected a number, as in a regression",
    ),
    "a decimal comma": (
        {"train.csv": rows(lambda i: f'"{i},5"'), "report.csv": rows(lambda i: i, 5, "r {}")},
        {"metric": "pearson"},
        r"train.csv, row 1 has the label '0,5', expected a number",
    ),
    "infinite": (
        {"train.csv": rows(lambda i: "1e300"), "report.csv": rows(lambda i: i, 5, "r {}")},
        {"problem": "regression"},
        r"train.csv, row 1 has the label 1e\+300, expected a finite one",
    ),
    "one number": (
        {"train.csv": rows(lambda i: 1.5), "report.csv": rows(lambda i: i, 5, "r {}")},
        {"problem": "regression"},
        r"every row of train.csv has the label 1.5, expected several: a correlation with a constant",
    ),
    "a label that is not stated": (
        {"train.csv": rows(lambda i: "hamm" if i == 6 else "ham")},
        {"labels": ["spam", "ham"]},
        r"train.csv, row 7 has the label 'hamm', which is none of those that the .*; did you mean 'ham'\?",
    ),
    "f1 of nobody knows what": (
        {},
        {"metric": "f1"},
        r"f1 is of one label, expected which, as positive:; .*ham, spam",
    ),
    "f1 of no label": (
        {},
        {"metric": "f1", "positive": "Spam"},
        r"positive is 'Spam', which no row has; did you mean 'spam'\?",
    ),
    # Splits.
    "one file twice": (
        {},
        {"report": "train.csv"},
        r"train.csv is train and report; expected different files, or",
    ),
    "one content twice": (
        {"report.csv": GOOD},
        {},
        r"every text of train.csv is in report.csv as well, so that nothing is left to train on",
    ),
    "one file twice in a part": (
        {},
        {"train": ["train.csv", "train.csv"]},
        r"train.csv is named twice in one part",
    ),
    "too few": (
        {"train.csv": "text,label\na,x\nb,y\n", "report.csv": "text,label\nc,x\nd,y\n"},
        {},
        r"no row is left for selection; give more rows",
    ),
    "the hub, which is out of reach": (
        {},
        {"hub": "somebody/texts", "revision": "0" * 40, "train": "train", "report": "test"},
        r"somebody/texts can be had neither from the hub nor from the cache \(.+\); connect once",
    ),
}
BORNE: dict[str, tuple[Mapping[str, Content], Mapping[str, Any], str]] = {
    "a byte order mark": ({"train.csv": "\ufeff" + GOOD}, {}, ""),
    "windows line ends": ({"train.csv": GOOD.replace("\n", "\r\n")}, {}, ""),
    "empty lines": ({"train.csv": GOOD.replace("\n", "\n\n")}, {}, ""),
    "semicolons": ({"train.csv": GOOD.replace(",", ";")}, {}, r"train.csv is separated by semicolons\.$"),
    "tabs": ({"train.csv": GOOD.replace(",", "\t")}, {}, r"train.csv is separated by tabs\.$"),
    "a large ending": ({"TRAIN.CSV": GOOD}, {"train": "TRAIN.CSV"}, ""),
    "other columns": ({"train.csv": GOOD.replace("\n", ",1\n")}, {}, ""),
    "an empty text": (
        {"train.csv": GOOD + ",ham\n"},
        {},
        r"train.csv, row 31 has an empty 'text', and is kept\.$",
    ),
    "numbers for texts": (
        {"train.csv": rows(lambda i: "ham" if i % 2 else "spam", text="{}")},
        {},
        r"Every 'text' of train.csv is a number: is it the right column\?$",
    ),
    "one label in two writings": (
        {"train.csv": rows(lambda i: ("ham", "spam", "Ham ")[i % 3])},
        {},
        r"The labels 'Ham ' and 'ham' differ in case or white space alone\.$",
    ),
    "labels that only the report has": (
        {"report.csv": REPORT + "x,eggs\ny,eggs\n"},
        {},
        r"report.csv, rows 11 and 12 have the label 'eggs', which no training row has: answers there",
    ),
    "a report of one label": (
        {"report.csv": rows(lambda i: "ham", 5, "r {}")},
        {},
        r"Every row of report.csv has the label 'ham'\.$",
    ),
    "labels that nobody has": ({}, {"labels": ["spam", "ham", "eggs"]}, r"No row has the label 'eggs'\.$"),
    "a rare label": (
        {"train.csv": GOOD + "x,eggs\n"},
        {},
        r"Fewer than 5 training rows have the label 'eggs'\.$",
    ),
    "one number in two writings": (
        {
            "train.csv": rows(lambda i: ("1", "2", "01")[i % 3]),
            "report.csv": rows(lambda i: i % 3, 6, "r {}"),
        },
        {},
        r"The labels '01' and '1' are one number\.$",
    ),
    "one label in two ways of Unicode": (
        {"train.csv": GOOD.replace("ham", "caf\u00e9") + "x,cafe\u0301\n"},
        {},
        r"The labels 'cafe\u0301' and 'caf\u00e9' look alike: they differ in their Unicode signs\.$",
    ),
    "decimal commas": (
        {name: rows(lambda i: f'"{i % 3},5"', 30, name + " {}") for name in ("train.csv", "report.csv")},
        {},
        r"The labels, such as '0,5', are numbers with a decimal comma, and are read as texts\.$",
    ),
    "quotes that are none in a tsv": (
        {"a.tsv": GOOD.replace(",", "\t") + '"a quote by chance\tham\nits end"\tspam\n'},
        {"train": "a.tsv"},
        r"a.tsv, row 31 has tabs and line breaks in double quotes, and may be several rows: a quote that is",
    ),
    "texts and categories of another kind": (
        {
            "a.parquet": parquet(
                text=pa.array(TEXTS, pa.string_view()),
                label=pa.array(["ham", "spam"] * 15).dictionary_encode(),
            )
        },
        {"train": "a.parquet"},
        "",
    ),
    "prices": (
        {"train.csv": rows(lambda i: 1e5 + 1000.5 * i), "report.csv": rows(lambda i: 1e5 + i, 5, "r {}")},
        {},
        r"The labels of train.csv vary by 8.7e\+03 around their mean, and learning rates are made for labels",
    ),
    "imbalance": (
        {"train.csv": rows(lambda i: "spam" if i % 10 == 0 else "ham")},
        {},
        r"90% of the training rows have the label 'ham': to answer nothing else is right as often\.$",
    ),
    "duplicates across splits": (
        {"report.csv": REPORT + "A  TEXT of number 3,ham\n"},
        {},
        r"train.csv, row 4 is left out: report.csv has the same text\.$",
    ),
    "most are duplicates": (
        {"report.csv": GOOD.rsplit("\n", 11)[0] + "\n"},
        {},
        r"train.csv, rows 1, 2, 3 and \d+ more are left out, \d\d% of them: report.csv has the same texts\.$",
    ),
    "one text with two labels": (
        {"train.csv": GOOD + "a text of Number 3,spam\n"},
        {},
        r"train.csv, rows 4 and 31 have one text and the labels 'ham' and 'spam'\.$",
    ),
    "quotes inside of a text": ({"train.csv": GOOD.replace("3", '5" nail')}, {}, ""),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text(GOOD)
    (tmp_path / "report.csv").write_text(REPORT)
    return tmp_path


def resolved(folder: Path, files: Mapping[str, Content], values: Mapping[str, Any]) -> preparing.Resolved:
    for name, content in files.items():
        path = folder / name
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = {"name": "mine", "train": "train.csv", "report": "report.csv", **values}
    return preparing.resolve(told, str(folder))


@pytest.mark.parametrize("name", BAD)
def test_a_fault_has_one_sentence(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    files, values, sentence = BAD[name]
    with pytest.raises(DataError) as caught:
        resolved(folder, files, values)
    told = str(caught.value)
    assert re.search(sentence, told), told
    assert told.startswith("task 'mine'")
    assert "\n" not in told
    assert not told.endswith(".")


@pytest.mark.parametrize("name", BORNE)
def test_what_can_be_borne_is_said_once(name: str, folder: Path) -> None:
    files, values, sentence = BORNE[name]
    told = resolved(folder, files, values).notes[2:]
    if not sentence:
        assert told == ()
        return
    assert len([one for one in told if re.search(sentence, one)]) == 1, told


def test_at_least_forty_files_were_tried() -> None:
    assert len(BAD) >= 40


DECLARED: dict[str, tuple[Any, str]] = {
    "no data": ({}, r"has no data; expected train: and report:, or one file: that is split, or hub:"),
    "no report": ({"train": "a.csv"}, r"has no report; expected train: and report:"),
    "two ways": ({"file": "a.csv", "train": "b.csv"}, r"has file: beside train; expected"),
    "a slip": ({"file": "a.csv", "txet": "x"}, r"has no key 'txet'; did you mean 'text'\?"),
    "no metric": (
        {"file": "a.csv", "metric": "acuracy"},
        r"has no metric 'acuracy'; did you mean 'accuracy'\?",
    ),
    "two kinds of metric": (
        {"file": "a.csv", "metric": ["f1", "pearson"]},
        r"f1 and pearson, of a classification and",
    ),
    "the other kind": (
        {"file": "a.csv", "problem": "regression", "metric": "f1"},
        r"a regression is not scored by f1",
    ),
    "labels of numbers": (
        {"file": "a.csv", "problem": "regression", "labels": [1, 2]},
        r"is a regression and has labels",
    ),
    "one label": ({"file": "a.csv", "labels": ["a"]}, r"labels is \['a'\], expected a list of two or more"),
    "a label twice": ({"file": "a.csv", "labels": ["a", "a"]}, r"labels has 'a' twice"),
    "three texts": (
        {"file": "a.csv", "text": ["a", "b", "c"]},
        r"text names a, b and c, expected one column, or the two",
    ),
    "text as label": ({"file": "a.csv", "text": "label"}, r"'label' is named as text and as label"),
    "no problem": (
        {"file": "a.csv", "problem": "ranking"},
        r"problem is 'ranking', expected classification or regression",
    ),
    "positive alone": (
        {"file": "a.csv", "positive": "x"},
        r"has a positive label, which only `metric: f1` has use for",
    ),
    "a seed for nothing": (
        {"train": "a", "report": "b", "seed": 1},
        r"has a seed, which decides how one `file:` is split",
    ),
    "no seed": ({"file": "a.csv", "seed": "x"}, r"seed is 'x', expected a whole number"),
    "a moving hub": (
        {"hub": "a/b", "train": "a", "report": "b", "revision": "main"},
        r"expected the 40 digits of a commit",
    ),
    "a revision of files": (
        {"train": "a", "report": "b", "revision": "main"},
        r"which are of a data set of the hub",
    ),
    "a list for a path": ({"file": [1]}, r"file is \[1\], expected a text or a list of some"),
    "a home": (
        {"file": "~nobody-here/a.csv"},
        r"mine': '~nobody-here/a.csv' begins at a home that is not here",
    ),
    "a text behind the prompt": (
        {"file": "a.csv", "template": {"prompt": "{text}", "joint": " {text} is"}},
        r"joint of its template is ' {text} is', expected what follows the prompt",
    ),
    "a blank word": (
        {"file": "a.csv", "labels": ["a", "b"], "template": {"words": [" ", "b"]}},
        r"words of its template is \[' ', 'b'\], expected a list of texts",
    ),
    "words that are one": (
        {"file": "a.csv", "labels": ["a", "b"], "template": {"words": ["no", " no"]}},
        r"its template has the words no,  no, expected a word of its own for each",
    ),
    "no name": (
        {"name": "a/b", "file": "a.csv"},
        r"a task of one's own has the name 'a/b', expected letters",
    ),
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_declaration_that_makes_no_sense_has_one_sentence(name: str) -> None:
    values, sentence = DECLARED[name]
    with pytest.raises(DataError, match=sentence):
        preparing.resolve({"name": "mine", **values})

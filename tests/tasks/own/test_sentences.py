"""Labelled words of one's own: files of CoNLL's layout, and columns of lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from tasks.own import preparing
from tasks.spec import OF_SPANS, DataError

Content = str | bytes | Callable[[Path], Any]
Row = tuple[list[str], list[str]]

LABELS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def sentences(split: str, count: int = 30) -> list[Row]:
    """A person and a place of two words; every third sentence has two persons side by side."""
    found = []
    for i in range(count):
        words = ["Anna", "Eva" if i % 3 else "saw", "in", "New", "York", f"{split}{i}"]
        tags = ["B-PER", "O" if i % 3 == 0 else "B-PER", "O", "B-LOC", "I-LOC", "O"]
        found.append((words, tags))
    return found


def iob1(tags: list[str]) -> list[str]:
    """The same spans where B- stands between two of one type alone."""
    pairs = zip(["O", *tags], tags, strict=False)
    return [f"I{tag[1:]}" if tag[0] == "B" and before[1:] != tag[1:] else tag for before, tag in pairs]


def conll(rows: list[Row], columns: str = "{word} NN B-NP {tag}", ends: str = "\n") -> str:
    lines = [f"-DOCSTART- -X- -X- O{ends}", ends]
    for number, (words, tags) in enumerate(rows):
        pairs = zip(words, tags, strict=True)
        lines += [columns.format(word=word, tag=tag) + ends for word, tag in pairs]
        lines += [ends] * (1 + number % 2)  # one blank line, or two
    return "".join(lines)


def jsonl(rows: list[Row], **changes: Any) -> str:
    plain = [{"tokens": words, "ner_tags": tags} for words, tags in rows]
    return "\n".join(json.dumps({**row, **(changes if i == 2 else {})}) for i, row in enumerate(plain))


def parquet(rows: list[Row], numbers: bool = False) -> Callable[[Path], None]:
    tags: list[Any] = [[LABELS.index(tag) for tag in own] if numbers else own for _, own in rows]
    return lambda path: write_table(
        pa.table({"tokens": [words for words, _ in rows], "ner_tags": tags}), path
    )


def saved(rows: list[Row]) -> Callable[[Path], None]:
    names = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=list(LABELS))),
        }
    )
    columns = {"tokens": [words for words, _ in rows], "ner_tags": [tags for _, tags in rows]}
    return lambda path: datasets.Dataset.from_dict(columns, features=names).save_to_disk(str(path))


TRAIN, REPORT = sentences("train"), sentences("report", 9)


def resolved(folder: Path, files: Mapping[str, Content], values: Mapping[str, Any]) -> preparing.Resolved:
    for name, content in {"train.conll": conll(TRAIN), "report.conll": conll(REPORT), **files}.items():
        if callable(content):
            content(folder / name)
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    told = {"name": "mine", "train": "train.conll", "report": "report.conll"}
    return preparing.resolve({**told, "text": "tokens", "label": "ner_tags", **values}, str(folder))


SAME: dict[str, tuple[Mapping[str, Content], Mapping[str, Any]]] = {
    "CoNLL": ({}, {}),
    "no names": ({}, {"text": "text", "label": "label"}),
    "numbers of columns": ({}, {"text": "1", "label": "4"}),
    "two columns": ({"train.conll": conll(TRAIN, "{word} {tag}")}, {}),
    "the tag in between": (
        {"train.conll": conll(TRAIN, "{word} {tag} x y z"), "report.conll": conll(REPORT, "{word} {tag} x")},
        {"label": "2"},
    ),
    "tabs": ({"train.conll": conll(TRAIN, "{word}\t{tag}")}, {}),
    "more spaces": ({"train.conll": conll(TRAIN, "{word}   x  x   {tag}  ")}, {}),
    "windows": ({"train.conll": "\ufeff" + conll(TRAIN, ends="\r\n")}, {}),
    "no line end": ({"train.conll": conll(TRAIN).rstrip("\n")}, {}),
    "another ending": ({"train.txt": conll(TRAIN)}, {"train": "train.txt"}),
    "two files": (
        {"a.conll": conll(TRAIN[:9]), "b.conll": conll(TRAIN[9:])},
        {"train": ["a.conll", "b.conll"]},
    ),
    "IOB1": ({"train.conll": conll([(words, iob1(tags)) for words, tags in TRAIN])}, {}),
    "JSON lines": ({"a.jsonl": jsonl(TRAIN)}, {"train": "a.jsonl"}),
    "Parquet": ({"a.parquet": parquet(TRAIN)}, {"train": "a.parquet"}),
    "numbers": ({"a.parquet": parquet(TRAIN, numbers=True)}, {"train": "a.parquet", "labels": LABELS}),
    "saved": ({"a": saved(TRAIN), "b": saved(REPORT)}, {"train": "a", "report": "b"}),
    "stated": (
        {},
        {"problem": "token_classification", "labels": LABELS, "metric": [m.name for m in OF_SPANS]},
    ),
    "shuffled": ({"train.conll": conll(TRAIN[::-1])}, {}),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> preparing.Resolved:
    return resolved(tmp_path_factory.mktemp("plain"), {}, {})


@pytest.mark.parametrize("name", SAME)
def test_the_same_sentences_are_the_same_task_however_they_are_kept(
    name: str, tmp_path: Path, plain: preparing.Resolved
) -> None:
    files, values = SAME[name]
    found = resolved(tmp_path, files, values)
    assert found.own.model_dump(exclude={"text", "label"}) == plain.own.model_dump(exclude={"text", "label"})
    notes = ("The tags of train.conll are IOB1, and are read as IOB2.",) if name == "IOB1" else ()
    assert found.notes[2:] == notes


def test_words_keep_their_tags_and_no_sentence_is_in_two_splits(plain: preparing.Resolved) -> None:
    assert plain.own.labels == LABELS
    assert plain.own.metrics == tuple(metric.name for metric in OF_SPANS)
    assert plain.data.sizes == {"train": 27, "selection": 3, "report": 9}
    rows = [row for split in (plain.data.train, plain.data.selection, plain.data.report) for row in split]
    found = [(tuple(row["words"]), tuple(LABELS[tag] for tag in row["tags"])) for row in rows]
    assert sorted(found) == sorted((tuple(words), tuple(tags)) for words, tags in [*TRAIN, *REPORT])
    assert plain.notes == (
        "mine: 30 rows of train.conll and 9 rows of report.conll; 27 to train, 3 to select, 9 to report, the "
        "selection taken from the training rows.",
        "mine: words have 5 labels, by type: O, B-LOC, I-LOC, B-PER and I-PER; ranked by span_f1, "
        "span_precision, span_recall and token_accuracy beside, by default.",
    )
    assert plain.spec.is_tagged


def test_one_file_is_split_and_sentences_of_the_report_are_not_trained_on(tmp_path: Path) -> None:
    files = {"all.conll": conll([*TRAIN, *TRAIN[:4]])}
    one = resolved(tmp_path, files, {"train": None, "report": None, "file": "all.conll", "seed": 3})
    assert sum(one.data.sizes.values()) == 34
    seen = [{tuple(row["words"]) for row in split} for split in (one.data.train, one.data.report)]
    assert not seen[0] & seen[1]
    again = [([word.upper() for word in words], tags) for words, tags in REPORT[:1]]
    two = resolved(tmp_path, {"train.conll": conll([*TRAIN, *again])}, {})
    assert two.notes[2:] == ("train.conll, row 31 is left out: report.conll has the same text.",)
    assert two.data.dropped_train_examples == 1


def changed(row: int, words: list[str] | None = None, tags: list[str] | None = None) -> list[Row]:
    """The training sentences, one of them another."""
    before = TRAIN[row]
    return [*TRAIN[:row], (words or before[0], tags or before[1]), *TRAIN[row + 1 :]]


OUT = ["O"] * 6
BAD: dict[str, tuple[Mapping[str, Content], Mapping[str, Any], str]] = {
    "a word without a tag": (
        {"train.conll": "Anna B-PER\nsaw\nEva B-PER\n"},
        {},
        r"train.conll, line 2: 1 column where line 1 has 2; give every word its tag, and end a sentence",
    ),
    "no tags at all": (
        {"train.conll": "Anna\nsaw\n"},
        {},
        r"train.conll, line 1: 1 column, expected a word and",
    ),
    "an empty tag": (
        {"train.conll": "Anna\tB-PER\nsaw\t\nEva\tB-PER\n"},
        {},
        r"train.conll, line 2: 1 column where line 1 has 2",
    ),
    "only documents": ({"train.conll": "-DOCSTART- O\n\n"}, {}, r"train.conll has no sentence"),
    "no such column": (
        {},
        {"label": "ner_tag"},
        r"train.conll has 4 columns and none that is called 'ner_tag'; did you mean 'ner_tags'\?",
    ),
    "a column too far": ({}, {"label": "5"}, r"train.conll has 4 columns and none that is called '5'"),
    "an unknown prefix": (
        {"train.conll": conll(changed(1, tags=["S-PER", *OUT[1:]]))},
        {},
        r"train.conll, line 10 has the tag 'S-PER', expected O, B-TYPE or I-TYPE, as in B-PER",
    ),
    "no prefix": (
        {"train.conll": conll(changed(0, tags=["PER", *OUT[1:]]))},
        {},
        r"train.conll, line 3 has the tag 'PER', expected O,",
    ),
    "the wrong column": ({}, {"label": "2"}, r"train.conll, line 3 has the tag 'NN', expected O,"),
    "I- that goes on with nothing": (
        {"train.conll": conll(changed(1, tags=["O", "I-PER", *OUT[2:]]))},
        {},
        r"train.conll, line 11 has the tag 'I-PER', where no span of that type is to go on, as in IOB1, but "
        r"train.conll, line 3 has 'B-PER', as in IOB2; expected one of the two throughout",
    ),
    "I- of another type": (
        {"train.conll": conll(changed(1, tags=["B-PER", "I-LOC", *OUT[2:]]))},
        {},
        r"train.conll, line 11 has the tag 'I-LOC', where no span of that type",
    ),
    "another number of tags": (
        {"a.jsonl": jsonl(TRAIN, ner_tags=["O"])},
        {"train": "a.jsonl"},
        r"a.jsonl, row 3 has 6 words and 1 tags, expected one for each",
    ),
    "an empty sentence": (
        {"a.jsonl": jsonl(TRAIN, tokens=[], ner_tags=[])},
        {"train": "a.jsonl"},
        r"a.jsonl, row 3 has no 'tokens'; fill it in, or take the row out",
    ),
    "a missing sentence": (
        {"a.jsonl": jsonl(TRAIN, tokens=None)},
        {"train": "a.jsonl"},
        r"a.jsonl, row 3 has no 'tokens'",
    ),
    "missing tags": (
        {"a.jsonl": jsonl(TRAIN, ner_tags=None)},
        {"train": "a.jsonl"},
        r"a.jsonl, row 3 has no 'ner_tags'",
    ),
    "an empty word": (
        {"a.jsonl": jsonl(TRAIN, tokens=["a", " ", "c"], ner_tags=OUT[:3])},
        {"train": "a.jsonl"},
        r"a.jsonl, row 3, word 2 is ' ', expected a word",
    ),
    "a missing tag": (
        {"a.jsonl": jsonl(TRAIN, tokens=["a", "b"], ner_tags=["O", None])},
        {"train": "a.jsonl"},
        r"a.jsonl, row 3, word 2 has no tag",
    ),
    "words that are no texts": (
        {"a.jsonl": jsonl(TRAIN, tokens=[[1]], ner_tags=["O"])},
        {"train": "a.jsonl"},
        r"a.jsonl: the column 'tokens' holds lists of something else than texts, or than whole numbers",
    ),
    "texts for lists": (
        {"a.jsonl": "\n".join(json.dumps({"tokens": "a b", "ner_tags": "O O"}) for _ in range(9))},
        {"train": "a.jsonl", "problem": "token_classification"},
        r"the column 'tokens' of a.jsonl holds no lists, expected a list of words in every row, and one of",
    ),
    "lists and texts": (
        {"a.jsonl": jsonl(TRAIN), "b.jsonl": json.dumps({"tokens": "a", "ner_tags": "O"})},
        {"train": ["a.jsonl", "b.jsonl"]},
        r"the column 'tokens' holds lists in a.jsonl and texts in b.jsonl; expected the same in all",
    ),
    "numbers that nothing names": (
        {"a.parquet": parquet(TRAIN, numbers=True)},
        {"train": "a.parquet"},
        r"the tags of a.parquet are numbers, expected what they stand for, as labels: \[O, B-PER",
    ),
    "a number that has no name": (
        {"a.parquet": parquet(TRAIN, numbers=True)},
        {"train": "a.parquet", "labels": LABELS[:3]},
        r"a.parquet, row 1, word 1 has the tag 3, expected 0 to 2",
    ),
    "a tag that is not stated": (
        {},
        {"labels": LABELS[:3]},
        r"train.conll, line 3 has the tag 'B-PER', which is none of those that the task states; there",
    ),
    "labels that are none": (
        {},
        {"labels": ["O", "PER"]},
        r"'mine' has the tag 'PER', expected O, B-TYPE and",
    ),
    "no spans": (
        {name: conll([(words, OUT) for words, _ in rows]) for name, rows in (("train.conll", TRAIN),)}
        | {"report.conll": conll([(words, OUT) for words, _ in REPORT])},
        {},
        r"every word of train.conll has the tag 'O', expected spans in 'ner_tags'",
    ),
    "no span to report on": (
        {"report.conll": conll([(words, OUT) for words, _ in REPORT])},
        {},
        r"report.conll has no span, and train.conll has LOC and PER: every F1 there would be 0",
    ),
    "spans of other types": (
        {"report.conll": conll([(words, ["B-ORG", *OUT[1:]]) for words, _ in REPORT])},
        {},
        r"report.conll has spans of ORG alone, and train.conll has LOC and PER: every F1 there would be 0",
    ),
    "no blank lines": (
        {"train.conll": "a O\n" * 201},
        {},
        r"train.conll is one sentence of 201 words, expected a blank line behind each sentence",
    ),
    "another problem": (
        {},
        {"problem": "classification"},
        r"is a classification, as stated, and its columns hold lists: expected a text and a label in every",
    ),
    "another metric": ({}, {"metric": "accuracy"}, r"is a classification, as stated, and its columns hold"),
    "metrics of two kinds": (
        {},
        {"metric": ["span_f1", "accuracy"]},
        r"span_f1 and accuracy, of a token_classification and of a classification: expected those of one",
    ),
    "a metric of another problem": (
        {},
        {"metric": "f1", "problem": "token_classification"},
        r"a token_classification is not scored by f1, expected span_f1, span_precision, span_recall and",
    ),
    "a pair": (
        {},
        {"text": ["tokens", "pos_tags"]},
        r"text names tokens and pos_tags, expected one column of",
    ),
    "a span metric of texts": (
        {"a.csv": "tokens,ner_tags\na,x\nb,y\n"},
        {"train": "a.csv", "metric": "span_f1"},
        r"the column 'tokens' of a.csv holds no lists",
    ),
    "every sentence twice": (
        {"report.conll": conll(TRAIN)},
        {},
        r"every text of train.conll is in report.conll as well, so that nothing is left to train on",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_fault_has_one_sentence_with_its_line(name: str, tmp_path: Path) -> None:
    files, values, sentence = BAD[name]
    with pytest.raises(DataError) as caught:
        resolved(tmp_path, files, values)
    told = str(caught.value)
    assert re.search(sentence, told), told
    assert told.startswith("task 'mine'")
    assert "\n" not in told
    assert not told.endswith(".")


def test_lists_of_other_kinds_columns_by_number_and_odd_tags(
    tmp_path: Path, plain: preparing.Resolved
) -> None:
    lists = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    for name, rows in (("train", TRAIN), ("report", REPORT)):
        words = pa.array([words for words, _ in rows], pa.list_(pa.string(), 6))
        tags = pa.array([tags for _, tags in rows], lists)
        write_table(pa.table({"tokens": words, "ner_tags": tags}), tmp_path / f"{name}.parquet")
        (tmp_path / f"{name}.conll").write_text(conll(rows))
    given = {"name": "mine", "text": "tokens", "label": "ner_tags"}
    found = preparing.resolve({**given, "train": "train.parquet", "report": "report.parquet"}, str(tmp_path))
    assert found.own == plain.own
    given = {"name": "mine", "text": 1, "label": 4, "train": "train.conll", "report": "report.conll"}
    assert preparing.resolve(given, str(tmp_path)).own.sha256 == plain.own.sha256
    odd = (TRAIN[0][0], ["B-per", *OUT[1:]])
    (tmp_path / "train.conll").write_text(conll([*TRAIN, odd]))
    told = preparing.resolve(given, str(tmp_path)).notes
    assert "The labels 'B-PER' and 'B-per' differ in case or white space alone." in told
    assert "train.conll, rows 1 and 31 have the same words and other tags." in told


def test_types_that_only_the_report_has_are_told(tmp_path: Path) -> None:
    report = [
        (words, ["B-ORG", *tags[1:]] if n in (2, 5) else tags) for n, (words, tags) in enumerate(REPORT)
    ]
    found = resolved(tmp_path, {"report.conll": conll(report)}, {})
    assert found.notes[2:] == (
        "report.conll, rows 3 and 6 have spans of 'ORG', which no training sentence has: answers there are "
        "always wrong.",
    )
    assert found.own.labels == (*LABELS[:3], "B-ORG", "I-ORG", *LABELS[3:])


def test_a_further_report_split_is_read_alike_and_moves_nothing(
    tmp_path: Path, plain: preparing.Resolved
) -> None:
    other = [*sentences("other", 5), TRAIN[0]]
    reports = {"test": "report.conll", "other": "other.conll"}
    found = resolved(tmp_path, {"other.conll": conll(other)}, {"report": reports})
    assert found.own.sha256 == plain.own.sha256
    apart = found.data.further["other"]
    assert (len(apart.rows), apart.left_out) == (5, 1)
    told = {tuple(row["words"]): [LABELS[tag] for tag in row["tags"]] for row in apart.rows}
    assert told == {tuple(words): tags for words, tags in other[:5]}

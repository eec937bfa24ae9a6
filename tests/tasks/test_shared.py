from __future__ import annotations

from dataclasses import replace

import datasets

from tasks.shared import shared
from tasks.spec import TaskData


def data(train: dict[str, list], report: dict[str, list] | None = None) -> TaskData:
    """Splits of these columns; nobody's selection has a text of another's."""
    parts = {
        name: datasets.Dataset.from_dict(part)
        for name, part in (("train", train), ("report", report or train))
    }
    selection = parts["train"].select([])
    return TaskData(**parts, selection=selection, sizes={}, dropped_train_examples=0, sha256="", source="")


def by_split(one: TaskData, other: TaskData) -> dict[str, int]:
    """What the first shares with the second."""
    return shared({"one": one, "other": other})["one"].get("other", {})


def test_texts_are_the_same_by_letters_and_digits():
    written = data({"text": ["It's a film, isn't it?", "Another", "Été 2020"]}, {"text": ["alone"]})
    tokens = data({"text": ["nothing"]}, {"text": ["it 's a film , is n't it ?", "ÉTÉ 20 20", "anothers"]})
    assert by_split(written, tokens) == {"train": 2, "selection": 0, "report": 0}
    assert by_split(tokens, written) == {"train": 0, "selection": 0, "report": 2}


def test_of_several_tasks_those_that_share_something_are_named():
    first, second, third = (data({"text": texts}) for texts in (["a", "b"], ["b", "c"], ["d"]))
    found = shared({"first": first, "second": second, "third": third})
    both = {"train": 1, "selection": 0, "report": 1}
    assert found == {"first": {"second": both}, "second": {"first": both}, "third": {}}


def test_either_text_of_a_pair_and_the_sentence_of_labelled_words():
    pairs = data({"text": ["a b", "c d"], "text_pair": ["e", "f"]})
    assert by_split(pairs, data({"words": [["e"], ["C", "d"]]}))["train"] == 2
    assert by_split(data({"words": [["a", "b"], ["a"]]}), pairs)["train"] == 1


def test_texts_without_a_letter_are_nobodys():
    assert not by_split(data({"text": ["!?", "", "..."]}), data({"text": ["", "..."]}))


def test_further_report_splits_count():
    one, other = data({"text": ["a"]}), data({"text": ["b"]})
    assert not by_split(one, other)
    part = type("Part", (), {"rows": datasets.Dataset.from_dict({"text": ["a"]}), "sha256": ""})()
    other = replace(other, further={"more": part})
    assert by_split(one, other)["train"] == 1
    assert by_split(other, one) == {"train": 0, "selection": 0, "report": 0, "more": 1}

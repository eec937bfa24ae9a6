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


def test_texts_are_the_same_by_letters_and_digits():
    written = data({"text": ["It's a film, isn't it?", "Another", "Été 2020"]}, {"text": ["alone"]})
    tokens = data({"text": ["nothing"]}, {"text": ["it 's a film , is n't it ?", "ÉTÉ 20 20", "anothers"]})
    found = shared(written, tokens)
    assert found
    assert found.rows == {"train": 3, "selection": 0, "report": 1}
    assert found.shared == {"train": 2, "selection": 0, "report": 0}
    assert shared(tokens, written).shared == {"train": 0, "selection": 0, "report": 2}


def test_either_text_of_a_pair_and_the_sentence_of_labelled_words():
    pairs = data({"text": ["a b", "c d"], "text_pair": ["e", "f"]})
    assert shared(pairs, data({"words": [["e"], ["C", "d"]]})).shared["train"] == 2
    assert shared(data({"words": [["a", "b"], ["a"]]}), pairs).shared["train"] == 1


def test_texts_without_a_letter_are_nobodys():
    assert not shared(data({"text": ["!?", "", "..."]}), data({"text": ["", "..."]}))


def test_further_report_splits_count():
    one, other = data({"text": ["a"]}), data({"text": ["b"]})
    assert not shared(one, other)
    part = type("Part", (), {"rows": datasets.Dataset.from_dict({"text": ["a"]}), "sha256": ""})()
    other = replace(other, further={"more": part})
    assert shared(one, other).shared["train"] == 1
    assert shared(other, one).shared == {"train": 0, "selection": 0, "report": 0, "more": 1}

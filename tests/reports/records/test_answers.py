from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reports.errors import RecordError
from reports.records.answers import packed, packed_spans, unpacked
from reports.stats.mcnemar import mcnemar


@given(st.integers(2, 300), st.integers(1, 50), st.data())
def test_classes_come_back_as_they_were(labels: int, count: int, data: st.DataObject) -> None:
    draw = arrays.arrays(np.int64, count, elements=st.integers(0, labels - 1))
    predicted, references = data.draw(draw), data.draw(draw)
    answers = packed(predicted, references, labels)
    found = unpacked(answers)
    assert np.array_equal(found[0], predicted)
    assert np.array_equal(found[1], references)


@given(arrays.arrays(np.float32, 7, elements=st.floats(-1e6, 1e6, width=32)))
def test_numbers_come_back_as_they_were(values: np.ndarray) -> None:
    found, _ = unpacked(packed(values, values, None))
    assert np.array_equal(found, values.astype(np.float64))


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=30), st.integers(9, 40))
def test_numbers_of_spans_come_back_as_they_were(counts: list[tuple[int, int, int]], longest: int) -> None:
    right, given_, there = np.array(counts).T
    answers = packed_spans(right, given_, there, longest)
    predicted, references = unpacked(answers)
    assert np.array_equal(predicted, np.stack([right, given_], axis=1))
    assert np.array_equal(references, there)
    assert "hits" in answers.model_dump()
    assert mcnemar(answers, answers) is None  # a sentence is right in parts
    assert "hits" not in packed([0, 1], [0, 1], 2).model_dump()  # written as a record of before


def test_a_binary_answer_takes_a_bit() -> None:
    answers = packed(np.ones(872), np.ones(872), 2)
    assert len(answers.predicted) == 4 * -(-109 // 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"predicted": "%%"}, "not base64"),
        ({"count": 99}, "take another number"),
        ({"labels": 3}, "is the class 3, of 3"),
    ],
)
def test_what_does_not_hold_together_is_one_sentence(change: dict[str, object], words: str) -> None:
    answers = packed([3, 1, 2, 0], [3, 1, 2, 0], 4).model_copy(update=change)
    with pytest.raises(RecordError, match=words):
        unpacked(answers)

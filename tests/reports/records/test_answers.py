from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from reports.errors import RecordError
from reports.records.answers import packed, unpacked


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

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reports.records.answers import packed
from reports.stats.mcnemar import McNemar, mcnemar


def test_by_hand_and_by_scipy() -> None:
    right = np.array([0, 1] * 10)
    first, second = right.copy(), right.copy()
    first[:2] = 1 - first[:2]
    second[5:14] = 1 - second[5:14]
    found = mcnemar(packed(first, right, 2), packed(second, right, 2))
    assert found == McNemar(only_first=9, only_second=2)
    assert found.p == pytest.approx(2 * stats.binom.cdf(2, 11, 0.5))
    assert found.told == "McNemar's exact test, p = 0.065"


def test_the_same_answers_and_other_examples() -> None:
    right = np.array([0, 1, 1])
    one = packed(right, right, 2)
    assert mcnemar(one, one).p == 1  # type: ignore[union-attr]
    assert mcnemar(one, packed(right, 1 - right, 2)) is None
    assert mcnemar(one, None) is None

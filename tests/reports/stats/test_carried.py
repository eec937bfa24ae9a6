"""What of a ranking another model shares: the properties of Kendall's tau, and what is said of it."""

from __future__ import annotations

import pytest

from reports.stats.carried import carried
from reports.stats.estimate import Estimate
from reports.stats.learning import Risk
from reports.stats.standing import Place, Standing


def _standing(model: str, order: list[str]) -> Standing:
    places = tuple(
        Place(label, Estimate(float(rank), None, 3), None, Risk(3, 0), None)
        for rank, label in enumerate(order, start=1)
    )
    return Standing(model, ("t",), ("t",), places, (), ())


METHODS = list("abcdefgh")


def test_the_same_order_carries_over_and_the_reverse_does_not() -> None:
    same = carried([_standing("one", METHODS), _standing("two", METHODS)], {"two": "Two (7 M)"})
    assert same is not None
    (pair,) = same.pairs
    assert (pair.methods, pair.second) == (8, "Two (7 M)")
    assert pair.tau == pytest.approx(1.0)
    assert "more alike than chance" in same.sentences[0]
    turned = carried([_standing("one", METHODS), _standing("two", METHODS[::-1])])
    assert turned is not None
    assert turned.pairs[0].tau == pytest.approx(-1.0)
    assert "is not decided" in turned.sentences[0]


def test_it_does_not_matter_which_model_comes_first_and_only_shared_methods_count() -> None:
    one, two = _standing("one", METHODS), _standing("two", ["x", *METHODS[2:], "a"])
    there, back = carried([one, two]), carried([two, one])
    assert there is not None
    assert back is not None
    assert there.pairs[0].tau == pytest.approx(back.pairs[0].tau)
    assert there.pairs[0].methods == 7
    ends = there.pairs[0].interval
    assert ends is not None
    assert ends.low < there.pairs[0].tau < ends.high


def test_few_methods_have_no_interval_and_one_has_nothing() -> None:
    few = carried([_standing("one", ["a", "b"]), _standing("two", ["a", "b"])])
    assert few is not None
    assert few.pairs[0].interval is None
    assert "too few methods" in few.sentences[0]
    assert carried([_standing("one", ["a"]), _standing("two", ["a"])]) is None
    assert carried([_standing("one", METHODS)]) is None

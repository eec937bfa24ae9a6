"""What may be searched of every method, held against its options."""

from __future__ import annotations

import pytest

import methods
from methods.core import LEARNING_RATE, Choice, LogUniform, SearchSpace


@pytest.mark.parametrize("name", methods.names())
def test_every_method_declares_a_space_around_its_defaults(name: str) -> None:
    method = methods.get(name)
    assert isinstance(method.card.search_space, SearchSpace)
    defaults = {LEARNING_RATE: method.card.learning_rate, **method.options().model_dump()}
    dimensions = method.card.search_space.dimensions
    assert 1 <= len(dimensions) <= 3
    assert next(iter(dimensions)) == LEARNING_RATE
    for option, dimension in dimensions.items():
        assert defaults[option] in dimension
    rates = method.card.search_space.learning_rate
    assert 10 <= rates.high / rates.low <= 1000


@pytest.mark.parametrize("name", methods.names())
def test_every_value_of_a_space_is_a_valid_option(name: str) -> None:
    method = methods.get(name)
    for option, dimension in method.card.search_space.options.items():
        tried = dimension.values if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        for value in tried:
            assert getattr(method.options.parse(name, {option: value}), option) == value


def test_membership_description_and_words() -> None:
    rates, sizes = LogUniform(1e-4, 1e-2), Choice((8, 64))
    assert 1e-4 in rates
    assert 1e-2 in rates
    assert 9e-5 not in rates
    assert "fast" not in rates
    assert 64 in sizes
    assert 9 not in sizes
    assert (str(rates), str(sizes)) == ("0.0001 to 0.01", "8, 64")
    assert (rates.describe(), sizes.describe()) == ({"low": 1e-4, "high": 1e-2}, {"values": [8, 64]})
    assert SearchSpace(rates, {"rank": sizes}).dimensions == {LEARNING_RATE: rates, "rank": sizes}


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 1), (1, 1), (2, 1), (float("nan"), 1)])
def test_a_range_needs_positive_bounds_in_order(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 < low < high"):
        LogUniform(*bounds)


@pytest.mark.parametrize("values", [(), (1,), (1, 2, 1)])
def test_a_choice_needs_two_different_values(values: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="two different values"):
        Choice(values)

from __future__ import annotations

from typing import Any

import pytest

from methods import MethodError
from runners.plan.errors import SpecError
from runners.plan.serving_study import AskedArrivals, parse_serving_study


def content(**changes: Any) -> dict[str, Any]:
    whole = {
        "kind": "serving",
        "name": "many",
        "methods": ["prefix", {"lora": {"rank": 4}}],
        "tasks": [16, 1, 16],
        "batch": [8],
        "length": [16],
    } | changes
    return {key: value for key, value in whole.items() if value is not None}


def test_numbers_rise_and_come_once():
    study = parse_serving_study(content())
    assert study.asked.tasks == (1, 16)
    assert [choice.label for choice in study.choices] == ["prefix", "lora rank=4"]
    assert study.arrivals is None
    assert study.most_seconds == 2 * 2 * study.asked.seconds
    assert study.size == "2 methods, up to 16 tasks"


def test_arrivals_are_those_of_the_command_unless_said():
    assert parse_serving_study(content(arrivals={})).arrivals == AskedArrivals()
    found = parse_serving_study(content(arrivals={"tasks": [], "limit_ms": 50, "zipf": 0.5})).arrivals
    assert found == AskedArrivals(further=(), limit_ms=50, exponent=0.5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tasks": [0]}, r"received tasks \[0\], expected whole numbers of at least 1"),
        ({"arrivals": {"tasks": [-1]}}, r"received arrivals.tasks \[-1\]"),
        ({"mix": "even"}, "mix"),
        ({"batchs": [1]}, "batch"),
        ({"methods": [{"method": "lora", "protocol": {"steps": 3}}]}, "trains nothing"),
        ({"length": None}, "length"),
    ],
)
def test_faults_are_one_sentence(changes, said):
    with pytest.raises(SpecError, match=said) as caught:
        parse_serving_study(content(**changes))
    assert "\n" not in str(caught.value)


def test_options_are_checked_before_anything_is_read():
    with pytest.raises(MethodError, match="rnak"):
        parse_serving_study(content(methods=[{"lora": {"rnak": 4}}]))

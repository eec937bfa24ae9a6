from __future__ import annotations

from typing import Any

import pytest

from reports.claims.select import Pool
from reports.claims.trend import Rule, evaluate


def rule(**changes: Any) -> Rule:
    base = {"kind": "trend", "what": "The score", "over": "options.rank", "where": {"method": "lora"}}
    return Rule(**base | {"at_least": 0.01} | changes)


def rising(trials, slopes: list[float], ranks: tuple[int, ...] = (1, 2, 4)) -> list[Any]:
    """Per seed 0.6 + slope · log2 rank."""
    return [
        record
        for power, rank in enumerate(ranks)
        for record in trials("lora", [0.6 + slope * power for slope in slopes], options={"rank": rank})
    ]


@pytest.mark.parametrize(
    ("slopes", "verdict"),
    [
        ([0.03, 0.031, 0.029], "supported"),
        ([0.001, 0.002, 0.0], "not supported"),
        ([0.0, 0.02, 0.04], "not decided"),
    ],
)
def test_three_verdicts(trials, slopes: list[float], verdict: str) -> None:
    found = evaluate(rule(), Pool(rising(trials, slopes)))
    assert found.verdict == verdict
    assert found.estimate.value == pytest.approx(sum(slopes) / 3)
    assert found.records == 9


def test_two_values_are_no_trend(trials) -> None:
    found = evaluate(rule(), Pool(rising(trials, [0.03] * 3, (1, 2))))
    assert found.verdict == "not decided"
    assert "a trend takes 3" in found.sentence


def test_a_seed_that_lacks_a_value_does_not_count(trials) -> None:
    records = rising(trials, [0.03, 0.03, 0.03, 0.5])
    assert evaluate(rule(), Pool(records[:-1])).estimate.n == 3


def test_each_value_has_its_own_best_setting(trials) -> None:
    records = []
    for power, rank in enumerate((1, 2, 4)):
        good = [0.6 + 0.02 * power] * 3
        records += trials("lora", good, options={"rank": rank}, selection=0.8, learning_rate=0.001 * rank)
        records += trials("lora", [0.9] * 3, options={"rank": rank}, selection=0.1, learning_rate=0.5)
    found = evaluate(rule(choose="protocol.learning_rate"), Pool(records))
    assert found.estimate.value == pytest.approx(0.02)


def test_the_figure_has_curve_and_level(trials) -> None:
    made = rule(beside=[{"label": "full", "where": {"method": "full"}}])
    plot = evaluate(made, Pool([*rising(trials, [0.03] * 3), *trials("full", [0.8] * 3)])).plot
    assert plot is not None
    assert [point.x for point in plot.series["lora"]] == [1, 2, 4]
    assert [(point.x, point.estimate.value) for point in plot.series["full"]] == [
        (1, pytest.approx(0.8)),
        (4, pytest.approx(0.8)),
    ]

from __future__ import annotations

from typing import Any

import pytest

from reports.claims.select import Pool
from reports.claims.transfer import Rule, evaluate

RATES = (0.001, 0.004)


def rule(**changes: Any) -> Rule:
    base = {
        "kind": "transfer",
        "what": "Keeping the rate",
        "where": {"method": "lora"},
        "setting": "protocol.learning_rate",
        "across": "options.rank",
        "reference": 8,
        "at_most": 0.02,
    }
    return Rule(**base | changes)


def grid(trials, table: dict[int, tuple[list[float], list[float]]]) -> list[Any]:
    """Scores at each rank for both rates; the selection split says the same as the first seed's score."""
    return [
        record
        for rank, rows in table.items()
        for rate, scores in zip(RATES, rows, strict=True)
        for record in trials("lora", scores, options={"rank": rank}, learning_rate=rate, selection=scores[0])
    ]


def test_the_same_setting_is_best(trials) -> None:
    table = {8: ([0.8] * 3, [0.7] * 3), 64: ([0.82] * 3, [0.7] * 3)}
    found = evaluate(rule(), Pool(grid(trials, table)))
    assert found.verdict == "not decided"  # nothing is lost; how sure the choice is, no sample tells
    assert (found.estimate.value, found.estimate.interval) == (0, None)
    assert "the same setting was chosen there" in found.sentence
    assert "Chosen at rank 8: learning rate 0.001;" in found.sentence


def test_another_setting_is_better_by_far(trials) -> None:
    table = {8: ([0.8] * 3, [0.7] * 3), 64: ([0.70, 0.71, 0.72], [0.80, 0.81, 0.825])}
    found = evaluate(rule(), Pool(grid(trials, table)))
    assert found.verdict == "not supported"
    assert found.estimate.value == pytest.approx(0.305 / 3)


def test_the_loss_may_be_unclear(trials) -> None:
    table = {8: ([0.8] * 3, [0.7] * 3), 64: ([0.70, 0.75, 0.80], [0.76, 0.75, 0.80])}
    assert evaluate(rule(), Pool(grid(trials, table))).verdict == "not decided"


def test_it_fails_where_it_fails_at_one_value(trials) -> None:
    table = {
        1: ([0.8] * 3, [0.7] * 3),
        8: ([0.8] * 3, [0.7] * 3),
        64: ([0.69, 0.7, 0.71], [0.8] * 3),
    }
    found = evaluate(rule(), Pool(grid(trials, table)))
    assert found.verdict == "not supported"
    assert "at rank 64" in found.sentence


def test_a_product_of_settings_carries_over(trials) -> None:
    records = []
    for alpha, rates in ((4, (0.004, 0.016)), (16, (0.001, 0.004))):
        for rate, score in zip(rates, (0.8, 0.7), strict=True):
            records += trials("lora", [score] * 3, options={"alpha": alpha}, learning_rate=rate)
    made = rule(setting="options.alpha * protocol.learning_rate", across="options.alpha", reference=16)
    found = evaluate(made, Pool(records))
    assert found.estimate.value == 0
    assert "Chosen at alpha 16: alpha × learning rate 0.016;" in found.sentence
    apart = evaluate(rule(across="options.alpha", reference=16), Pool(records))
    assert apart.verdict == "not decided"
    assert "was not tried" in apart.sentence


def test_without_the_reference_nothing_is_decided(trials) -> None:
    found = evaluate(rule(), Pool(grid(trials, {64: ([0.8] * 3, [0.7] * 3)})))
    assert found.verdict == "not decided"
    assert "it takes trials at options.rank = 8" in found.sentence

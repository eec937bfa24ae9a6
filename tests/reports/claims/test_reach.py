from __future__ import annotations

from typing import Any

import pytest

from reports.claims.reach import Rule, evaluate
from reports.claims.select import Pool


def rule(**changes: Any) -> Rule:
    base = {
        "kind": "reach",
        "what": "d90",
        "where": {"method": "said"},
        "over": "options.dimension",
        "reference": {"method": "full"},
        "at_most": 1000,
    }
    return Rule(**base | changes)


def sweep(trials, table: dict[int, list[float]], full: tuple[float, ...] = (0.9, 0.9, 0.9)) -> Pool:
    records = trials("full", full)
    for dimension, scores in table.items():
        records += trials("said", scores, options={"dimension": dimension})
    return Pool(records)


def test_reached_within_the_bound(trials) -> None:
    """90 % of 0.9 is 0.81."""
    pool = sweep(trials, {100: [0.6, 0.61, 0.62], 1000: [0.83, 0.84, 0.85], 10_000: [0.88] * 3})
    found = evaluate(rule(), pool)
    assert found.verdict == "supported"
    assert found.estimate.value == 1000
    assert found.estimate.interval == pytest.approx((100, 1000))
    assert "90% of full is 0.810; tried: 100, 1,000, 10,000." in found.sentence
    assert found.records == 12


def test_beyond_the_bound(trials) -> None:
    pool = sweep(trials, {100: [0.6] * 3, 1000: [0.70, 0.71, 0.72], 10_000: [0.88] * 3})
    found = evaluate(rule(), pool)
    assert found.verdict == "not supported"
    assert found.estimate.value == 10_000
    never = evaluate(rule(), sweep(trials, {100: [0.6] * 3, 1000: [0.70, 0.71, 0.72]}))
    assert never.verdict == "not supported"
    assert never.sentence.startswith("d90: above 1,000, the largest that was tried")


def test_on_the_edge(trials) -> None:
    pool = sweep(trials, {100: [0.6] * 3, 1000: [0.75, 0.82, 0.89], 10_000: [0.88] * 3})
    found = evaluate(rule(), pool)
    assert found.verdict == "not decided"
    assert found.estimate.value == 1000
    coarse = evaluate(rule(at_most=500), sweep(trials, {100: [0.6] * 3, 1000: [0.85] * 3}))
    assert coarse.verdict == "not decided"


def test_the_gain_over_the_majority_is_another_threshold(trials) -> None:
    """0.83 is 92 % of 0.9, but only 82 % of the gain from 0.5 to 0.9."""
    pool = sweep(trials, {100: [0.6] * 3, 1000: [0.828, 0.83, 0.832]})
    assert evaluate(rule(), pool).verdict == "supported"
    assert evaluate(rule(measure="gained"), pool).verdict == "not supported"


def test_missing_records_and_few_seeds(trials) -> None:
    assert "no trial of said" in evaluate(rule(), sweep(trials, {})).sentence
    assert "no trial of full" in evaluate(rule(), sweep(trials, {100: [0.6] * 3}, ())).sentence
    few = evaluate(rule(), sweep(trials, {100: [0.9] * 2}))
    assert few.verdict == "not decided"
    assert "2 seeds, and it takes 3" in few.sentence

"""Rules on records of serving many tasks, with all three verdicts by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reports.claims import judge, parse_claim
from reports.claims.serving import OF_A_BATCH, OF_A_RECORD, OF_TASKS, Rule, evaluate
from reports.records.serving_schema import ServingRecord
from reports.stats.latency import interval

from ..servings import TENSOR_BYTES, build_serving, stored, took

AT = {"method": "lora", "batch": 8, "length": 16, "tasks": 4}


def rule(*terms: dict[str, Any], **bounds: float) -> Rule:
    full = [AT | term for term in terms]
    return Rule(kind="serving", what="The number", terms=full, **bounds or {"at_most": 1.2})


def value(term: dict[str, Any], *records: ServingRecord) -> float:
    found = evaluate(rule(term), records or [build_serving()])
    assert found.estimate.value is not None, found.sentence
    return found.estimate.value


@pytest.mark.parametrize(
    ("mixed", "verdict"), [(1.08, "supported"), (1.3, "not supported"), (1.2, "not decided")]
)
def test_a_way_beside_the_base(mixed: float, verdict: str) -> None:
    found = evaluate(rule({"of": "mixed"}), [build_serving(cell={"mixed": mixed})])
    assert found.verdict == verdict
    assert found.records == 1
    assert found.estimate.value == pytest.approx(mixed)
    assert found.plot.level == 1.0


@pytest.mark.parametrize(
    ("of", "over", "pair"),
    [
        ("mixed", "in_turn", "mixed_to_in_turn"),
        ("mixed", "merged_in_turn", "mixed_to_merged_in_turn"),
        ("one_task", "merged", "one_task_to_merged"),
    ],
)
@pytest.mark.parametrize("unit", ["", ".ms_p50", ".rows_per_second"])
def test_two_ways_of_the_same_rounds(of: str, over: str, pair: str, unit: str) -> None:
    record = build_serving()
    (batch,) = (b for b in record.batches if (b.batch_size, b.sequence_length, b.tasks) == (8, 16, 4))
    expected, ends = getattr(batch, pair).ratio, interval(getattr(batch, pair))
    if unit == ".rows_per_second":
        expected, ends = 1 / expected, type(ends)(1 / ends.high, 1 / ends.low)
    found = evaluate(rule({"of": of + unit, "over": over + unit}), [record]).estimate
    assert found.value == pytest.approx(expected)
    assert found.interval == pytest.approx(ends)
    turned = evaluate(rule({"of": over + unit, "over": of + unit}), [record]).estimate
    assert turned.value == pytest.approx(1 / expected)
    assert turned.interval == pytest.approx((1 / ends.high, 1 / ends.low))


def test_a_time_over_the_bases_is_the_ratio_of_the_rounds() -> None:
    record = build_serving()
    for of, over in (("mixed.ms_p50", "base.ms_p50"), ("base.rows_per_second", "mixed.rows_per_second")):
        found = evaluate(rule({"of": of, "over": over}), [record]).estimate
        plain = evaluate(rule({"of": "mixed"}), [record]).estimate
        assert found.value == pytest.approx(plain.value)
        assert found.interval == pytest.approx(plain.interval)


def test_memory_is_exact() -> None:
    record = build_serving(stored=(stored(1), stored(4, memory_bytes=5 * TENSOR_BYTES), stored(16)))
    found = evaluate(rule({"of": "memory_bytes", "over": "tensor_bytes"}, at_most=1.25), [record])
    assert (found.verdict, found.estimate.value) == ("supported", 1.25)
    assert found.estimate.interval == (1.25, 1.25)
    assert found.sentence == "The number is 1.250, exactly; it has to be at most 1.25."
    found = evaluate(rule({"of": "memory_bytes", "over": "base_memory_bytes"}, at_most=0.01), [record])
    assert found.verdict == "not supported"
    assert found.estimate.value == 5 * TENSOR_BYTES / record.base_memory_bytes


def test_times_of_single_tasks_and_other_numbers_of_them() -> None:
    record = build_serving(stored=(stored(1), stored(4), stored(16, add=took(0.78))))
    assert value({"of": "add.ms_p50"}, record) == 0.52
    many = {"of": "add.ms_p50", "tasks": 16, "over": {"of": "add.ms_p50", "tasks": 1}}
    found = evaluate(rule(many, at_most=3), [record])
    assert found.verdict == "supported"
    assert found.estimate.value == pytest.approx(1.5)
    down, up = math.hypot(math.log(1 / 0.9), math.log(1.2)), math.hypot(math.log(1.2), math.log(1 / 0.9))
    assert found.estimate.interval == pytest.approx((1.5 * math.exp(-down), 1.5 * math.exp(up)))
    assert value({"of": "merged_switch.ms_p50", "over": "switch.ms_p50"}) == pytest.approx(3.1 / 0.06)
    assert value({"of": "mixed.rows_per_second"}) == pytest.approx(8e3 / (1.48 * 1.08))


def test_a_change_between_two_numbers_of_tasks() -> None:
    terms = {"of": "in_turn", "tasks": 16}, {"of": "in_turn", "weight": -1}
    assert evaluate(rule(*terms, at_least=0.5), [build_serving()]).verdict == "supported"
    assert evaluate(rule(*terms, at_most=0.5), [build_serving()]).verdict == "not supported"
    assert evaluate(rule(*terms, at_most=0.5), [build_serving()]).records == 1


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([*OF_A_BATCH, *OF_TASKS, *OF_A_RECORD]),
    st.none() | st.sampled_from([*OF_A_BATCH, *OF_TASKS, *OF_A_RECORD]),
    st.booleans(),
)
def test_every_quantity_over_every_other_is_a_number_or_a_sentence(of, over, merges):
    found = evaluate(rule({"of": of, "over": over}), [build_serving(merges=merges)])
    estimate = found.estimate
    if estimate.value is None:
        assert not merges
        assert found.sentence.endswith("has not been measured.")
    else:
        low, high = estimate.interval
        assert low <= estimate.value * (1 + 1e-12)
        assert estimate.value <= high * (1 + 1e-12)


def test_where_the_base_differs_from_itself_nothing_is_decided() -> None:
    off = build_serving(cell={"control": 1.04})
    found = evaluate(rule({"of": "mixed"}), [off])
    assert found.verdict == "not decided"
    assert "the base differs from itself (A/A), the first at 8 × 16 tokens and 4 tasks" in found.sentence
    memory = {"of": "memory_bytes", "over": "base_memory_bytes"}
    assert evaluate(rule(memory), [off]).verdict == "supported"  # rests on no time
    mixed_lot = {"of": "mixed.ms_p50", "over": "switch.ms_p50"}
    assert evaluate(rule(mixed_lot), [off]).verdict == "not decided"


def test_options_and_mix_tell_records_apart() -> None:
    here = [
        build_serving(cell={"mixed": 1.5}, options={"rank": 64}),
        build_serving(cell={"mixed": 1.3}, mix="zipf"),
        build_serving(),
    ]
    assert value({"of": "mixed", "options": {"rank": 8}}, *here) == pytest.approx(1.08)
    assert value({"of": "mixed", "mix": "zipf"}, *here) == pytest.approx(1.3)
    assert value({"of": "mixed"}, *here) == pytest.approx(1.5)
    assert value({"of": "memory_bytes", "over": {"of": "memory_bytes", "method": "lora"}}, *here) == 1
    found = evaluate(rule({"of": "mixed", "options": {"rank": 4}}), here)
    assert found.sentence == "The number: lora, rank 4, 8 × 16 tokens, 4 tasks: mixed has not been measured."


@pytest.mark.parametrize("least", [0.0, 5e-324])
def test_nothing_is_divided_by_what_may_be_nothing(least: float) -> None:
    free = took(1.0).model_copy(update={"ms_low": least})
    record = build_serving(stored=(stored(4, switch=free),), tasks=(4,))
    found = evaluate(rule({"of": "mixed.ms_p50", "over": "switch.ms_p50"}), [record])
    assert found.verdict == "not decided"
    assert "cannot be told from 0" in found.sentence


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ({"of": "mixd"}, "there is no quantity 'mixd', expected one of mixed, "),
        ({"of": "mixed", "batch": None}, "mixed needs batch"),
        ({"of": "add.ms_p50", "tasks": None}, "add.ms_p50 needs tasks"),
        ({"of": "mixed", "over": "nothing"}, "there is no quantity 'nothing'"),
        ({"of": "mixed", "over": 5}, "valid string"),
    ],
)
def test_a_slip_is_one_sentence(term: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        rule(term)


def test_a_claim_is_judged_by_them() -> None:
    terms = [AT | {"of": "mixed", "over": "in_turn"}]
    claim = parse_claim(
        {
            **{"number": 1, "statement": "Mixing pays.", "source": "S-LoRA"},
            **{"url": "https://arxiv.org/abs/2311.03285", "measured": "Much.", "needs": "More."},
            "parts": [
                {
                    "says": "It is faster.",
                    "in_words": "At most 0.9.",
                    "rule": {"kind": "serving", "what": "Mixed over in turn", "terms": terms, "at_most": 0.9},
                }
            ],
        },
        "serving",
    )
    judged = judge("serving", claim, servings=[build_serving()])
    assert (judged.verdict, judged.rests_on, len(judged.servings)) == ("supported", 1, 1)
    assert judge("serving", claim).verdict == "not decided"

"""The composite cost: a case by hand, its invariances, and nothing where something is missing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reports import RecordError, compare
from reports.stats.cost_score import (
    WEIGHTS,
    Costs,
    Weights,
    cost_score,
    row_costs,
    section_costs,
    weights_told,
)
from reports.stats.sections import sections

FULL = Costs(512e6, 60.0, 1.0, 90e6, 22e6)
LORA = Costs(256e6, 30.0, 1.2, 0.9e6, 22e4)


def test_by_hand():
    found = cost_score(LORA, FULL)
    # (1/2)^0.3 · (1/2)^0.3 · 1.2^0.2 · (1/100)^0.1 · (1/100)^0.1
    assert found.value == pytest.approx(0.5**0.6 * 1.2**0.2 * 0.01**0.2)
    assert found.ratios["latency"] == pytest.approx(1.2)
    assert found.missing == ()
    assert cost_score(FULL, FULL).value == 1


def test_half_of_everything_is_half_whatever_the_weights():
    half = Costs(*(value / 2 for value in vars(FULL).values()))
    for weights in (WEIGHTS, Weights(1, 2, 3, 4, 5), Weights(0, 0, 1, 0, 0)):
        assert cost_score(half, FULL, weights).value == pytest.approx(0.5)


def test_which_is_cheaper_does_not_depend_on_the_reference():
    other = Costs(300e6, 20.0, 1.4, 2e6, 1e5)
    by_full = cost_score(LORA, FULL).value / cost_score(other, FULL).value
    assert cost_score(LORA, other).value == pytest.approx(by_full)


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_missing_part_is_no_score_unless_it_weighs_nothing(value):
    lacking = replace(LORA, latency=value)
    found = cost_score(lacking, FULL)
    assert found.value is None
    assert found.missing == ("latency",)
    assert found.ratios["training_seconds"] == 0.5
    assert cost_score(lacking, FULL, Weights(latency=0)).value is not None


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_weights_that_define_no_mean_are_refused(bad):
    with pytest.raises(RecordError, match="expected numbers from 0 up"):
        Weights(latency=bad)
    with pytest.raises(RecordError, match="one above 0"):
        Weights(0, 0, 0, 0, 0)


def test_costs_of_a_row_use_the_merged_latency_where_there_is_one(make_study):
    (section,) = sections(make_study())
    rows = {row.label: row for row in section.rows}
    assert row_costs(rows["lora"]).latency == 1.0
    assert row_costs(rows["bitfit"]).latency == 1.003
    assert row_costs(rows["lora"]).trainable_parameters == 74_498


def test_a_section_is_measured_against_full_tuning_or_not_at_all(make_study):
    (section,) = sections(make_study())
    costs = section_costs(section)
    assert costs["full"].value == 1
    assert compare(make_study()).set_index("method")["cost_score"].to_dict() == {
        name: cost.value for name, cost in costs.items()
    }
    without = [record for record in make_study() if record.spec["method"] != "full"]
    assert section_costs(*sections(without)) == {}
    assert compare(without)["cost_score"].isna().all()


def test_weights_are_told_in_proportion():
    assert (
        weights_told(Weights(3, 3, 2, 1, 1))
        == weights_told()
        == (
            "peak training memory 30 %, training time 30 %, latency (merged where the method merges) 20 %, "
            "checkpoint 10 %, trainable parameters 10 %"
        )
    )

from __future__ import annotations

from typing import Any

import pytest

from reports.claims import contrast, hanging
from reports.claims.select import Pool
from reports.records.schema import Record

SETTING = "protocol.learning_rate"


def rule(**changes: Any) -> contrast.Rule:
    """Full fine-tuning is at least a point ahead of LoRA, at the best rate of each."""
    groups = [{"where": {"method": "full"}}, {"weight": -1, "where": {"method": "lora"}}]
    stated = {"kind": "contrast", "what": "The lead", "groups": groups, "at_least": 0.01, "choose": SETTING}
    return contrast.Rule(**stated | changes)


def searched(trials: Any, selected: float, reported: float) -> list[Record]:
    """LoRA behind full fine-tuning at the better of two rates; the other one has these scores."""
    low = trials("lora", [0.80, 0.81, 0.82], selection=0.80, learning_rate=0.00003)
    scores = [reported - 0.01, reported, reported + 0.01]
    high = trials("lora", scores, selection=selected, learning_rate=0.001)
    return [*trials("full", [0.85, 0.861, 0.87]), *low, *high]


@pytest.mark.parametrize(
    ("selected", "reported", "hangs"),
    [
        (0.795, 0.87, True),  # as good to choose, and LoRA would be ahead
        (0.795, 0.81, False),  # as good to choose, and the verdict would be the same
        (0.78, 0.87, False),  # worse than the chosen one
    ],
)
def test_a_verdict_hangs_on_a_choice_that_is_within_a_point_and_turns_it(
    trials, selected: float, reported: float, hangs: bool
) -> None:
    records = searched(trials, selected, reported)
    found = hanging.evaluated(contrast.evaluate, rule(), records)
    plain = contrast.evaluate(rule(), Pool(records))
    assert (found.verdict, found.estimate, found.sentence) == (plain.verdict, plain.estimate, plain.sentence)
    assert found.verdict == "supported"
    assert bool(found.hangs_on) == hangs
    assert (found.told == found.value) == (not hangs)


def test_it_says_which_choice_and_what_would_be_found(trials) -> None:
    found = hanging.evaluated(contrast.evaluate, rule(), searched(trials, 0.795, 0.87))
    assert found.said.startswith(found.sentence)
    assert "of lora, learning rate 0.00003 was chosen with 0.800 on the selection split" in found.hangs_on
    assert "and 0.001 has 0.795; with that it would be not supported: −0.010 (" in found.hangs_on


def test_a_rule_that_chooses_nothing_hangs_on_nothing(trials) -> None:
    records = searched(trials, 0.795, 0.87)
    assert not hanging.evaluated(contrast.evaluate, rule(choose=None), records).hangs_on

from __future__ import annotations

from typing import Any

import pytest

from reports.claims.contrast import Rule, evaluate
from reports.claims.select import Pool

FULL, LORA = {"where": {"method": "full"}}, {"weight": -1, "where": {"method": "lora"}}


def rule(**changes: Any) -> Rule:
    return Rule(
        **{"kind": "contrast", "what": "The lead", "groups": [FULL, LORA], "at_least": 0.01} | changes
    )


@pytest.mark.parametrize(
    ("full", "verdict"),
    [
        ([0.85, 0.861, 0.87], "supported"),
        ([0.79, 0.801, 0.81], "not supported"),
        ([0.80, 0.82, 0.88], "not decided"),
    ],
)
def test_three_verdicts(trials, full: list[float], verdict: str) -> None:
    found = evaluate(rule(), Pool([*trials("full", full), *trials("lora", [0.80, 0.81, 0.82])]))
    assert found.verdict == verdict
    assert found.records == 6


def test_the_interval_is_that_of_the_paired_differences(trials) -> None:
    """Differences 0.02, 0.03, 0.04: mean 0.03, sd 0.01, t(0.975, 2) = 4.3027."""
    pool = Pool([*trials("full", [0.82, 0.84, 0.86]), *trials("lora", [0.80, 0.81, 0.82])])
    found = evaluate(rule(), pool)
    assert found.estimate.value == pytest.approx(0.03)
    assert found.estimate.interval == pytest.approx(
        (0.03 - 4.3027 * 0.01 / 3**0.5, 0.03 + 4.3027 * 0.01 / 3**0.5), abs=1e-5
    )
    assert found.sentence == "The lead is 0.030, 95 % interval 0.0052 to 0.055; it has to be at least 0.01."


def test_missing_groups_and_few_seeds_decide_nothing(trials) -> None:
    found = evaluate(rule(), Pool(trials("full", [0.8] * 3)))
    assert found.verdict == "not decided"
    assert found.sentence == "The lead: no trial of lora has been measured."
    two = evaluate(rule(), Pool([*trials("full", [0.9, 0.9]), *trials("lora", [0.8, 0.8])]))
    assert two.verdict == "not decided"
    assert "2 seeds, and it takes 3" in two.sentence
    apart = evaluate(rule(), Pool([*trials("full", [0.9]), *trials("lora", [0.8, 0.8])[1:]]))
    assert apart.sentence == "The lead: the groups share no seed."


def test_a_difference_of_differences(trials) -> None:
    """(0.9 − 0.6) − (0.8 − 0.7) = 0.2, give or take 0.01 with one seed."""
    records = [
        *trials("full", [0.89, 0.9, 0.91], protocol={"train_examples": 64}),
        *trials("lora", [0.6, 0.6, 0.6], protocol={"train_examples": 64}),
        *trials("full", [0.8, 0.8, 0.8], protocol={"train_examples": None}),
        *trials("lora", [0.7, 0.7, 0.7], protocol={"train_examples": None}),
    ]
    groups = [
        {"weight": sign, "where": {"method": method, "protocol": {"train_examples": count}}}
        for sign, method, count in ((1, "full", 64), (-1, "lora", 64), (-1, "full", None), (1, "lora", None))
    ]
    found = evaluate(rule(groups=groups), Pool(records))
    assert found.estimate.value == pytest.approx(0.2)
    assert found.verdict == "supported"
    assert found.records == 12


def test_across_tasks_relative_to_what_full_gains(trials) -> None:
    """Of a gain of 0.4 / 0.5 a prompt has 0.5 / 0.8 on the easy task and 0.1 / 0.4 on the hard one."""
    records = [
        *trials("full", [0.9] * 3, task="easy"),
        *trials("prompt", [0.74, 0.75, 0.76], task="easy"),
        *trials("full", [0.7] * 3, task="hard"),
        *trials("prompt", [0.55] * 3, task="hard"),
    ]
    groups = [
        {"weight": sign, "where": {"method": "prompt", "task": task}}
        for sign, task in ((1, "easy"), (-1, "hard"))
    ]
    made = rule(measure="gained", groups=groups, across_tasks=True, relative_to={"method": "full"})
    found = evaluate(made, Pool(records))
    assert found.estimate.value == pytest.approx(0.625 - 0.25)
    assert found.verdict == "supported"
    flat = [*records[:6], *trials("full", [0.5] * 3, task="hard"), *records[9:]]
    assert evaluate(made, Pool(flat)).sentence == (
        "The lead: full gained nothing on hard, or was not measured there."
    )


def test_scores_that_do_not_vary_decide_nothing(trials) -> None:
    """Three equal differences do not show that the next one would be equal; bytes are no sample."""
    found = evaluate(rule(), Pool([*trials("full", [0.9] * 3), *trials("lora", [0.8] * 3)]))
    assert (found.verdict, found.estimate.interval) == ("not decided", None)
    assert "every seed gave the same" in found.sentence


def test_a_single_group_is_held_against_a_bound(trials) -> None:
    made = rule(
        measure="serving.task_memory_bytes / serving.shared_memory_bytes",
        groups=[{"where": {"method": "lora"}}],
        at_least=None,
        at_most=0.01,
    )
    found = evaluate(made, Pool(trials("lora", [0.8] * 3)))
    assert found.verdict == "supported"
    assert found.estimate.value == pytest.approx(74_498 / 22_713_216)


def test_the_sign_flip_test_is_against_the_bound(trials) -> None:
    """Six differences of 0.02 to 0.03, all above 0.01: p = 2 / 2⁶; five can give 2 / 2⁵."""
    scores = [0.82, 0.822, 0.824, 0.826, 0.828, 0.83]
    made = rule(decided_by="permutation")
    six = evaluate(made, Pool([*trials("full", scores), *trials("lora", [0.8] * 6)]))
    assert six.p == pytest.approx(2 / 64)
    five = evaluate(made, Pool([*trials("full", scores[:5]), *trials("lora", [0.8] * 5)]))
    assert five.p == pytest.approx(2 / 32)
    assert evaluate(rule(), Pool([*trials("full", scores), *trials("lora", [0.8] * 6)])).p is None


def test_tasks_are_strata(trials) -> None:
    records = [
        *trials("full", [0.9] * 3, task="a"),
        *trials("lora", [0.8] * 3, task="a"),
        *trials("full", [0.7] * 3, task="b"),
        *trials("lora", [0.7] * 3, task="b"),
    ]
    assert evaluate(rule(), Pool(records)).estimate.value == pytest.approx(0.05)


def test_where_a_run_learned_nothing_no_t_interval_stands(trials) -> None:
    """The floor of 853 examples is 0.5, so 0.5 is no more than a constant answer has."""
    groups = [{"where": {"method": "lora"}}, {"weight": -1, "where": {"method": "prompt"}}]
    rule = Rule(kind="contrast", what="The gap", groups=groups, at_least=0.0)
    steady = [*trials("lora", [0.8, 0.81, 0.82]), *trials("prompt", [0.7, 0.72, 0.71])]
    assert evaluate(rule, Pool(steady)).verdict == "supported"
    failing = [*trials("lora", [0.8, 0.81, 0.82]), *trials("prompt", [0.7, 0.72, 0.5])]
    found = evaluate(rule, Pool(failing))
    assert (found.verdict, found.estimate.interval) == ("not decided", None)
    assert "no interval: 1 of 6 runs learned nothing" in found.sentence
    assert found.plot is not None
    shown = found.plot.series["mean over seeds"]
    assert [point.estimate.interval is None for point in shown] == [False, True]
    bytes_of = rule.model_copy(update={"measure": "checkpoint_bytes"})
    assert evaluate(bytes_of, Pool(failing)).estimate.interval is not None

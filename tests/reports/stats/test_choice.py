"""The rule that picks a method within limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from reports.stats.choice import choose, evidence
from reports.stats.sections import sections
from reports.stats.standing import standing

# `full` is the best, `lora` as good and smaller, `bitfit` is told from neither, `head` is worse.
TRUTH = {"full": 0.900, "lora": 0.8995, "bitfit": 0.890, "head": 0.600}
SIZES = {"full": 900_000, "lora": 90_000, "bitfit": 50_000, "head": 1_000}
NOISE = {"full": 0.0005, "lora": 0.0005, "bitfit": 0.06, "head": 0.0005}
COSTS = ("parameters", "memory", "latency")


@pytest.fixture
def found(make_record):
    def make(methods=tuple(TRUTH), seeds=5):
        rng = np.random.default_rng(3)
        records = [
            make_record(
                name,
                task=f"task_{task}",
                seed=seed,
                score=round(float(rng.normal(TRUTH[name], NOISE[name])), 4),
                method_parameters=SIZES[name],
                memory_mb=300 + SIZES[name] / 1000,
                unmerged=1 + SIZES[name] / 1_000_000,
            )
            for name in methods
            for task in range(3)
            for seed in range(seeds)
        ]
        made = sections(records)
        return evidence(made, standing(made))

    return make


def test_the_cheapest_of_those_as_good_as_the_leader_is_picked(found):
    choice = choose(found(("full", "lora", "head")), {})
    assert (choice.pick, choice.leader) == ("lora", "full")
    assert choice.certainty == "decided"
    assert len(choice.alike) == len(choice.worse) == 1


def test_what_no_verdict_tells_from_the_leader_is_named_and_not_picked(found):
    choice = choose(found(), {})
    assert (choice.pick, choice.leader) == ("lora", "full")
    assert choice.certainty == "leads"
    assert len(choice.open) == 1


def test_what_is_admitted_by_a_looser_limit_is_admitted_by_every_looser_one(found):
    known = found()
    for name in COSTS:
        values = sorted(one.costs[name] for one in known.candidates)
        shut = [set(choose(known, {name: most}).ruled_out) for most in (0, *values)]
        assert all(later <= earlier for earlier, later in itertools.pairwise(shut))
        assert len(shut[0]) == len(known.candidates)
        assert not shut[-1]


def test_a_pick_is_within_every_limit_and_as_good_as_the_leader(found):
    known = found()
    by_label = {one.label: one for one in known.candidates}
    steps = {name: sorted(one.costs[name] for one in known.candidates) for name in COSTS}
    for limits in itertools.product(*([None, *values] for values in steps.values())):
        asked = {name: most for name, most in zip(steps, limits, strict=True) if most is not None}
        choice = choose(known, asked)
        assert (
            len(choice.ruled_out) + len({choice.leader, *choice.alike, *choice.open, *choice.worse} - {None})
            == 4
        )
        if choice.pick is None:
            assert choice.certainty == "no evidence"
            continue
        assert all(by_label[choice.pick].costs[name] <= most for name, most in asked.items())
        assert choice.pick in (choice.leader, *choice.alike)
        assert choice.binding in (asked or {"parameters": 0})


def test_an_unknown_cost_is_not_within_a_limit(found):
    known = found()
    costs = {one.label: {**one.costs, "storage": None} for one in known.candidates}
    choice = choose(known, {"storage": 1e12}, costs)
    assert choice.certainty == "no evidence"
    assert set(choice.ruled_out.values()) == {("storage",)}


def test_costs_of_another_model_take_the_place_of_the_measured_ones(found):
    known = found(("full", "lora", "head"))
    dear = {one.label: {"parameters": 10.0 + number} for number, one in enumerate(known.candidates)}
    assert choose(known, {}, dear).pick == "full"


def test_what_another_is_decided_to_be_better_than_does_not_lead(make_record):
    """`full` is first on two tasks of three and far behind on the third, as on the published board."""
    rng = np.random.default_rng(0)
    truth = {"full": (0.9, 0.9, 0.65), "lora": (0.88, 0.88, 0.8), "head": (0.6, 0.6, 0.6)}
    records = [
        make_record(name, task=f"task_{task}", seed=seed, score=round(float(rng.normal(mean, 0.002)), 4))
        for name, means in truth.items()
        for task, mean in enumerate(means)
        for seed in range(5)
    ]
    made = sections(records)
    known = evidence(made, standing(made))
    assert [one.label for one in known.candidates] == ["full", "lora", "head"]  # by rank
    choice = choose(known, {})
    assert (choice.leader, choice.worse, choice.certainty) == ("lora", ("full", "head"), "decided")


def test_two_seeds_give_no_pick(found):
    choice = choose(found(seeds=2), {})
    assert (choice.pick, choice.certainty) == (None, "no evidence")


def test_one_method_that_is_left_is_the_only_one(found):
    choice = choose(found(("full", "lora", "head")), {"parameters": 3_000})
    assert (choice.pick, choice.leader) == ("head", "head")
    assert choice.certainty == "only"

"""The sentences that answer the question say what the data say, and no more."""

from __future__ import annotations

import numpy as np

from reports.stats.answer import answer, summary
from reports.stats.sections import sections
from reports.stats.standing import standing, standings

TRUTH = {"lora": 0.85, "pfeiffer": 0.85, "head": 0.65}
SIZES = {"lora": 73_728, "pfeiffer": 113_040, "head": 0}


def _said(records):
    (section,) = sections(records)
    return " ".join(answer(section, standing([section])))


def _seeds(make_record, seeds=8, **changes):
    rng = np.random.default_rng(1)
    return [
        make_record(
            method,
            seed=seed,
            score=round(float(rng.normal(truth, 0.008)), 4),
            method_parameters=SIZES[method],
            **changes,
        )
        for method, truth in TRUTH.items()
        for seed in range(seeds)
    ]


def test_one_seed_gives_no_verdict(make_study):
    said = _said(make_study())
    assert said.startswith("full has the highest score: accuracy 0.815 on 853 examples")
    assert "One seed: no verdict." in said
    assert "distinguishable" not in said
    assert "standard error" not in said


def test_two_seeds_give_none_either(make_study):
    assert "Only 2 seeds: no verdict, which takes at least 3." in _said(make_study(seeds=2))


def test_three_seeds_cannot_tell_nine_methods_apart_and_that_is_said(make_study):
    said = _said(make_study(seeds=3))
    assert "best average rank" in said
    assert "can tell no two methods apart, whatever their scores: no verdict." in said


def test_many_seeds_name_who_may_be_as_good_and_what_the_cheapest_trains(make_record):
    said = _said(_seeds(make_record))
    assert "best average rank" in said
    assert "Not distinguishable from it: " in said
    assert "Told apart from it: 1 of 2." in said
    assert (
        "Of these, lora trains the fewest: 74,498 parameters, of which the method's are 0.32 % of the base"
        in said
    )


def test_a_clear_winner_is_told(make_record):
    records = [record for record in _seeds(make_record) if record.spec["method"] != "pfeiffer"]
    said = _said(records)
    assert "lora has the best average rank, 1.0" in said
    assert "Every other method is distinguishable from it." in said
    assert "lora trains 74,498 parameters" in said


def test_methods_at_the_majority_are_named(make_record):
    said = _said([make_record(), make_record("prompt", score=0.5, method_parameters=5)])
    assert "Not shown to be better than always giving the majority answer (0.500): prompt." in said
    assert "majority" not in _said([make_record(), make_record("prompt", score=0.51)])


def test_an_interval_that_holds_the_majority_counts_as_not_shown(make_record):
    scores = [0.49, 0.56, 0.55]
    records = [make_record(seed=seed, score=score) for seed, score in enumerate(scores)]
    assert "majority answer (0.500): lora" in _said(records)


def test_ties_and_failures_are_told(make_record):
    records = [make_record("a"), make_record("b"), make_record("c", status="failed", message="no")]
    said = _said(records)
    assert said.startswith("a and b have the highest score")
    assert "1 of 3 trials did not complete" in said


def test_nothing_completed(make_record):
    assert _said([make_record(status="failed")]) == (
        "No method has a score on this task, so there is nothing to compare."
    )


def test_the_summary_over_tasks_uses_the_test_over_tasks(make_record):
    found = sections([*_seeds(make_record, task="a"), *_seeds(make_record, task="b")])
    (over,) = standings(found)
    said = summary(found, over)
    assert said.startswith("On 2 tasks: ")
    assert "best average rank" in said


def test_a_task_without_all_methods_is_tested_on_but_not_ranked(make_record):
    """Else a long study that is published method by method would claim ranks that it does not have."""
    part = [record for record in _seeds(make_record, task="b") if record.spec["method"] != "pfeiffer"]
    found = sections([*_seeds(make_record, task="a"), *part])
    (over,) = standings(found)
    assert (over.tasks, over.ranked) == (("a", "b"), ("a",))
    assert summary(found, over).startswith("On 2 tasks, ranked on the 1 that all methods have: ")


def test_the_summary_without_seeds_lists_the_highest_and_decides_nothing(make_record):
    records = [make_record(name, task=f"t{n}") for n in range(8) for name in ("lora", "head")]
    found = sections(records)
    said = summary(found, None)
    assert "head and lora" not in said
    assert "and others on 3 more" in said
    assert "One seed: no verdict." in said
    assert summary(sections([make_record(status="failed")]), None).startswith("No method has a score")

"""The sentences that answer the question say what the data say, and no more."""

from __future__ import annotations

import numpy as np

from reports.records.answers import packed
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
    assert "better" not in said
    assert "standard error" not in said


def test_two_seeds_give_none_either(make_study):
    assert "Only 2 seeds: no verdict, which takes at least 3." in _said(make_study(seeds=2))


def test_three_seeds_of_nine_methods_decide_what_is_far_apart(make_study):
    said = _said(make_study(seeds=3))
    assert "best average rank" in said
    assert "It is better than: " in said
    assert "Not decided against it: " in said
    assert "; the smallest difference that would have been found is " in said


def test_many_seeds_name_who_is_decided_to_be_as_good_and_what_the_cheapest_trains(make_record):
    records = _seeds(make_record)
    (section,) = sections(records)
    said = " ".join(answer(section, standing([section], margin=0.05)))
    assert "lora has the best average rank" in said or "pfeiffer has the best average rank" in said
    assert "It is better than: head." in said
    assert "As good as it within 0.050: " in said
    assert (
        "Of these, lora trains the fewest: 74,498 parameters, of which the method's are 0.32 % of the base"
        in said
    )
    strict = " ".join(answer(section, standing([section], margin=0.0)))
    assert "As good as it" not in strict
    assert "Of these" not in strict  # nothing is recommended for want of evidence


def test_a_clear_winner_is_told(make_record):
    records = [record for record in _seeds(make_record) if record.spec["method"] != "pfeiffer"]
    said = _said(records)
    assert "lora has the best average rank, 1.0" in said
    assert "It is better than: head." in said
    assert "lora trains 74,498 parameters" in said


def test_runs_at_the_best_constant_answer_are_named(make_record):
    said = _said([make_record(), make_record("prompt", score=0.5, method_parameters=5)])
    assert "Runs not above the best constant answer (0.500): prompt (1 of 1)." in said
    assert "constant" not in _said([make_record(), make_record("prompt", score=0.6)])


def test_a_score_that_another_sample_could_have_at_the_floor_learned_nothing(make_record):
    scores = [0.51, 0.66, 0.65]
    records = [make_record(seed=seed, score=score) for seed, score in enumerate(scores)]
    said = _said(records)
    assert "best constant answer (0.500): lora (1 of 3)" in said
    assert "accuracy 0.607 ± 0.084 over 3 seeds" in said  # no interval where a seed failed


def test_one_seed_with_answers_compares_the_two_models(make_record):
    right = np.arange(853) % 2
    records = []
    for name, wrong in (("lora", slice(0, 100)), ("head", slice(50, 250))):
        said = right.copy()
        said[wrong] = 1 - said[wrong]
        made = make_record(name, score=float((said == right).mean()))
        records.append(made.model_copy(update={"answers": packed(said, right, 2)}))
    assert (
        "These two models, lora's and head's, are right on 150 and 50 examples that the other gets wrong "
        "(McNemar's exact test, p = < 0.0001); that is of these two models and not of their methods."
    ) in _said(records)


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
    assert said[0].startswith("On 2 tasks: ")
    assert "best average rank" in said[0]


def test_a_task_without_all_methods_is_tested_on_but_not_ranked(make_record):
    """Else a long study that is published method by method would claim ranks that it does not have."""
    part = [record for record in _seeds(make_record, task="b") if record.spec["method"] != "pfeiffer"]
    found = sections([*_seeds(make_record, task="a"), *part])
    (over,) = standings(found)
    assert (over.tasks, over.ranked) == (("a", "b"), ("a",))
    assert summary(found, over)[0].startswith("On 2 tasks, ranked on the 1 that all methods have: ")


def test_the_summary_without_seeds_lists_the_highest_and_decides_nothing(make_record):
    records = [make_record(name, task=f"t{n}") for n in range(8) for name in ("lora", "head")]
    found = sections(records)
    said = " ".join(summary(found, None))
    assert "head and lora" not in said
    assert "and others on 3 more" in said
    assert "One seed: no verdict." in said
    assert summary(sections([make_record(status="failed")]), None)[0].startswith("No method has a score")

"""The sentences that answer the question say what the data say, and no more."""

from __future__ import annotations

import math

import pytest

from reports.answer import answer, margin
from reports.sections import sections


def _only(records):
    (section,) = sections(records)
    return section, " ".join(answer(section))


def test_one_seed_names_the_standard_error_and_what_is_within_it(make_study):
    section, said = _only(make_study())
    limits = margin(section, section.rows[0])
    assert limits.value == pytest.approx(math.sqrt(0.815 * 0.185 / 853))
    assert said.startswith("full scores best: accuracy 0.815 on 853 examples")
    assert "0.013" in said
    assert "no evidence" in said
    assert "that margin of full: lora (0.807 with 74,498), pfeiffer" in said
    assert "bitfit (0.801" not in said
    assert "trains 0.33 % as many" in said


def test_seed_spread_counts_when_it_is_the_larger(make_record):
    records = [make_record(seed=seed, score=score) for seed, score in enumerate([0.7, 0.9])]
    section, said = _only(records)
    assert margin(section, section.rows[0]).value == section.rows[0].score.sd
    assert "between seeds" in said


def test_other_metrics_with_one_seed_claim_nothing(make_record):
    records = [
        make_record(metric="matthews", unit="correlation"),
        make_record("head", metric="matthews", unit="correlation", score=0.8),
    ]
    section, said = _only(records)
    assert margin(section, section.rows[0]).value is None
    assert "small differences decide nothing" in said
    assert "within that margin" not in said


def test_methods_at_the_majority_are_named(make_record):
    _, said = _only([make_record(), make_record("prompt", score=0.505, method_parameters=5)])
    assert "majority answer (0.500): prompt." in said


def test_ties_and_failures_are_told(make_record):
    records = [make_record("a"), make_record("b"), make_record("c", status="failed", message="no")]
    _, said = _only(records)
    assert said.startswith("a and b score best")
    assert "1 of 3 trials did not complete" in said


def test_nothing_completed(make_record):
    _, said = _only([make_record(status="failed")])
    assert said == "No method has a score on this task, so there is nothing to compare."

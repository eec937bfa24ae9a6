"""The arithmetic of a record: a sound one has no fault, a spoiled one has one sentence with its path."""

from __future__ import annotations

import re

import pytest

from reports.records.checks import record_faults
from reports.records.consistency import arithmetic_faults

from ..sound import as_record, sound, spoiled

SPOILED = [
    ("trial_id", "0" * 64, r"\$\.trial_id is '0+', but \$\.spec hashes to [0-9a-f]{64}"),
    ("model.name", "other", r"\$\.model\.name is 'other', but \$\.spec names 'embedded'"),
    ("task.name", "other", r"\$\.task\.name is 'other'"),
    (
        "task.truncated",
        {"train": 0, "selection": 854, "report": None},
        r"\$\.task\.truncated\.selection is 854, but \$\.task\.sizes\.selection is 853",
    ),
    ("message", "fine", r"\$\.message must be null"),
    ("parameters.parts.all", 5, r"\$\.parameters\.parts add up to 5, but \$\.parameters\.method is 73728"),
    ("parameters.trainable_share", 0.5, r"\$\.parameters\.trainable_share is 0\.5, but method / base is"),
    ("checkpoint_bytes", -1, r"\$\.checkpoint_bytes is -1"),
    ("training.steps", 239, r"\$\.training\.steps is 239, but \$\.spec\.protocol\.steps is 240"),
    ("training.examples", 7681, r"\$\.training\.examples is 7681, but 240 steps of at most 32"),
    ("training.examples_per_second", 1.0, r"\$\.training\.examples_per_second is 1, but"),
    ("training.step_ms_p95", 100.0, r"\$\.training\.step_ms_p95 is 100, below the median 140"),
    ("training.step_ms_p50", 310.0, r"\$\.training\.step_ms_p50 is 310, but half of 240 steps"),
    ("wall_seconds", 1.0, r"\$\.wall_seconds is 1, but training and evaluation took 42\.5"),
    ("curve.0.step", 241, r"\$\.curve reaches step 241"),
    ("scores.best_step", 241, r"\$\.scores\.best_step is 241, but \$\.training\.steps is 240"),
    ("scores.best_step", 7, r"\$\.scores\.best_step is 7, at which \$\.curve has no point"),
    ("scores.selection.accuracy", 0.9, r"\$\.scores\.selection\.accuracy is 0\.9, but \$\.curve has"),
    ("scores.selection.odd one", 0.9, r'\$\.scores\.selection\["odd one"\] is not among'),
    ("scores.report.extra", 0.9, r"\$\.scores\.report\.extra is not among \$\.task\.metrics"),
    ("scores.majority.extra", 0.9, r"\$\.scores\.majority\.extra is not among"),
    ("task.metrics.0.unit", "percent", r"\$\.task\.metrics\[0\]\.unit is 'percent', expected fraction or"),
    ("memory.peak_training_bytes", 10**9, r"\$\.memory\.peak_training_bytes is 1000000000, but its parts"),
    ("memory.parameters_bytes", 10**10, r"\$\.memory\.parameters_bytes is 10000000000, more than the peak"),
    ("memory.batch_size", 64, r"\$\.memory\.batch_size is 64, but \$\.spec\.protocol\.batch_size is 32"),
    ("latency.unmerged.ratio", 9.0, r"\$\.latency\.unmerged\.ratio is 9, outside its interval"),
    ("latency.merged.latency_ms_p95", 0.1, r"\$\.latency\.merged\.latency_ms_p95 is 0\.1, below the median"),
    ("environment.commit", "main", r"\$\.environment\.commit is 'main', expected a git commit"),
    ("environment.commit", None, r"\$\.environment\.tree_clean is true, but \$\.environment\.commit is null"),
    ("environment.packages", {"torch": "2"}, r"\$\.environment\.packages\.transformers is missing"),
    ("environment.device_name", "", r"\$\.environment\.device_name is empty"),
    ("started_at", "yesterday", r"\$\.started_at is 'yesterday', expected a time in ISO 8601"),
    ("started_at", "2026-11-24T02:10:00+02:00", r"\$\.started_at is .* expected a time in UTC"),
]


def test_a_sound_record_has_no_fault(make_record):
    record = as_record(sound(make_record()))
    assert [*record_faults(record), *arithmetic_faults(record)] == []


def test_a_failed_record_can_be_sound(make_record):
    for status in ("failed", "diverged", "out_of_memory"):
        record = as_record(sound(make_record(status=status)))
        assert [*record_faults(record), *arithmetic_faults(record)] == []


@pytest.mark.parametrize(("path", "value", "message"), SPOILED)
def test_one_spoiled_value_is_one_sentence(make_record, path, value, message):
    faults = list(arithmetic_faults(as_record(spoiled(sound(make_record()), path, value))))
    assert [fault for fault in faults if re.match(message, fault)], faults
    assert all("\n" not in fault and fault.startswith("$") for fault in faults)


def test_the_best_point_of_the_curve_is_scored(make_record):
    data = sound(make_record(score=0.7))
    data["curve"].insert(0, {"step": 60, "train_loss": 0.5, "selection": {"accuracy": 0.71}})
    assert list(arithmetic_faults(as_record(data))) == [
        "$.scores.best_step is 240, but $.curve has a better point: 0.71"
    ]
    data["curve"].reverse()
    assert "$.curve is not in the order of its steps" in list(arithmetic_faults(as_record(data)))


def test_a_search_chooses_the_best_that_it_found(make_record):
    data = sound(make_record(tuning=True))
    assert list(arithmetic_faults(as_record(data))) == []
    data["tuning"]["chosen"] = {"learning_rate": 1e-4}
    assert list(arithmetic_faults(as_record(data))) == [
        "$.tuning.chosen is not what $.tuning.history has the best score for: 0.811"
    ]


def halved(make_record):
    """A trial with a search by halving behind it: two settings stopped, one lost, and the best."""
    data = sound(make_record(tuning=True))
    tuning = data["tuning"]
    tuning["history"] = [
        {"values": {"learning_rate": rate}, "score": score, "status": status, "steps": steps}
        for rate, score, status, steps in (
            (1e-4, 0.9, "pruned", 30),
            (2e-4, 0.9, "pruned", 60),
            (data["spec"]["protocol"]["learning_rate"], 0.8, "completed", 120),
        )
    ]
    return data | {"tuning": tuning | {"rungs": [30, 60], "examples": 210 * 32}}


def test_a_search_may_stop_settings_and_does_not_choose_them(make_record):
    data = halved(make_record)
    record = as_record(data)
    assert [*record_faults(record), *arithmetic_faults(record)] == []
    data["tuning"]["chosen"] = {"learning_rate": 2e-4}
    assert list(arithmetic_faults(as_record(data))) == [
        "$.tuning.chosen is not what $.tuning.history has the best score for: 0.8"
    ]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("rungs", [60, 30], r"\$\.tuning\.rungs is \[60, 30\], expected rising"),
        ("history.0.steps", 31, r"\$\.tuning\.history\[0\] was pruned after 31 steps"),
        ("history.2.steps", 60, r"\$\.tuning\.history\[2\] completed after 60 steps, but"),
        ("examples", 209, r"\$\.tuning\.examples is 209, but the 210 steps"),
        ("examples", 210 * 32 + 1, r"\$\.tuning\.examples is 6721, but the 210 steps"),
    ],
)
def test_a_search_by_halving_adds_up(make_record, path, value, message):
    faults = list(arithmetic_faults(as_record(spoiled(halved(make_record), f"tuning.{path}", value))))
    assert [fault for fault in faults if re.match(message, fault)], faults


def test_only_a_trial_of_a_search_is_stopped_and_before_its_end(make_record):
    data = sound(make_record()) | {"status": "pruned", "message": "stopped after step 240 of 240."}
    assert list(record_faults(as_record(data))) == [
        "$.status is pruned, but $.spec does not say that this is a trial of a search"
    ]
    assert list(arithmetic_faults(as_record(data))) == [
        "$.training.steps is 240 of 240, but the trial is marked pruned"
    ]
    assert "$.scores is null, but the trial is marked pruned" in list(
        record_faults(as_record(data | {"scores": None}))
    )


def test_a_diverged_trial_has_no_scores(make_record):
    data = sound(make_record()) | {"status": "diverged", "message": "nan"}
    assert "$.scores must be null where the trial is marked diverged" in list(
        arithmetic_faults(as_record(data))
    )


def test_only_another_suite_may_leave_out_what_we_measure(make_record):
    faults = list(record_faults(as_record(spoiled(sound(make_record()), "task.sizes.report", None))))
    assert faults == ["$.task.sizes.report is null, and only a record of another suite may not know it"]

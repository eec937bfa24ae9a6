"""Tables: aggregation over seeds, order, labels, and failures that stay visible."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports import RecordError, compare, trials


def test_trials_has_one_row_each(make_study):
    frame = trials(make_study(seeds=2))
    assert len(frame) == 18
    assert frame["method_parameters"].dtype == "Int64"
    row = frame[(frame.method == "lora") & (frame.seed == 0)].iloc[0]
    assert row["score"] == row["report.accuracy"] == 0.807
    assert row["majority.accuracy"] == 0.5
    assert row["unmerged_ratio"] == 1.21


def test_mean_and_sample_sd_agree_with_numpy(make_record):
    scores = [0.81, 0.79, 0.802, 0.77]
    frame = compare([make_record(seed=seed, score=score) for seed, score in enumerate(scores)])
    assert len(frame) == 1
    row = frame.iloc[0]
    assert row["score"] == pytest.approx(np.mean(scores), abs=1e-12)
    assert row["score_sd"] == pytest.approx(np.std(scores, ddof=1), abs=1e-12)
    assert (row["n_seeds"], row["n_scored"], row["n_completed"]) == (4, 4, 4)


def test_one_seed_has_no_sd(make_record):
    assert pd.isna(compare([make_record()])["score_sd"].iloc[0])


def test_costs_are_medians_and_a_ratio_goes_over_runs(make_record):
    records = [
        make_record(seed=seed, seconds=seconds, memory_mb=memory, unmerged=ratio)
        for seed, (seconds, memory, ratio) in enumerate([(30, 300, 1.1), (50, 310, 1.3), (31, 305, 1.2)])
    ]
    row = compare(records).iloc[0]
    assert row["training_seconds"] == 31
    assert row["peak_training_bytes"] == 305_000_000
    logs = np.log([1.1, 1.3, 1.2])  # their geometric mean, and Student's t with two degrees of freedom
    half = stats.t.ppf(0.975, 2) * logs.std(ddof=1) / math.sqrt(3)
    assert row["latency_ratio"] == pytest.approx(math.exp(logs.mean()))
    assert row["latency_ratio_low"] == pytest.approx(math.exp(logs.mean() - half))
    assert row["latency_ratio_high"] == pytest.approx(math.exp(logs.mean() + half))
    assert (row["method_parameters"], row["head_parameters"], row["trainable_parameters"]) == (
        73_728,
        770,
        74_498,
    )


@pytest.mark.parametrize(("higher", "expected"), [(True, ["c", "b", "a"]), (False, ["a", "b", "c"])])
def test_direction_of_the_metric(make_record, higher, expected):
    records = [
        make_record(method, score=score, metric="m", higher_is_better=higher, method_parameters=size)
        for method, score, size in (("b", 0.2, 20), ("c", 0.3, 30), ("a", 0.1, 10))
    ]
    frame = compare(records)
    assert list(frame["method"]) == expected
    front = set(frame[frame.pareto_front]["method"])
    assert front == ({"a", "b", "c"} if higher else {"a"})


def test_labels_name_only_what_differs(make_record):
    records = [
        make_record(options={"rank": 8, "alpha": 16.0}),
        make_record(options={"rank": 64, "alpha": 16.0}),
        make_record(options={"rank": 64, "alpha": 16.0}, seed=1),
        make_record("houlsby", options={"bottleneck": 24}),
        make_record("bitfit", learning_rate=1e-3),
        make_record("bitfit", learning_rate=1e-4),
    ]
    assert set(compare(records)["label"]) == {
        "lora (rank=8)",
        "lora (rank=64)",
        "houlsby",
        "bitfit (learning_rate=0.001)",
        "bitfit (learning_rate=0.0001)",
    }


def test_failures_are_counted_and_never_dropped(make_record):
    records = [
        make_record("prompt", status="diverged"),
        make_record("prompt", status="failed", seed=1),
        make_record("prefix", status="out_of_memory"),
        make_record("lora", seed=0),
        make_record("lora", seed=1, status="diverged"),
        make_record("head", score=0.6),
    ]
    frame = compare(records).set_index("method")
    assert list(frame.index) == ["lora", "head", "prefix", "prompt"]
    assert frame.loc["prompt", ["n_seeds", "n_completed", "n_diverged", "n_failed"]].tolist() == [2, 0, 1, 1]
    assert frame.loc["prefix", "n_out_of_memory"] == 1
    assert frame.loc["lora", ["n_completed", "n_diverged"]].tolist() == [1, 1]
    assert pd.isna(frame.loc["prompt", "score"])
    assert not frame.loc["prompt", "pareto_front"]


def test_diverged_and_undefined_seeds_count_as_the_majority_answer(make_record):
    undefined = [make_record(seed=0, score=None), make_record(seed=1, score=0.4)]
    diverged = [make_record("head", seed=0, status="diverged"), make_record("head", seed=1, score=0.4)]
    lost = [make_record("ia3", seed=0, status="out_of_memory"), make_record("ia3", seed=1, score=0.4)]
    frame = compare([*undefined, *diverged, *lost]).set_index("method")
    for method in ("lora", "head"):  # the majority answer has 0.5 in these records
        assert frame.loc[method, ["score", "n_scored"]].tolist() == [pytest.approx(0.45), 2]
    assert frame.loc["ia3", ["score", "n_scored"]].tolist() == [0.4, 1]
    assert frame.loc["lora", ["n_lost", "lost_share"]].tolist() == [2, 1.0]
    assert frame.loc["ia3", ["n_lost", "lost_share"]].tolist() == [1, 1.0]
    assert trials(undefined)["score"].isna().tolist() == [True, False]


def test_a_correlation_without_a_majority_score_has_the_floor_zero(make_record):
    records = [
        make_record(seed=s, score=v, metric="pearson", unit="correlation") for s, v in ((0, None), (1, 0.4))
    ]
    scores = [r.scores.model_copy(update={"majority": {"pearson": None}}) for r in records]
    records = [r.model_copy(update={"scores": s}) for r, s in zip(records, scores, strict=True)]
    assert compare(records)["score"].iloc[0] == pytest.approx(0.2)


def test_intervals_from_three_seeds_on_and_not_cut_to_the_range_of_the_metric(make_record):
    scores = [0.81, 0.79, 0.802, 0.77]
    records = [make_record(seed=seed, score=score) for seed, score in enumerate(scores)]
    row = compare(records).iloc[0]
    expected = stats.t.interval(0.95, 3, loc=np.mean(scores), scale=stats.sem(scores))
    assert (row["score_low"], row["score_high"]) == pytest.approx(expected)
    assert compare(records[:2])[["score_low", "score_high"]].isna().all(axis=None)
    near = compare([make_record(seed=seed, score=score) for seed, score in enumerate([1.0, 0.9, 1.0])])
    assert near["score_high"].iloc[0] > 1.0


def test_where_a_seed_failed_only_the_others_have_an_interval(make_record):
    records = [make_record(seed=seed, score=score) for seed, score in enumerate([0.5, 0.81, 0.8, 0.82])]
    row = compare(records).iloc[0]
    assert (row["n_lost"], row["score"]) == (1, pytest.approx(0.7325))
    assert pd.isna(row["score_low"])
    assert row["learned_score"] == pytest.approx(0.81)
    assert row["learned_score_low"] == pytest.approx(
        stats.t.interval(0.95, 2, 0.81, stats.sem([0.8, 0.81, 0.82]))[0]
    )
    assert (row["lost_share_low"], row["lost_share_high"]) == pytest.approx((0.0063, 0.8059), abs=1e-4)
    assert row["interval_over"] == "seeds"


def test_times_are_of_one_machine(make_record):
    """Two seeds on one machine and one on another: the other's time is in no number."""
    records = [make_record(seed=seed, seconds=seconds) for seed, seconds in enumerate([30.0, 32.0, 99.0])]
    environment = records[2].environment.model_copy(update={"device_name": "another"})
    records[2] = records[2].model_copy(update={"environment": environment})
    row = compare(records).iloc[0]
    assert (row["training_seconds"], row["timed_seeds"]) == (31.0, "0, 1")
    assert row["machine"] == "Some CPU, 2 cores (cpu), 1 process, 2 threads"


def test_tasks_and_models_are_apart_and_in_order(make_record):
    records = [make_record(task=task, model=model) for model in ("m2", "m1") for task in ("b", "a")]
    frame = compare(records)
    assert list(zip(frame["model"], frame["task"], strict=True)) == [
        ("m1", "a"),
        ("m1", "b"),
        ("m2", "a"),
        ("m2", "b"),
    ]


def test_the_same_trial_counts_once(make_record):
    with pytest.raises(RecordError, match="counts once"):
        compare([make_record(), make_record()])
    other = make_record().model_copy(update={"trial_id": "another"})
    with pytest.raises(RecordError, match="lora on rotten_tomatoes with seed 0"):
        compare([make_record(), other])


def test_other_metrics_of_one_task_are_shown_apart(make_record):
    table = compare([make_record(), make_record("lin"), make_record("head", metric="f1")])
    assert table["not_ranked"].tolist()[2] == "another version of the task, or other metrics"
    assert table["not_ranked"].isna().tolist()[:2] == [True, True]


def test_no_records_is_an_empty_table():
    assert compare([]).empty
    assert trials([]).empty

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch

import methods
import tasks
from reports import read_record, write_record
from reports.records.schema import Record, SplitSizes
from runners import models
from runners.measure import memory
from runners.plan.costs import CostSettings
from runners.plan.spec import TrialSpec
from runners.trials import adapting, batches, loading, trial
from runners.trials.loop import Progress
from runners.trials.trial import run_trial
from tasks import cache

BRIEF = CostSettings(latency_rounds=10, latency_length=8)


def spec(model: str, quick: dict[str, Any], **changes: Any) -> TrialSpec:
    own = {"model": model, "task": "cola", "method": "lora", "protocol": quick, "costs": BRIEF}
    return TrialSpec(**own | changes)


@pytest.mark.parametrize("method", methods.names())
def test_every_method_gives_a_whole_record(
    method: str, tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path
) -> None:
    made = spec(tiny_model, quick, method=method, data=glue_folder)
    record = run_trial(made, study="tests")
    assert record.message is None
    assert record.status == "completed", record.message
    assert record.trial_id == made.trial_id
    assert TrialSpec(**record.spec, data=made.data, costs=made.costs) == made
    assert record.scores is not None
    assert record.scores.report.keys() == {"matthews_correlation"}
    assert [point.step for point in record.curve] == [3, 6]
    assert record.training is not None
    assert record.training.examples == 48
    assert record.memory is not None
    assert record.memory.peak_training_bytes > record.memory.parameters_bytes
    assert record.parameters is not None
    assert sum(record.parameters.parts.values()) == record.parameters.method
    assert record.latency is not None
    assert (record.latency.merged is not None) == methods.get(method).mergeable
    assert record.latency.sequence_length == 8
    assert (record.latency.merge_logit_difference is not None) == methods.get(method).mergeable
    assert record.compute is not None
    floor = record.compute.training_floor_seconds
    assert floor is None if record.training.reused_blocks else floor > 0
    assert record.compute.training_step_flops > record.compute.forward_flops
    share = record.compute.training_step_flops / record.compute.full_step_flops
    assert share == 1 if method == "full" else share > 0.3
    assert record.serving is not None
    assert record.serving.task_memory_bytes == 4 * (record.parameters.stored + record.parameters.head)
    assert (record.serving.merged_switch_ms_p50 is not None) == methods.get(method).mergeable
    assert record.checkpoint_bytes is not None
    assert record.checkpoint_bytes >= 4 * (record.parameters.stored + record.parameters.head)
    assert read_record(write_record(record, tmp_path)) == record


def test_score_only_measures_no_costs_and_changes_no_score(
    tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path
) -> None:
    whole = run_trial(spec(tiny_model, quick, data=glue_folder))
    scored = run_trial(spec(tiny_model, quick, data=glue_folder, costs=None))
    assert scored.status == "completed", scored.message
    assert scored.scores == whole.scores
    costs = (scored.memory, scored.latency, scored.compute, scored.serving, scored.checkpoint_bytes)
    assert costs == (None,) * 5
    assert read_record(write_record(scored, tmp_path)) == scored


def test_parts_of_the_splits_are_used_and_told(
    tiny_model: str, glue_folder: str, quick: dict[str, Any]
) -> None:
    def sizes(**protocol: Any) -> tuple[int, int, int]:
        made = run_trial(spec(tiny_model, quick | protocol, data=glue_folder, costs=None)).task
        assert made is not None
        return made.sizes.train, made.sizes.selection, made.sizes.report

    train, selection, report = sizes()
    assert sizes(train_examples=30, scored_examples=10) == (30, 10, 10)
    assert sizes(scored_examples=30) == (train, min(selection, 30), 30)
    assert report == 40


def test_what_is_cut_is_told_of_every_split_that_is_used(
    tiny_model: str, glue_folder: str, quick: dict[str, Any]
) -> None:
    def cut(**changes: Any) -> SplitSizes:
        protocol = quick | {"max_length": 8, "scored_examples": 10, "steps": 1}
        made = run_trial(spec(tiny_model, protocol, data=glue_folder, costs=None, **changes)).task
        assert made is not None
        assert made.truncated is not None
        return made.truncated

    lengths = {
        split: batches.encode(tiny_model, "cola", glue_folder, split, max_length=99).lengths
        for split in ("train", "selection", "report")
    }
    expected = {split: sum(n > 8 for n in found[:10]) for split, found in lengths.items()}
    expected["train"] = sum(n > 8 for n in lengths["train"])
    assert cut() == SplitSizes(**expected)
    assert expected["train"] > 0
    assert cut(search=True) == SplitSizes(**expected | {"report": None})


def test_regression(tiny_model: str, glue_folder: str, quick: dict[str, Any]) -> None:
    record = run_trial(spec(tiny_model, quick, task="stsb", data=glue_folder))
    assert record.status == "completed", record.message
    assert record.scores is not None
    assert record.scores.report.keys() == {"pearson", "spearman"}
    assert record.scores.majority == {"pearson": None, "spearman": None}


def test_a_fresh_regression_head_starts_from_the_mean(tiny_model: str) -> None:
    made = adapting.adapt(TrialSpec(model=tiny_model, task="stsb", method="head"), tasks.get("stsb"))
    adapting.start_at_mean(made, np.array([1.0, 2.0, 4.5]))
    assert made.model.classifier.bias.tolist() == [2.5]
    adapting.start_at_mean(made, np.array([1.0]))  # what is no longer fresh stays
    assert made.model.classifier.bias.tolist() == [2.5]


def outcome(record: Record) -> tuple[Any, ...]:
    assert record.status == "completed", record.message
    return record.scores, record.curve, record.parameters, record.checkpoint_bytes, record.task


@pytest.mark.parametrize("method", ["full", "prefix"])
def test_the_same_spec_gives_the_same_scores(
    method: str, tiny_model: str, glue_folder: str, quick: dict[str, Any]
) -> None:
    made = spec(tiny_model, quick, method=method, data=glue_folder)
    first = run_trial(made)
    torch.rand(17)  # whatever happened before must not matter
    assert outcome(run_trial(made)) == outcome(first)


def test_the_seed_matters_and_the_watcher_does_not(
    tiny_model: str, glue_folder: str, quick: dict[str, Any]
) -> None:
    seen: list[Progress] = []
    watched = run_trial(spec(tiny_model, quick, data=glue_folder), watch=seen.append)
    silent = run_trial(spec(tiny_model, quick, data=glue_folder))
    other = run_trial(spec(tiny_model, quick, data=glue_folder, seed=1))
    assert outcome(watched) == outcome(silent)
    assert [p.train_loss for p in watched.curve] != [p.train_loss for p in other.curve]
    assert {progress.phase for progress in seen} == {"loading", "memory", "training", "scoring", "costs"}
    assert any(progress.selection is not None for progress in seen)


def test_a_trial_of_a_search_never_reads_the_reported_split(
    tiny_model: str, glue_folder: str, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    encode, seen = batches.encode, []

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append(named["split"])
        return encode(*arguments, **named)

    monkeypatch.setattr(batches, "encode", watched)
    record = run_trial(spec(tiny_model, quick, data=glue_folder, search=True))
    assert record.status == "completed", record.message
    assert seen == ["train", "selection"]
    assert record.scores is not None
    assert record.scores.selection.keys() == {"matthews_correlation"}
    assert (record.scores.report, record.scores.majority) == ({}, {})
    assert record.memory is None
    assert record.latency is None
    assert read_record(write_record(record, tmp_path)) == record


def test_every_method_starts_from_the_same_head(tiny_model: str, quick: dict[str, Any]) -> None:
    import tasks

    heads = [
        adapting.adapt(spec(tiny_model, quick, method=name), tasks.get("cola")).head["classifier.weight"]
        for name in methods.names()
    ]
    assert all(torch.equal(head, heads[0]) for head in heads)


def test_the_memory_probe_leaves_no_trace(
    tiny_model: str, glue_folder: str, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = spec(tiny_model, quick, data=glue_folder)
    with_probe = run_trial(made)

    def no_steps(step: Any, model: Any, device: Any, *, steps: int = 2) -> memory.PeakMemory:
        return memory.PeakMemory(1, memory.Split(1, 0, 0, 0, 0), "tensors")

    monkeypatch.setattr(memory, "measure_peak", no_steps)
    without = run_trial(made)
    assert (with_probe.scores, with_probe.curve) == (without.scores, without.curve)


def test_a_diverging_trial_is_a_result(tiny_model: str, glue_folder: str, quick: dict[str, Any]) -> None:
    wild = quick | {"learning_rate": 1e30, "steps": 20, "gradient_clip": 1e30, "warmup_share": 0.0}
    record = run_trial(spec(tiny_model, wild, data=glue_folder, method="full"))
    assert record.status == "diverged", record.message
    assert record.message is not None
    assert "not finite" in record.message
    assert record.parameters is not None
    assert record.scores is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
            "out_of_memory",
        ),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory"),
        (KeyError("surprise"), "failed"),
    ],
)
def test_errors_become_records(
    error: Exception,
    status: str,
    tiny_model: str,
    glue_folder: str,
    quick: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def explode(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(trial.loop, "fit", explode)
    record = run_trial(spec(tiny_model, quick, data=glue_folder))
    assert record.status == status
    assert record.message is not None
    assert type(error).__name__ in record.message
    assert "test_trial.py" in record.message
    assert read_record(write_record(record, tmp_path)).status == status


def test_a_missing_folder_is_a_failed_record(tiny_model: str, quick: dict[str, Any]) -> None:
    record = run_trial(spec(tiny_model, quick, data="no-such-folder"))
    assert record.status == "failed"
    assert record.task is None
    assert "no-such-folder" in (record.message or "")


def test_training_subsets_are_nested_and_depend_on_the_seed(glue_folder: str) -> None:
    from runners.trials import batches

    split = batches.encode("embedded", "cola", glue_folder, "train", max_length=64)
    small, large = (loading.subset(split, count, seed=3) for count in (10, 40))
    assert [*small] == [*large][:10]
    assert [*loading.subset(split, 10, seed=4)] != [*small]
    assert loading.subset(split, None, seed=3) is split


def test_a_prompt_takes_room_from_the_text_only_at_the_models_limit(
    tiny_model: str, glue_folder: str, quick: dict[str, Any]
) -> None:
    record = run_trial(
        spec(
            tiny_model,
            quick | {"max_length": 128},
            data=glue_folder,
            method="prompt",
            options={"length": 120},
        )
    )
    assert record.status == "completed", record.message
    assert record.memory is not None
    assert record.memory.sequence_length == 8


def test_sample_input_is_exactly_as_long_as_asked(glue_folder: str) -> None:
    from runners.trials import batches

    split = batches.encode("embedded", "cola", glue_folder, "report", max_length=64)
    assert batches.one_input(split, 200)["input_ids"].shape == (1, 200)
    assert models.tokenizer("embedded").cls_token_id == batches.one_input(split, 5)["input_ids"][0, 0]


def test_what_cannot_be_kept_is_said_and_the_trial_goes_on(
    tiny_model: str,
    glue_folder: str,
    quick: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(cache, "KEPT_FROM", 0)
    for kept in (batches.load, batches.encode):
        kept.cache_clear()
    said: list[str] = []
    made = spec(tiny_model, quick, data=glue_folder, costs=None, search=True)
    assert run_trial(made, keeping=trial.Keeping(say=said.append)).status == "completed"
    assert [line[:43] for line in said] == ["What is made of the data cannot be kept in "]

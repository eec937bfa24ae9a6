"""What a trained method costs to use: latency, FLOPs beside the machine's floor, and serving many tasks.

Measured on what a user would deploy: the method as a checkpoint keeps it. No base is loaded for it. The
models that are compared share every tensor that they do not change (`methods.core.twins`), so that there are
two copies of the base's weights at most: the base's own, and what a method has trained or merged of them.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel

from methods import Adapted, MethodError
from methods.core import Flops
from methods.core.twins import as_stored, base_of, twin
from reports.records.cost_parts import Compute, Decoding, Latency, Serving
from reports.records.schema import Training
from runners import device, models, processes
from runners.failures import describe
from runners.measure import decoding, deployment, flops, latency, machine
from runners.measure.latency import settle
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from tasks.spec import TaskSpec

PARTS: Final = ("memory", "compute", "latency", "decoding", "serving")
"""What costs consist of, by the names of a record's parts; memory is measured before training."""


def parts_of(spec: TrialSpec) -> tuple[str, ...]:
    """Which of :data:`PARTS` a trial has: times of a pass over an input, or of a text that is written."""
    return tuple(part for part in PARTS if part != ("latency" if spec.writes else "decoding"))


def input_length(spec: TrialSpec, limit: int | None) -> int:
    """Tokens of the input that the trial's times are measured on, with those that are written behind it.

    Args:
        spec: the trial.
        limit: user's tokens that fit; None where nothing limits them.
    """
    settings = spec.costs or CostSettings()
    whole = settings.decoding_prompt + settings.decoding_tokens if spec.writes else settings.latency_length
    return min(whole, limit or whole)


@dataclass(frozen=True)
class Costs:
    """Parts of a record that were measured, and why the others were not."""

    parts: dict[str, Any]
    gaps: dict[str, str]


def measure(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    one: dict[str, Tensor],
    training: Training,
    wanted: Collection[str],
    *,
    trained: bool = True,
    targets: float | None = None,
) -> Costs:
    """Measure what a method costs to use. What fails is a gap and ends nothing.

    Args:
        spec: the trial.
        task: its task.
        accelerator: holds the device.
        adapted: the model.
        one: the input that times are measured on, (1 x :func:`input_length`).
        training: what the trial's training was.
        wanted: which of :func:`parts_of`, memory apart.
        trained: whether the model has the weights of the trial: no cost but the rounding of a merge depends
            on them.
        targets: tokens of an example that are trained on, on average; None where the model does not write.
    """
    parts: dict[str, Any] = {}
    gaps: dict[str, str] = {}

    def attempt(part: str, call: Callable[[], Mapping[str, Any]]) -> None:
        if part not in wanted or part in gaps:
            return
        try:
            parts.update(call())
        except Exception as error:
            gaps[part] = describe(error)
        device.free(accelerator.device)

    def fresh() -> PreTrainedModel:
        device.seed_everything(spec.seed)
        numerics = spec.protocol.numerics
        return models.pretrained(spec.model, task, numerics, writes=spec.writes).to(accelerator.device)

    settings = spec.costs or CostSettings()
    inputs = {name: value.to(accelerator.device) for name, value in one.items()}
    attempt(
        "compute",
        lambda: {"compute": compute(spec, task, accelerator, adapted, inputs, training, targets)},
    )
    served_as = {"latency", "decoding", "serving"} & set(wanted)
    if not served_as:
        return Costs(parts, gaps)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="paretune-"))
            saved = adapted.save(folder)
            settle(adapted.model)
            deployed = as_stored(adapted)
            deployed.model.eval()
        except Exception as error:  # no room for it, say
            gaps |= {part: describe(error) for part in sorted(served_as)}
            return Costs(parts, gaps)
        attempt(
            "latency",
            lambda: {"latency": timed(spec, settings, accelerator, adapted, deployed, inputs, trained)},
        )
        attempt(
            "decoding",
            lambda: {"decoding": written(spec, settings, adapted, deployed, inputs, trained)},
        )
        attempt(
            "serving",
            lambda: served(deployment.measure(deployed, saved, fresh, accelerator.device, seed=spec.seed)),
        )
    return Costs(parts, gaps)


def timed(
    spec: TrialSpec,
    settings: CostSettings,
    accelerator: Accelerator,
    adapted: Adapted,
    deployed: Adapted,
    inputs: dict[str, Tensor],
    trained: bool,
) -> Latency:
    """Latency of the method as it is stored, beside the untouched base."""
    merged, difference = None, None
    if adapted.method.mergeable:
        folded = twin(deployed)
        difference = folded.merge_difference(**inputs) if trained else None
        folded.merge()
        merged = folded.model
    return latency.trial_latency(
        base=base_of(adapted),
        control=base_of(adapted),
        unmerged=deployed.model,
        merged=merged,
        inputs=inputs,
        device=accelerator.device,
        rounds=settings.latency_rounds,
        seed=spec.seed,
        max_input_length=adapted.max_input_length,
        merge_logit_difference=difference,
    )


def written(
    spec: TrialSpec,
    settings: CostSettings,
    adapted: Adapted,
    deployed: Adapted,
    inputs: dict[str, Tensor],
    trained: bool,
) -> Decoding:
    """Times of a text that the method writes as it is stored, beside the untouched base."""
    limit, ids = adapted.max_input_length, inputs["input_ids"]
    length, tokens = decoding.lengths(settings, limit)
    prompt, text = ids[:, :length], ids[:, length : length + tokens]
    merged, difference = None, None
    if adapted.method.mergeable:
        folded = twin(deployed)
        if trained:
            beside = {"decoder_input_ids": text} if adapted.anatomy.is_encoder_decoder else {}
            difference = folded.merge_difference(input_ids=prompt, **beside)
        folded.merge()
        merged = folded.model
    return decoding.trial_decoding(
        base=base_of(adapted),
        control=base_of(adapted),
        unmerged=deployed.model,
        merged=merged,
        prompt=prompt,
        written=text,
        rounds=settings.decoding_rounds,
        width=settings.decoding_width,
        seed=spec.seed,
        max_input_length=limit,
        merge_logit_difference=difference,
    )


def compute(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    inputs: dict[str, Tensor],
    training: Training,
    targets: float | None,
) -> Compute | None:
    """FLOPs of an input and of a mean training batch, and the least time they could take; None if unknown.

    Of a model that writes they are those of the first token, and of a step with logits of targets alone.
    """
    batch, latency_length = processes.largest_share(spec.protocol.batch_size), inputs["input_ids"].shape[1]
    length = max(1, round(training.mean_length or 1))
    if targets is not None:
        prompt, _ = decoding.lengths(spec.costs or CostSettings(), adapted.max_input_length)
        try:
            one, _ = flops.of_targets(adapted, 1, prompt, 1)
            mean, full = flops.of_targets(adapted, batch, length, targets)
        except MethodError:
            return None
        return _beside_floor(spec, accelerator, adapted, training, one, mean, full, length)
    try:
        one, _ = flops.closed(adapted, 1, latency_length)
        mean, full = flops.closed(adapted, batch, length)
    except MethodError:  # no closed form: torch counts, which takes a second or two
        asked = (spec.model, spec.method, spec.options)
        count = partial(flops.report, *asked, num_labels=task.num_labels, tagged=task.is_tagged)
        try:
            found = count(batch=1, length=latency_length), count(batch=batch, length=length)
        except SpecError:
            return None
        one, mean = (Flops(each.forward_flops, each.training_step_flops) for each in found)
        full = Flops(found[1].base_forward_flops, found[1].base_training_step_flops)
    return _beside_floor(spec, accelerator, adapted, training, one, mean, full, length)


def _beside_floor(
    spec: TrialSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    training: Training,
    one: Flops,
    mean: Flops,
    full: Flops,
    length: int,
) -> Compute:
    """The record's part from the FLOPs of one input, of a mean batch, and of that with everything trained."""
    model = adapted.model
    read = machine.forward_bytes(model)
    # Rounded up to three binary digits: all methods on one model are held against the same measured rates.
    coarse = 1 << max(0, read.bit_length() - 3)
    streamed = -(-read // coarse) * coarse
    stored = spec.protocol.numerics
    dtype = model.dtype if stored.precision == "float32" else stored.computed_in
    here = machine.measure(accelerator.device, dtype=dtype, streamed_bytes=streamed)
    step = machine.floor(here, mean.training_step_flops, machine.training_step_bytes(model))
    return Compute(
        product_flops_per_second=here.flops_per_second,
        bytes_per_second=here.bytes_per_second,
        forward_flops=one.forward_flops,
        forward_floor_ms=machine.floor(here, one.forward_flops, read).floor_ms,
        training_step_flops=mean.training_step_flops,
        training_step_length=length,
        training_floor_seconds=None if training.reused_blocks else training.steps * step.floor_ms / 1000,
        full_step_flops=full.training_step_flops,
    )


def served(measured: deployment.Deployment) -> dict[str, Any]:
    """The record's parts on many tasks served from one base."""
    merged, merged_from_disk = measured.merged_switch, measured.merged_switch_from_disk
    serving = Serving(
        task_memory_bytes=measured.task_memory_bytes,
        shared_memory_bytes=measured.shared_memory_bytes,
        kept_memory_bytes=measured.kept_memory_bytes,
        switch_ms_p50=measured.switch.ms_p50,
        switch_from_disk_ms_p50=measured.switch_from_disk.ms_p50,
        merged_switch_ms_p50=merged.ms_p50 if merged else None,
        merged_switch_from_disk_ms_p50=merged_from_disk.ms_p50 if merged_from_disk else None,
        load_model_ms_p50=measured.load_model.ms_p50,
    )
    return {"serving": serving, "checkpoint_bytes": measured.task_disk_bytes}

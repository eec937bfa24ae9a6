"""The latency of a trial: the model it saved, as users would call it, beside the untouched base."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from reports.records.cost_parts import Latency
from runners.measure.timing import WARMUP_ROUNDS, Contender, measure


def trial_latency(
    base: nn.Module,
    control: nn.Module,
    unmerged: nn.Module,
    merged: nn.Module | None,
    inputs: Mapping[str, torch.Tensor],
    *,
    device: torch.device | str,
    rounds: int,
    seed: int,
    max_input_length: int | None,
    merge_logit_difference: float | None,
    warmup: int = WARMUP_ROUNDS,
) -> Latency:
    """The latency part of a record: all models called with the same ``inputs`` (with ``input_ids``).

    ``control`` is a second untouched base, with modules of its own. It answers for the measurement: an
    interval of its ratio that misses 1 says that the other ratios are off by about as much.

    The models must be in eval mode, and may share weights. What one call leaves in the caches would then help
    the next of those that share: so every timed call follows an untimed one of the same model, and each finds
    its own weights there, as far as they fit. See :func:`settle` on where weights lie.
    """
    models = {"base": base, "control": control, "unmerged": unmerged}
    if merged is not None:
        models["merged"] = merged
    for name, model in models.items():
        if any(module.training for module in model.modules()):
            raise ValueError(f"the {name} model is not in eval mode")
    calls = {name: _call(model, inputs) for name, model in models.items()}
    rows = measure(
        calls,
        reference="base",
        device=device,
        rounds=rounds,
        seed=seed,
        warmup=warmup,
        prepare=calls,
    )
    batch_size, sequence_length = inputs["input_ids"].shape
    return Latency(
        batch_size=batch_size,
        sequence_length=sequence_length,
        rounds=rounds,
        base_ms_p50=rows["base"].latency_ms_p50,
        control=rows["control"],
        unmerged=rows["unmerged"],
        merged=rows.get("merged"),
        max_input_length=max_input_length,
        merge_logit_difference=merge_logit_difference,
    )


def _call(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> Contender:
    return lambda: model(**inputs)


def settle(model: nn.Module) -> None:
    """Move every parameter and buffer, same objects and values, to memory of torch's own allocator.

    As loaded they lie in the mapped file, unaligned, and on a CPU two equal models of which only one lies
    there differ by 1 to 2 %. Who shares weights is made afterwards.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()

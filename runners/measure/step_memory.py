"""The memory stage of a trial: real steps on its longest batch, before it trains."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from methods import Adapted
from reports.records.cost_parts import Memory
from runners import device
from runners.measure import memory
from runners.optimisation import optimizer, scaler, training_step
from runners.plan.spec import Protocol


def measure(
    protocol: Protocol,
    accelerator: Accelerator,
    adapted: Adapted,
    model: nn.Module,
    longest: dict[str, Tensor],
) -> Memory:
    """Measure two real steps, put the weights back, and measure a forward pass.

    It comes before training, so that a trial that does not fit ends at once. What is frozen in front is
    computed in the step; where it is kept, training does that at the beginning, with as many rows at once.
    What is kept lies with the data, in host memory, and is not measured.

    Args:
        protocol: of the training.
        accelerator: holds the device.
        adapted: the model, on the device.
        model: what is called in training: the adapted model, or a module around it.
        longest: the longest batch that this process will see, with its labels.
    """
    batch = {name: value.to(accelerator.device) for name, value in longest.items()}
    trained = adapted.trained()
    with _unchanged(trained):
        made = optimizer(trained, protocol.learning_rate or 0.0, protocol.weight_decay, adapted.rates())
        optimiser = accelerator.prepare(made)
        model.train()
        step = functools.partial(
            training_step,
            accelerator,
            model,
            optimiser,
            batch,
            protocol.gradient_clip,
            micro_batch=protocol.micro_batch,
            scaling=scaler(protocol.precision, accelerator.device),
        )
        peak = memory.measure_peak(step, adapted.model, accelerator.device)
    del made, optimiser, step  # its state is not there at inference, nor in the training that follows
    device.release(accelerator)
    device.free(accelerator.device)
    labels = batch.pop("labels")
    if labels.ndim == 2 and adapted.anatomy.is_encoder_decoder:  # texts, which its decoder reads
        writer: Any = adapted.model
        batch["decoder_input_ids"] = writer.prepare_decoder_input_ids_from_labels(labels)
    adapted.model.eval()
    forward = functools.partial(adapted.model, **batch)
    with torch.no_grad():
        inference = memory.measure_peak(forward, adapted.model, accelerator.device, steps=1)
    best_weights = sum(parameter.nbytes for parameter in trained.values())
    rows, length = batch["input_ids"].shape
    return peak.to_record(inference, rows, length, best_weights)


@contextmanager
def _unchanged(trained: dict[str, nn.Parameter]) -> Iterator[None]:
    """Give parameters their values back afterwards; the copy lies in host memory."""
    before = {name: p.detach().to("cpu", copy=True) for name, p in trained.items()}
    try:
        yield
    finally:
        for name, parameter in trained.items():
            parameter.data.copy_(before[name])

"""FLOPs of a forward pass and a training step: counted by torch, beside the closed form.

What is counted, and why a frozen body takes two thirds of a full step, is in ``methods/core/flops.py``. torch
counts on its meta device: shapes go through the real model code, forward and backward; nothing is allocated.
Attention is taken apart into its matrix products (what fused kernels compute again is not counted), so the
numbers are the same on the meta device, a CPU and a GPU.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, mm_flop
from transformers import PreTrainedModel

import methods
from methods import MethodError
from methods.anatomy import Anatomy, Geometry, Wiring, geometry_of, wiring_of
from methods.core import Flops, Work, closed_form
from runners import models
from runners.plan.errors import SpecError


def _addmm_in_place(into: Any, one: Any, other: Any, *args: Any, **kwargs: Any) -> int:
    return mm_flop(one, other)


_IN_PLACE = {torch.ops.aten.addmm_: _addmm_in_place}
"""A product that torch's counter passes over: it knows ``addmm`` alone."""


@dataclass(frozen=True)
class FlopReport:
    """What one method costs on ``batch_size`` x ``sequence_length`` tokens."""

    batch_size: int
    sequence_length: int
    forward_flops: int
    """Counted by torch; from the closed form where torch cannot count without weights."""
    training_step_flops: int
    """Forward and backward pass."""
    base_forward_flops: int
    """Of the model without a method."""
    base_training_step_flops: int
    """Of the model without a method, with everything trained."""
    counted: Flops | None
    """None where the model asks for values, which meta tensors do not have (T5 and BART look for the token
    that ends the text)."""
    closed_form: Flops | None
    """None where there is none: DeBERTa's attention, architectures whose geometry is not known."""


def report(
    model: str,
    method: str,
    options: Mapping[str, Any],
    batch: int,
    length: int,
    num_labels: int = 2,
    *,
    tagged: bool = False,
) -> FlopReport:
    """Count a method on a model, without its weights.

    Args:
        model: as for :func:`runners.models.skeleton`.
        method: its name.
        options: its options; the rest keep their defaults.
        batch: examples.
        length: the user's tokens an example.
        num_labels: outputs of the task head, where the architecture has a classifier.
        tagged: whether that is one of every token.

    Raises:
        MethodError: unknown method or option, or the model has no place for it.
        ModelError: the configuration cannot be found, or there is no such head.
        SpecError: the model takes fewer tokens, or nothing tells its FLOPs.
    """
    adapted = methods.apply(models.skeleton(model, num_labels, tagged=tagged), method, **options)
    limit = adapted.max_input_length
    if limit is not None and length > limit:
        raise SpecError(
            f"received inputs of {length} tokens, {model!r} with {method} takes {limit} at the most."
        )
    count, closed = counted(adapted.model, batch, length), None
    with contextlib.suppress(MethodError):
        closed = adapted.flops(batch, length)
    found, base = count or closed, _base(model, batch, length, num_labels, tagged)
    if found is None or base is None:
        raise SpecError(f"the FLOPs of {model!r} can neither be counted without its weights nor derived.")
    return FlopReport(
        batch_size=batch,
        sequence_length=length,
        forward_flops=found.forward_flops,
        training_step_flops=found.training_step_flops,
        base_forward_flops=base.forward_flops,
        base_training_step_flops=base.training_step_flops,
        counted=count,
        closed_form=closed,
    )


def counted(model: PreTrainedModel, batch: int, length: int) -> Flops | None:
    """Let torch count a pass of ``batch`` x ``length`` tokens, and the gradients of what requires one.

    The model is left as it is. None if it lies on the meta device and asks for values.
    """
    device = model.device
    ids = torch.zeros(batch, length, dtype=torch.long, device=device)
    ending = getattr(model.config, "eos_token_id", None)
    if isinstance(ending, int):
        ids[:, -1] = ending  # some heads read the token that ends the text
    inputs = {"input_ids": ids}
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = ids
    gradients = [(p, p.grad) for p in model.parameters()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        with (
            torch.enable_grad(),
            sdpa_kernel(SDPBackend.MATH),
            _NoPadding(),
            FlopCounterMode(display=False, custom_mapping=_IN_PLACE) as counter,
        ):
            total = model(**inputs)[0].sum()
            forward = counter.get_total_flops()
            if total.requires_grad:
                total.backward()
            return Flops(forward, counter.get_total_flops())
    except (NotImplementedError, RuntimeError) as error:
        if device.type == "meta" and "meta" in str(error).lower():
            return None
        raise
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient


class _NoPadding(TorchDispatchMode):
    """Answers no where a model asks tensors without values whether they hold padding."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return False
        return func(*args, **(kwargs or {}))


@cache
def _base(model: str, batch: int, length: int, num_labels: int, tagged: bool) -> Flops | None:
    """The model itself, with everything trained."""
    base = models.skeleton(model, num_labels, tagged=tagged)
    if (count := counted(base, batch, length)) is not None:
        return count
    with contextlib.suppress(MethodError):
        anatomy = Anatomy(base)
        geometry = geometry_of(anatomy)
        return _everything(geometry, wiring_of(anatomy, geometry), batch, length)
    return None


def closed(adapted: methods.Adapted, batch: int, length: int) -> tuple[Flops, Flops]:
    """In closed form: the method's FLOPs, and those of its base without a method and with everything trained.

    Raises:
        MethodError: there is no closed form for the architecture.
    """
    sizes = adapted.sizes
    return adapted.flops(batch, length), _everything(sizes.geometry, sizes.wiring, batch, length)


def of_targets(adapted: methods.Adapted, batch: int, length: int, targets: float) -> tuple[Flops, Flops]:
    """The same of a causal model whose logits are computed for so many tokens an example alone.

    Raises:
        MethodError: there is no closed form for the architecture, or none of two lengths.
    """
    if adapted.anatomy.is_encoder_decoder:
        raise MethodError("the closed form is of prompts and texts of one length, and theirs differ.")
    geometry, wiring = adapted.sizes.geometry, adapted.sizes.wiring
    work = adapted.method.card.work(geometry, adapted.options)
    share = (targets - 1) / (length - 1) if length > 1 else 0.0

    def counted_for(work: Work) -> Flops:
        """Logits cost the same for every token: of what lies between one and all, the share."""
        last = closed_form(geometry, replace(wiring, head_reads_tokens=False), work, batch, length)
        every = closed_form(geometry, wiring, work, batch, length)
        return Flops(
            round(last.forward_flops + share * (every.forward_flops - last.forward_flops)),
            round(last.training_step_flops + share * (every.training_step_flops - last.training_step_flops)),
        )

    return counted_for(work), counted_for(Work(blocks=geometry.layers, body=True))


def once_in_a_pass(adapted: methods.Adapted, length: int) -> float:
    """What a step computes once however many rows it has, in tokens: products with tensors of a method's own.

    Raises:
        MethodError: there is no closed form for the architecture.
    """
    one, two = (adapted.flops(rows, length).training_step_flops for rows in (1, 2))
    return max(0.0, 2 * one - two) / max(1, two - one) * length


def _everything(geometry: Geometry, wiring: Wiring, batch: int, length: int) -> Flops:
    return closed_form(geometry, wiring, Work(blocks=geometry.layers, body=True), batch, length)

"""The memory that a method needs on a model, measured, or predicted without allocating anything.

Both run the same code: two training steps as a trial makes them (`optimisation.training_step`), and one
forward pass without gradients of what would be deployed, under `memory.TensorTracker`. A prediction runs it
on torch's fake tensors, which have shapes, dtypes and storages with a size, and no memory: every operator is
dispatched, every tensor is born and dies as in a real step, and no value exists. So the prediction is exact
where no operator's choice depends on a value. Where it does, that is arranged here:

* transformers leaves a mask out when nothing is padded. A batch of several rows always has padding here, as
  nearly every real one does; a single row has no mask.
* Random initialisation that redraws what falls outside of bounds is satisfied at once.
* A model whose forward pass asks for a value (experts chosen by score, say) cannot be predicted.
* Weights in few bits are tensors of a library's own, which fake tensors cannot be: they are measured alone.

What is predicted is eager PyTorch on a CPU. A GPU adds the workspaces and the rounding of its allocator and
may choose other attention kernels (with dropout, a CPU keeps the attention matrices for the backward pass,
a GPU's fused kernels do not).

Weights are random: no byte depends on their values, so nothing but a configuration is ever read.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

import methods
from methods import Adapted
from methods.errors import nearest
from runners import device as devices
from runners import models, optimisation
from runners.errors import ModelError
from runners.measure import memory
from runners.numerics import Numerics, NumericsError
from runners.plan.errors import SpecError
from runners.plan.spec import Protocol
from runners.untrained import untrained

Source = Literal["measured", "predicted"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

ADAM_STATES = 2
"""Tensors that AdamW keeps for each parameter: the two moments."""


@dataclass(frozen=True)
class Setting:
    """What decides the memory, beside the method."""

    model: str
    batch_size: int
    sequence_length: int
    """The user's tokens in each row; what a method adds comes on top."""
    dtype: str = "float32"
    """Of weights, and so of gradients, optimiser state and activations, where a model is of one dtype
    throughout. A trial has ``stored`` instead."""
    objective: str | None = None
    """``classification``, ``language-modeling`` or ``token-classification``; None for the first of them that
    the model can do."""
    num_labels: int = 2
    stored: Numerics = field(default_factory=Numerics)
    """How a trial stores and computes the model."""
    micro_batch: int | None = None
    """Rows that are computed at once; None for the whole batch."""

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise SpecError(f"there is no dtype {self.dtype!r}; {nearest(self.dtype, DTYPES)}.")
        if self.dtype != "float32" and self.stored != Numerics():
            raise SpecError(
                f"dtype {self.dtype} is of a model that is so throughout, and a trial stores one otherwise: "
                "expected one of the two."
            )
        try:
            self.stored.check()
        except NumericsError as error:
            raise SpecError(f"{error}.") from None
        if self.micro_batch is not None and self.micro_batch > self.batch_size:
            raise SpecError(
                f"a micro batch of {self.micro_batch} is a part of a batch of {self.batch_size}: expected at "
                f"most {self.batch_size}."
            )

    @property
    def itemsize(self) -> int:
        """Bytes of one scalar."""
        return min(DTYPES[self.dtype].itemsize, self.stored.dtype.itemsize)


@dataclass(frozen=True)
class Footprint:
    """Memory of one method. The first five are those of the training peak, and add up to it."""

    parameters_bytes: int
    gradients_bytes: int
    optimizer_bytes: int
    activations_bytes: int
    temporary_bytes: int
    peak_training_bytes: int
    peak_inference_bytes: int
    """One forward pass without gradients, unmerged, with what a checkpoint keeps."""
    checkpoint_bytes: int
    """The tensors that are stored: the method and the head, in the weights' dtype."""
    best_weights_bytes: int
    """The copy of the best weights so far that a trial keeps while it trains, on top of the peak."""
    optimizer: str
    """The implementation of the update, see `optimisation.implementation`."""
    how: str
    """``tensors``, ``cuda_allocator`` (see `memory`) or ``fake_tensors``."""


class Workbench:
    """One model at one size, on which methods are measured or predicted one after another.

    Args:
        setting: model, size and precision.
        source: measure on the device of the machine, or predict.

    Raises:
        ModelError: the model's configuration cannot be found, read or reached, or has no such head.
        SpecError: the model does not fit into memory.
    """

    def __init__(self, setting: Setting, source: Source) -> None:
        self.setting = setting
        self.source = source
        if source == "predicted" and setting.stored.quantization is not None:
            raise SpecError(
                f"the memory of a model in {setting.stored.quantization} cannot be predicted, since its "
                "weights are tensors of another library: measure it instead (--measure)."
            )
        self._accelerator = devices.accelerator()
        self.device = self._accelerator.device if source == "measured" else torch.device("cpu")
        self._mode = FakeTensorMode() if source == "predicted" else contextlib.nullcontext()
        if source == "measured":
            skeleton = models.skeleton(setting.model, setting.num_labels)
            self._must_fit("the weights", sum(p.numel() for p in skeleton.parameters()))
        devices.seed_everything(0)  # and the deterministic kernels of a trial
        with models.quiet(), self._mode, _NoValueMatters(), self.device:
            self._model = untrained(
                setting.model,
                setting.objective,
                num_labels=setting.num_labels,
                dtype=DTYPES[setting.dtype],
                stored=setting.stored,
            )

    @property
    def task(self) -> str:
        """What the head is for."""
        if self.setting.objective == "token-classification":
            return "token classification"
        return "language modelling" if self._model.get_output_embeddings() is not None else "classification"

    def footprint(self, method: str, options: Mapping[str, Any]) -> Footprint:
        """Run the steps with one method.

        Raises:
            MethodError: unknown method or option, or the model has no place for it.
            SpecError: the input is too long, or memory runs out.
            ModelError: the model cannot be predicted.
        """
        try:
            with models.quiet(), self._mode:
                with self._applied(method, options) as adapted:
                    batch = self._batch(adapted)
                    peak, implementation = self._train(adapted, batch)
                    best_weights = sum(parameter.nbytes for parameter in adapted.trained().values())
                    deployed = adapted.stored_options
                    kept = adapted.stored_bytes()
                with self._applied(method, deployed.model_dump()) as adapted:
                    inference = self._infer(adapted.model, batch)
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            raise ModelError(
                f"{self.setting.model!r} with {method} cannot be predicted: its computation depends on the "
                f"values of tensors ({error.func}); it can only be measured."
            ) from None
        except Exception as error:
            if not devices.is_out_of_memory(error):
                raise
            raise SpecError(
                f"{method} on {self.setting.model!r} ran out of memory on {self.device}: "
                "predict it instead (--predict)."
            ) from None
        return Footprint(
            **vars(peak.split),
            peak_training_bytes=peak.peak_bytes,
            peak_inference_bytes=inference.peak_bytes,
            checkpoint_bytes=kept,
            best_weights_bytes=best_weights,
            optimizer=implementation,
            how="fake_tensors" if self.source == "predicted" else peak.method,
        )

    @contextlib.contextmanager
    def _applied(self, method: str, options: Mapping[str, Any]) -> Iterator[Adapted]:
        dtypes = [(parameter, parameter.dtype) for parameter in self._model.parameters()]
        with _NoValueMatters():
            adapted = methods.apply(self._model, method, **options)
        if self.setting.stored.base_dtype != "float32":
            adapted.in_float32()
        try:
            yield adapted
        finally:
            self._model.zero_grad(set_to_none=True)  # what an error in the middle of a step left behind
            adapted.remove()
            for parameter, dtype in dtypes:
                if parameter.dtype != dtype:
                    parameter.data = parameter.data.to(dtype)

    def _batch(self, adapted: Adapted) -> dict[str, torch.Tensor]:
        """Inputs and labels; in every row but the first the last position is padding."""
        rows, length = self.setting.batch_size, self.setting.sequence_length
        limit = adapted.max_input_length
        if limit is not None and length > limit:
            raise SpecError(
                f"received a length of {length}, but {self.setting.model!r} with {adapted.method.name} takes "
                f"at most {limit} tokens."
            )
        ids = torch.randint(1, adapted.model.config.vocab_size, (rows, length), device=self.device)
        batch = {"input_ids": ids}
        if rows > 1:
            batch["attention_mask"] = torch.ones_like(ids)
            batch["attention_mask"][1:, -1] = 0
        if adapted.anatomy.is_encoder_decoder:
            batch |= {f"decoder_{name}": value for name, value in batch.items()}  # a target of equal length
        # A classifier has one answer for each row, or token; a language model predicts the tokens themselves.
        each = (rows, length) if self.setting.objective == "token-classification" else (rows,)
        batch["labels"] = ids if adapted.anatomy.is_language_model else ids.new_zeros(each)
        return batch

    def _train(self, adapted: Adapted, batch: dict[str, torch.Tensor]) -> tuple[memory.PeakMemory, str]:
        """The peak, and the implementation of the update."""
        trained = adapted.trained()
        copies = 1 + ADAM_STATES
        self._must_fit(
            f"training {adapted.method.name}", copies * adapted.parameter_counts()["trainable"], more=True
        )
        protocol = Protocol()  # names no rate: the update is whole, and changes nothing
        made = optimisation.optimizer(trained, 0.0, protocol.weight_decay, adapted.rates())
        optimiser = self._accelerator.prepare_optimizer(made, device_placement=False)
        adapted.model.train()
        step = functools.partial(
            optimisation.training_step,
            self._accelerator,
            adapted.model,
            optimiser,
            batch,
            protocol.gradient_clip,
            micro_batch=self.setting.micro_batch,
            scaling=optimisation.scaler(self.setting.stored.precision, self.device),
        )
        try:
            return memory.measure_peak(step, adapted.model, self.device), optimisation.implementation(made)
        finally:
            devices.release(
                self._accelerator
            )  # or the state of this optimiser would stay for the next method

    def _infer(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> memory.PeakMemory:
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        model.eval()
        with torch.no_grad():
            return memory.measure_peak(lambda: model(**inputs), model, self.device, steps=1)

    def _must_fit(self, what: str, scalars: int, more: bool = False) -> None:
        """Refuse what cannot fit before the machine starts to swap: a lower bound."""
        if self.source == "predicted":
            return
        needed, free = scalars * self.setting.itemsize, devices.available_bytes(self.device)
        if needed > free:
            raise SpecError(
                f"{what} on {self.setting.model!r} needs {'another ' if more else ''}{needed / 1e9:,.1f} GB "
                f"at least, {self.device} has {free / 1e9:,.1f} GB free: predict it instead (--predict)."
            )


class _NoValueMatters(TorchDispatchMode):
    """Answers 0 or False where a value is asked of a fake tensor.

    For initialisation alone: `nn.init.trunc_normal_` asks whether anything is left to draw again.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator."""
        try:
            return func(*args, **(kwargs or {}))
        except DataDependentOutputException:
            return 0

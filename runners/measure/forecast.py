"""How long batches will take here: by their FLOPs, and by what a few real steps of two methods took.

    step = f forward + a min(backward, forward) + w (backward - forward, if more) + u bytes trained + s

FLOPs are those of the closed form (``methods/core/flops.py``). A backward pass of a frozen body has as many
as the forward pass, for the gradients of activations, and in it lies what is element-wise; what comes on top
is for the gradients of weights and is nearly products alone. Hence the two rates. They come from two methods
of a study: the one that trains the most of the body and one that passes gradients through it and trains the
least. ``u`` is the update, ``s`` what a step takes whatever it computes. Evaluation has a rate of its own.

Without such steps the rates are the products' on this machine, times the shares of it that steps reached when
this was written, on two threads of one CPU: a guess within a factor of two.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from methods import Adapted
from runners import device
from runners.measure import decoding, deployment, machine
from runners.measure.timing import WARMUP_ROUNDS
from runners.optimisation import optimizer, scaler, training_step
from runners.plan.costs import CostSettings
from runners.plan.spec import Protocol

Batch = dict[str, Tensor]
Clock = Callable[[], float]

SWITCHING_SECONDS = 0.17
"""Switches of one kind are timed for about so long, see :mod:`runners.measure.deployment`."""
MACHINE_SECONDS = 0.7
"""Until the rates of the machine are known, on a CPU with several threads twice: once for each model."""
TRACKED = 1.5
"""How many times as long a step takes whose memory is measured, tensor by tensor."""

FORWARD_SHARE, ACTIVATIONS_SHARE, WEIGHTS_SHARE, SCORING_SHARE = 0.45, 0.35, 0.7, 0.55
"""Of the rate of products, what the phases of a step reach without a step having been timed."""
STEP_SECONDS, ONCE_SECONDS, LOAD_SECONDS = 0.005, 0.005, 0.5
"""What a step takes beside its FLOPs, a pass of one input, and a model until it is there."""


@dataclass(frozen=True)
class Asks:
    """What one batch asks of the machine."""

    forward: int
    """FLOPs of the forward pass."""
    backward: int = 0
    """FLOPs of the backward pass."""
    trained_bytes: int = 0

    def part(self, share: float) -> Asks:
        """What a part of the batch asks for: the update is that of the whole."""
        return Asks(round(share * self.forward), round(share * self.backward), self.trained_bytes)

    @property
    def activations(self) -> int:
        """The part of the backward pass that a frozen body has as well."""
        return min(self.backward, self.forward)

    @property
    def weights(self) -> int:
        """The rest of it."""
        return self.backward - self.activations


@dataclass(frozen=True)
class Timed:
    """Seconds of the phases of one step, beside what it asked for."""

    asks: Asks
    forward: float
    backward: float
    update: float
    """Clipping and AdamW."""
    batch: float
    """Until the batch was there."""

    def faster(self, gain: float) -> Timed:
        """What it would be on a machine that is so many times as fast."""
        return Timed(
            self.asks, self.forward / gain, self.backward / gain, self.update / gain, self.batch / gain
        )


@dataclass(frozen=True)
class Rates:
    """Seconds a FLOP, a byte, a step or a pass."""

    forward: float
    activations: float
    weights: float
    update: float
    """A trained byte."""
    step: float
    scoring: float
    """A FLOP of a forward pass without gradients, in batches."""
    once: float
    """A forward pass of one input of a latency's length, of the model as it is."""
    load: float
    """Until a model is read and a method is in it."""
    written: float = 0.0
    """A token of a batch of texts that a model writes, in the model as it is; 0 where it was not timed."""
    next_token: float = 0.0
    """A token of one text, in the model as it is."""

    def training(self, asks: Asks) -> float:
        """Seconds of a training step."""
        products = self.forward * asks.forward + self.activations * asks.activations
        products += self.weights * asks.weights
        return products + self.update * asks.trained_bytes + self.step

    def evaluation(self, forward: int) -> float:
        """Seconds of forward passes without gradients."""
        return self.scoring * forward


@dataclass(frozen=True)
class Deployed:
    """What the costs of a method depend on, beside the rates."""

    longest: Asks
    """Of the longest batch."""
    widening: float
    """FLOPs of one input, as a multiple of the model's as it is."""
    mergeable: bool
    stored_bytes: int
    writes: bool = False
    """Whether what is timed is a text that it writes."""


def costs(settings: CostSettings, rates: Rates, bytes_per_second: float, method: Deployed) -> float:
    """Seconds that it takes to measure the costs of a method.

    Args:
        settings: how they are measured.
        rates: of the model here.
        bytes_per_second: of the machine.
        method: what is measured.
    """
    memory = TRACKED * (2 * rates.training(method.longest) + rates.evaluation(method.longest.forward))
    models = 2 + method.widening + method.mergeable
    if method.writes:  # first tokens each behind an untimed one, then all tokens behind a first one
        rounds = settings.decoding_rounds + decoding.WARMUP_ROUNDS
        latency = rounds * models * (3 * rates.once + (settings.decoding_tokens - 1) * rates.next_token)
    else:
        calls = 2 * (settings.latency_rounds + WARMUP_ROUNDS)  # each timed call follows one that is not
        latency = calls * rates.once * models
    switching = 2 * method.stored_bytes / bytes_per_second + SWITCHING_SECONDS * (1 + method.mergeable)
    return memory + latency + deployment.LEAST_LOADS * rates.load + switching


def time_steps(
    accelerator: Accelerator,
    adapted: Adapted,
    protocol: Protocol,
    loader: Any,
    asks: Callable[[Batch], Asks],
    clock: Clock = time.perf_counter,
    model: nn.Module | None = None,
) -> list[Timed]:
    """Take the training steps of a loader, and time their phases; the first, which is slow, is left out.

    Args:
        accelerator: holds the device.
        adapted: the model, on the device; its weights move.
        protocol: of the training.
        loader: yields batches.
        asks: what a batch asks for.
        clock: tells the seconds.
        model: what is called in a step; None for the adapted model.
    """
    trained = adapted.trained()
    made = optimizer(trained, protocol.learning_rate or 0.0, protocol.weight_decay, adapted.rates())
    (model or adapted.model).train()
    scaling = scaler(protocol.precision, accelerator.device)
    found: list[Timed] = []
    iterator = iter(loader)
    while True:
        marks: Any = _Marks(accelerator, model or adapted.model, clock)
        began = marks.now()
        batch = next(iterator, None)
        if batch is None:
            break
        batch = {name: value.to(accelerator.device) for name, value in batch.items()}
        started = marks.now()
        training_step(
            marks,
            marks,
            made,
            batch,
            protocol.gradient_clip,
            micro_batch=protocol.micro_batch,
            scaling=scaling,
        )
        update = marks.now() - started - marks.forward_seconds - marks.backward_seconds
        found.append(
            Timed(asks(batch), marks.forward_seconds, marks.backward_seconds, update, started - began)
        )
    device.release(accelerator)
    return found[1:] or found


class _Marks:
    """Stands where a step calls its model and its accelerator, and takes the time of both."""

    def __init__(self, accelerator: Accelerator, model: Any, clock: Clock) -> None:
        self.accelerator, self.model, self.clock = accelerator, model, clock
        self.forward_seconds = self.backward_seconds = 0.0

    def now(self) -> float:
        device.synchronize(self.accelerator.device)
        return self.clock()

    def __call__(self, **batch: Tensor) -> Any:
        started = self.now()
        found = self.model(**batch)
        self.forward_seconds += self.now() - started
        return found

    def backward(self, loss: Tensor) -> None:
        started = self.now()
        self.accelerator.backward(loss)
        self.backward_seconds += self.now() - started

    def clip_grad_norm_(self, parameters: Any, clip: float) -> None:
        self.accelerator.clip_grad_norm_(parameters, clip)


def time_pass(
    accelerator: Accelerator, adapted: Adapted, batch: Batch, calls: int, clock: Clock = time.perf_counter
) -> float:
    """The median seconds of a forward pass without gradients, after one that is left out."""
    inputs = {name: value.to(accelerator.device) for name, value in batch.items() if name != "labels"}
    adapted.model.eval()
    return time_calls(accelerator, lambda: adapted.model(**inputs), calls, clock)


def time_calls(
    accelerator: Accelerator, call: Callable[[], Any], calls: int, clock: Clock = time.perf_counter
) -> float:
    """The median seconds of a call without gradients, after one that is left out."""
    found = []
    with torch.inference_mode():
        for _ in range(calls + 1):
            device.synchronize(accelerator.device)
            started = clock()
            call()
            device.synchronize(accelerator.device)
            found.append(clock() - started)
    return statistics.median(found[1:])


def rates_of(
    steps: Sequence[Sequence[Timed]], scoring: float, once: float, load: float, bytes_per_second: float
) -> Rates:
    """The rates from the timed steps of some methods.

    Args:
        steps: of each method.
        scoring: seconds a FLOP of a forward pass in evaluation.
        once: seconds of a forward pass of one input.
        load: seconds until a model is there.
        bytes_per_second: of the machine, for the update where all methods train about the same.
    """
    every = [step for own in steps for step in own]
    forward = _ratio(sum(s.forward for s in every), sum(s.asks.forward for s in every))
    frozen = [s for s in every if s.asks.activations and s.asks.weights <= 0.2 * s.asks.forward] or [
        s for s in every if s.asks.activations
    ]
    activations = _ratio(sum(s.backward for s in frozen), sum(s.asks.backward for s in frozen)) or forward
    whole = [s for s in every if s.asks.weights > 0.2 * s.asks.forward]
    rest = sum(s.backward - activations * s.asks.activations for s in whole)
    weights = _ratio(max(0.0, rest), sum(s.asks.weights for s in whole)) or activations
    updates = sorted((s.asks.trained_bytes, _median(s.update for s in own)) for own in steps for s in own[:1])
    (least, short), (most, long) = updates[0], updates[-1]
    update = machine.TRAINED_PASSES / bytes_per_second
    if most > 2 * least + 1_000_000:
        update = max(0.0, long - short) / (most - least)
    step = max(0.0, short - update * least) + _median(s.batch for s in every)
    return Rates(forward, activations, weights, update, step, scoring, once, load)


def guessed(here: machine.Machine) -> Rates:
    """The rates where no step was timed, see the module's docstring."""
    second = 1 / here.flops_per_second
    return Rates(
        forward=second / FORWARD_SHARE,
        activations=second / ACTIVATIONS_SHARE,
        weights=second / WEIGHTS_SHARE,
        update=machine.TRAINED_PASSES / here.bytes_per_second,
        step=STEP_SECONDS,
        scoring=second / SCORING_SHARE,
        once=ONCE_SECONDS,
        load=LOAD_SECONDS,
        written=ONCE_SECONDS,
        next_token=ONCE_SECONDS,
    )


def _ratio(seconds: float, amount: float) -> float:
    return seconds / amount if amount else 0.0


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)

"""The training loop: one for every method, through accelerate, on any number of devices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import get_linear_schedule_with_warmup

from methods import Adapted
from reports.records.schema import CurvePoint, Training
from runners import device
from runners.optimisation import optimizer, training_step
from runners.plan.spec import Protocol, TrialSpec
from runners.work import batches
from runners.work.loading import Splits
from runners.work.scoring import Score, score
from tasks.spec import TaskSpec

LOSS_CHECK_STEPS = 10
"""Steps between looks at the loss: each look waits for the device."""

Watch = Callable[["Progress"], None]


class DivergenceError(Exception):
    """The training loss stopped being a finite number."""


@dataclass
class Progress:
    """What is told to whoever watches a trial; nothing in a trial depends on it."""

    phase: str
    step: int = 0
    steps: int = 0
    train_loss: float | None = None
    selection: Score | None = None


@dataclass
class Trained:
    """What training leaves behind, beside the model with its best weights."""

    curve: list[CurvePoint] = field(default_factory=list)
    best_step: int = 0
    best: Score = field(default_factory=dict)
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    steps: int = 0
    examples: int = 0
    padding_share: float = 0.0
    mean_length: float = 0.0
    """Tokens an example in this process, padding included."""

    def to_record(self) -> Training:
        """The record's part."""
        return Training(
            steps=self.steps,
            examples=self.examples,
            seconds=self.seconds,
            examples_per_second=self.examples / self.seconds,
            evaluation_seconds=self.evaluation_seconds,
            padding_share=self.padding_share,
        )


def train(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    splits: Splits,
    watch: Watch,
) -> Trained:
    """Train a method; the model is left with the weights that were best on the selection split.

    Args:
        spec: the trial.
        task: its task.
        accelerator: holds the device and the other processes.
        adapted: the model, on the device.
        splits: what is trained on, and what selects.
        watch: is told of progress.

    Raises:
        DivergenceError: the loss became infinite or not a number.
    """
    device.seed_everything(spec.seed)
    protocol, tokenizer, model = spec.protocol, batches.tokenizer(spec.model), adapted.model
    size = protocol.batch_size
    steps = protocol.steps or batches.steps_of(protocol.epochs, len(splits.train), size)
    loader = batches.training_loader(splits.train, tokenizer, size, steps, spec.seed)
    selection = accelerator.prepare(batches.scoring_loader(splits.selection, tokenizer))
    sign = 1 if task.main_metric.higher_is_better else -1

    def main_metric(found: Score) -> float:
        value = found[task.main_metric.name]
        return -math.inf if value is None else sign * value

    return fit(
        accelerator,
        model,
        adapted.trained(),
        loader,
        steps,
        protocol,
        evaluate=lambda: score(accelerator, model, selection, task),
        main_metric=main_metric,
        watch=watch,
        rates=adapted.rates(),
    )


def fit(
    accelerator: Accelerator,
    model: nn.Module,
    trained: dict[str, nn.Parameter],
    train_loader: Any,
    steps: int,
    protocol: Protocol,
    evaluate: Callable[[], Score],
    main_metric: Callable[[Score], float],
    watch: Callable[[Progress], None],
    rates: Mapping[str, float] | None = None,
) -> Trained:
    """Train for ``steps`` steps, evaluate at the set interval, restore the best weights.

    Args:
        accelerator: holds the device and the other processes.
        model: called with a batch, returns an object with a ``loss``.
        trained: the parameters to train.
        train_loader: yields ``steps`` batches.
        steps: optimiser steps.
        protocol: rate, schedule, clipping, interval.
        evaluate: scores the selection split.
        main_metric: turns a score into a number where more is better; -inf where it is undefined.
        watch: is told of progress.
        rates: multiples of the protocol's rate for parameters that have one of their own, by name.

    Raises:
        DivergenceError: the loss became infinite or not a number.
    """
    optimiser = optimizer(trained, protocol.learning_rate or 0.0, protocol.weight_decay, rates)
    schedule = get_linear_schedule_with_warmup(optimiser, round(protocol.warmup_share * steps), steps)
    model, optimiser, train_loader, schedule = accelerator.prepare(model, optimiser, train_loader, schedule)

    result = Trained(steps=steps)
    best_value, best_weights = -math.inf, None
    losses: list[Tensor] = []
    positions, real = 0, torch.zeros((), dtype=torch.long, device=accelerator.device)
    model.train()
    device.synchronize(accelerator.device)
    started = time.perf_counter()
    for step, batch in enumerate(train_loader, start=1):
        losses.append(training_step(accelerator, model, optimiser, batch, protocol.gradient_clip))
        schedule.step()
        mask = batch["attention_mask"]
        result.examples += mask.shape[0] * accelerator.num_processes
        positions += mask.numel()
        real += mask.sum()
        evaluating = step % protocol.evaluate_every == 0 or step == steps
        if evaluating or step % LOSS_CHECK_STEPS == 0:
            if not all(math.isfinite(loss) for loss in torch.stack(losses[-LOSS_CHECK_STEPS:]).tolist()):
                raise DivergenceError(f"the training loss was not finite by step {step} of {steps}.")
            watch(Progress("training", step, steps, train_loss=float(losses[-1])))
        if evaluating:
            device.synchronize(accelerator.device)
            paused = time.perf_counter()
            result.seconds += paused - started
            score = evaluate()
            model.train()
            mean_loss = float(torch.stack(losses).mean())
            losses.clear()
            result.curve.append(CurvePoint(step=step, train_loss=mean_loss, selection=score))
            watch(Progress("training", step, steps, train_loss=mean_loss, selection=score))
            if best_weights is None or main_metric(score) > best_value:
                best_value, result.best_step, result.best = main_metric(score), step, score
                best_weights = {name: p.detach().clone() for name, p in trained.items()}
            device.synchronize(accelerator.device)
            started = time.perf_counter()
            result.evaluation_seconds += started - paused
    if best_weights is not None and result.best_step != steps:
        for name, parameter in trained.items():
            parameter.data.copy_(best_weights[name])
    model.eval()
    result.padding_share = 1 - int(real) / positions
    result.mean_length = positions * accelerator.num_processes / result.examples
    return result

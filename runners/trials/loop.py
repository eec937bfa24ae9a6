"""The training loop: one for every method, through accelerate, on any number of devices."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from reports.records.cost_parts import TrainingEnergy
from reports.records.schema import CurvePoint, Training
from runners import device, processes
from runners.measure.energy import Source, Tally
from runners.optimisation import implementation, optimizer, parts, scaler, training_step, updates, warmed_up
from runners.plan.spec import Protocol
from runners.trials.batches import Batch
from runners.trials.clock import Clock
from runners.trials.kind import padded
from runners.trials.scoring import Score
from runners.trials.snapshots import Snapshots

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

    clock: Clock
    curve: list[CurvePoint] = field(default_factory=list)
    best_step: int = 0
    best: Score = field(default_factory=dict)
    evaluation_seconds: float = 0.0
    front_seconds: float = 0.0
    """What was computed once of the frozen front, in front of all steps."""
    recalled_seconds: float = 0.0
    """Of these and of evaluation, what earlier trials of the process spared this one."""
    reused_blocks: int = 0
    steps: int = 0
    whole: int = 0
    """Steps of the whole training; more than ``steps`` where it stopped at a rung."""
    examples: int = 0
    padding_share: float = 0.0
    mean_length: float = 0.0
    """Tokens an example, padding included."""
    optimizer: str = ""
    energy: TrainingEnergy | None = None
    skipped_steps: int | None = None
    """In float16: those whose gradients overflowed."""
    resumed_at: tuple[int, ...] = ()

    def to_record(self) -> Training:
        """The record's part."""
        seconds = math.fsum([self.front_seconds, *self.clock.seconds])
        return Training(
            steps=self.steps,
            examples=self.examples,
            seconds=seconds,
            examples_per_second=self.examples / seconds,
            evaluation_seconds=self.evaluation_seconds,
            padding_share=self.padding_share,
            mean_length=self.mean_length,
            optimizer=self.optimizer,
            skipped_steps=self.skipped_steps,
            resumed_at=self.resumed_at,
            reused_blocks=self.reused_blocks,
            energy=self.energy,
            **self.clock.numbers(),
        )


def fit(
    accelerator: Accelerator,
    model: nn.Module,
    trained: dict[str, nn.Parameter],
    train_loader: Callable[[int], Any],
    steps: int,
    protocol: Protocol,
    evaluate_at: Collection[int],
    evaluate: Callable[[], Score],
    main_metric: Callable[[Score], float],
    watch: Watch,
    rates: Mapping[str, float] | None = None,
    snapshots: Snapshots | None = None,
    until: int | None = None,
    positions: Callable[[Batch], int] = padded,
    tally: Tally | None = None,
) -> Trained:
    """Train for ``steps`` steps, evaluate after some of them, restore the best weights.

    A training that stops before its end leaves a snapshot, and goes on from it to the same bits.

    Args:
        accelerator: holds the device and the other processes.
        model: called with a batch, returns an object with a ``loss``.
        trained: the parameters to train.
        train_loader: yields the batches that are left after so many steps, of each this process's share.
        steps: optimiser steps.
        protocol: rate, schedule, clipping.
        evaluate_at: the steps after which the selection split is scored, the last one among them.
        evaluate: scores the selection split.
        main_metric: turns a score into a number where more is better; -inf where it is undefined.
        watch: is told of progress.
        rates: multiples of the protocol's rate for parameters that have one of their own, by name.
        snapshots: of this training, from which it goes on; None keeps none.
        until: the step after which it stops, at which ``train_loader`` ends too; None for the last. Where a
            snapshot is further on, it stops there.
        positions: tokens of what is computed at once, padding included.
        tally: of what the steps take; None where nothing counts it.

    Raises:
        DivergenceError: the loss became infinite or not a number.
        PeerError: another process could not go on.
    """
    return _Loop(
        *(accelerator, model, trained, steps, protocol, evaluate_at),
        *(evaluate, main_metric, watch, rates or {}, snapshots),
        until=min(until or steps, steps),
        positions=positions,
        tally=tally or Tally(),
    ).run(train_loader)


def energy(told: Sequence[tuple[Source, float] | None]) -> TrainingEnergy | None:
    """What the cards of all processes took, or one process' machine; None where some of it is not known."""
    known = [one for one in told if one is not None]
    if len(known) < len(told) or (known[0][0] == "rapl" and len(known) > 1):
        return None  # each process on a machine reads the whole machine's counter
    return TrainingEnergy(source=known[0][0], joules=sum(joules for _, joules in known))


class _Loop:
    """A training that can be left at any snapshot and gone on with."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        trained: dict[str, nn.Parameter],
        steps: int,
        protocol: Protocol,
        evaluate_at: Collection[int],
        evaluate: Callable[[], Score],
        main_metric: Callable[[Score], float],
        watch: Watch,
        rates: Mapping[str, float],
        snapshots: Snapshots | None,
        until: int,
        positions: Callable[[Batch], int],
        tally: Tally,
    ) -> None:
        self.accelerator, self.model, self.trained = accelerator, model, trained
        self.steps, self.protocol, self.watch = steps, protocol, watch
        self.evaluate_at, self.evaluate, self.main_metric = set(evaluate_at), evaluate, main_metric
        self.snapshots, self.until, self.computed, self.tally = snapshots, until, positions, tally
        made = optimizer(trained, protocol.learning_rate or 0.0, protocol.weight_decay, rates)
        schedule = warmed_up(made, round(protocol.warmup_share * steps), steps)
        self.made, self.scaling = made, scaler(protocol.precision, accelerator.device)
        self.model, self.optimiser, self.schedule = device.prepared(accelerator, model, made, schedule)
        self.result = Trained(clock=Clock(accelerator.device), whole=steps, optimizer=implementation(made))
        self.best_value = -math.inf
        self.best_weights: dict[str, Tensor] | None = None
        self.losses: list[Tensor] = []
        self.examples, self.positions = 0, 0  # of this process, as the next
        self.real = torch.zeros((), dtype=torch.long, device=accelerator.device)

    def run(self, train_loader: Callable[[int], Any]) -> Trained:
        """Train, from the last snapshot where there is one."""
        result, accelerator = self.result, self.accelerator
        saved = self.snapshots.load() if self.snapshots else None
        start = int(saved["step"]) if saved else 0
        loader = device.onto(accelerator.device, train_loader(start))
        processes.start_equal(self.trained.values())
        self.model.train()
        if saved is not None and start >= self.until:  # it was killed before its record was kept
            self._restore(saved)
            loader = iter(())
        self.tally.begin()
        for step, batch in enumerate(loader, start=start + 1):
            if saved is not None:  # here, since beginning to iterate draws from the generators as well
                self._restore(saved)
                saved = None
            with result.clock:
                self._step(batch)
            evaluating = step in self.evaluate_at
            if evaluating or step % LOSS_CHECK_STEPS == 0:
                self._look(step)
            saving = step < self.steps and self._to_save(step)
            if evaluating or saving:
                device.synchronize(accelerator.device)
                result.clock.read()
                self.tally.end()
                paused = time.perf_counter()
                if evaluating:
                    self._evaluate(step)
                    device.synchronize(accelerator.device)
                    result.evaluation_seconds += time.perf_counter() - paused
                if saving and self.snapshots:
                    self.snapshots.save(self._state(step))
                self.tally.begin()
        result.steps = max(start, self.until)
        if self.best_weights is not None and result.best_step != result.steps:
            for name, parameter in self.trained.items():
                parameter.data.copy_(self.best_weights[name])
        self.model.eval()
        if self.scaling is not None:
            result.skipped_steps = result.steps - updates(self.made)
        result.energy = energy(processes.gathered(self.tally.told))
        counted = processes.gathered(self._counted())
        result.examples, positions, real = map(sum, zip(*counted, strict=True))
        result.padding_share = 1 - real / positions
        result.mean_length = positions / result.examples
        return result

    def _step(self, batch: dict[str, Tensor]) -> None:
        self.losses.append(
            training_step(
                self.accelerator,
                self.model,
                self.optimiser,
                batch,
                self.protocol.gradient_clip,
                together=True,
                micro_batch=self.protocol.micro_batch,
                scaling=self.scaling,
            )
        )
        self.schedule.step()
        if batch:
            mask = batch["attention_mask"]
            self.examples += mask.shape[0]
            self.positions += sum(
                self.computed(dict(part)) for part, _ in parts(batch, self.protocol.micro_batch)
            )
            self.real += mask.sum()

    def _counted(self) -> tuple[int, int, int]:
        """Examples, and tokens of them with and without padding, that this process has trained on."""
        return self.examples, self.positions, int(self.real)

    def _to_save(self, step: int) -> bool:
        return self.snapshots is not None and (step == self.until or self.snapshots.due(step))

    def _look(self, step: int) -> None:
        """Wait for the device, and see whether the loss is still a number."""
        if not all(math.isfinite(loss) for loss in torch.stack(self.losses[-LOSS_CHECK_STEPS:]).tolist()):
            raise DivergenceError(f"the training loss was not finite by step {step} of {self.steps}.")
        self.watch(Progress("training", step, self.steps, train_loss=float(self.losses[-1])))

    def _evaluate(self, step: int) -> None:
        before = device.generator_states()  # from which scoring draws: torch's loaders do when they begin
        score = self.evaluate()
        device.set_generator_states(before)
        self.model.train()
        mean_loss = float(torch.stack(self.losses).mean())
        self.losses.clear()
        self.result.curve.append(CurvePoint(step=step, train_loss=mean_loss, selection=score))
        self.watch(Progress("training", step, self.steps, train_loss=mean_loss, selection=score))
        if self.best_weights is None or self.main_metric(score) > self.best_value:
            self.best_value = self.main_metric(score)
            self.result.best_step, self.result.best = step, score
            self.best_weights = {name: p.detach().clone() for name, p in self.trained.items()}

    def _state(self, step: int) -> dict[str, Any]:
        """All that the rest of the training depends on, and what it has found so far."""
        result = self.result
        return {
            "step": step,
            "weights": {name: p.detach() for name, p in self.trained.items()},
            "best_weights": self.best_weights,
            "best_value": self.best_value,
            "best_step": result.best_step,
            "best": result.best,
            "curve": [point.model_dump() for point in result.curve],
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaling": self.scaling.state_dict() if self.scaling else None,
            "losses": list(self.losses),
            "counted": processes.gathered(self._counted()),
            "clock": result.clock.state(),
            "tally": processes.gathered(self.tally.state()),
            "evaluation_seconds": result.evaluation_seconds,
            "resumed_at": list(result.resumed_at),
            "generators": device.generator_states(),
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        result = self.result
        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(saved["weights"][name])
        self.best_weights, self.best_value = saved["best_weights"], saved["best_value"]
        result.best_step, result.best = saved["best_step"], saved["best"]
        result.curve = [CurvePoint(**point) for point in saved["curve"]]
        self.optimiser.load_state_dict(saved["optimiser"])
        self.schedule.load_state_dict(saved["schedule"])
        if self.scaling is not None:
            self.scaling.load_state_dict(saved["scaling"])
        self.losses = [loss.to(self.accelerator.device) for loss in saved["losses"]]
        self.examples, self.positions, real = saved["counted"][processes.index()]
        self.real.fill_(real)
        result.clock.restore(saved["clock"])
        self.tally.restore(saved["tally"][processes.index()] if "tally" in saved else None)
        result.evaluation_seconds = saved["evaluation_seconds"]
        result.resumed_at = (*saved["resumed_at"], saved["step"])
        device.set_generator_states(saved["generators"])

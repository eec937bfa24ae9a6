"""How long steps and passes of a model take on this machine, from random weights and random tokens.

A step's seconds follow from its FLOPs at the rates that real steps of two methods reach here
(``forecast.py``), a pass's from the calls that a method adds (``kernels.py``). Nothing is read of the model
but its configuration.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

import methods
from runners import device, models
from runners.measure import forecast, kernels, machine
from runners.measure.forecast import Asks
from runners.plan.contenders import Choice
from runners.plan.spec import Protocol
from runners.untrained import untrained

STEPS: Final = 4
"""That are timed, beside one to warm up."""
MOST_SECONDS: Final = 1.0
"""Of a step that is timed: a longer one is timed with fewer rows."""


def nanoseconds(where: torch.device) -> Callable[[], int]:
    """The clock to time with: where one thread computes, the processor time of that thread.

    Others who take the core in between are then no part of it. Where several threads compute, and on an
    accelerator, it is the time on the wall.
    """
    alone = where.type == "cpu" and torch.get_num_threads() == 1
    return time.thread_time_ns if alone else time.perf_counter_ns


@dataclass(frozen=True)
class Passes:
    """Passes with methods beside the untouched base's."""

    ratios: Mapping[str, float | None]
    """By label; None where a method adds too many calls to time each, or one that cannot be made alone."""
    costs: kernels.Costs

    @property
    def busy(self) -> str | None:
        """What is to be said where the machine was too busy for the ratios to mean anything."""
        if self.costs.steady:
            return None
        low, high = (f"{1000 * end:,.1f} ms" for end in (self.costs.low, self.costs.high))
        return (
            f"this machine is too busy to time passes: half of those without any method took less than {low} "
            f"or more than {high}. Wait, or set OMP_NUM_THREADS=1, which counts processor time alone."
        )


class Track:
    """A model with random weights on the device, on which methods are timed.

    Args:
        model: as for :func:`runners.untrained.untrained`.
        labels: outputs of the task head.

    Raises:
        ModelError: it has no head with a loss.
    """

    def __init__(self, model: str, labels: int) -> None:
        self.accelerator = device.accelerator()
        self.device = self.accelerator.device
        device.seed_everything(0)
        with models.quiet(), self.device:
            self.model = untrained(model, num_labels=labels)
        self.clock = nanoseconds(self.device)

    def steps(
        self,
        rows: int,
        length: int,
        choices: Sequence[Choice],
        asks: Mapping[str, Asks | None],
    ) -> dict[str, float]:
        """Seconds of a training step with each method.

        Args:
            rows: of a batch.
            length: tokens in each.
            choices: the methods.
            asks: by label what a step asks for; None where nothing tells that.
        """
        told = {label: one for label, one in asks.items() if one is not None}
        if not told:
            return {}
        here = machine.measure(self.device)
        heaviest = max(told, key=lambda label: forecast.guessed(here).training(told[label]))
        guess = forecast.guessed(here).training(told[heaviest])
        fewer = max(1, min(rows, int(rows * MOST_SECONDS / guess)))
        ends = _ends([one for one in choices if one.label in told], told)
        steps = [self.timed(one, told[one.label].part(fewer / rows), fewer, length) for one in ends]
        rates = forecast.rates_of(steps, 0.0, 0.0, 0.0, here.bytes_per_second)
        return {label: rates.training(one) for label, one in told.items()}

    def ratios(self, rows: int, length: int, choices: Sequence[Choice]) -> Passes:
        """The time of a pass with each method as it is deployed, as a multiple of the base's.

        Args:
            rows: inputs at once.
            length: tokens of each.
            choices: the methods.
        """
        inputs = self.inputs(rows, length)
        self.model.eval()
        base = kernels.trace(lambda: self.model(**inputs))
        passes = {}
        for one in choices:
            adapted = methods.apply(self.model, one.method, **one.options)
            deployed = adapted.stored_options.model_dump()
            adapted.remove()
            adapted = methods.apply(self.model, one.method, **deployed)
            adapted.model.eval()
            try:
                passes[one.label] = kernels.trace(lambda model=adapted.model: model(**inputs))  # type: ignore[misc]
            finally:
                adapted.remove()
        self.model.eval()
        costs = kernels.measure(
            lambda: self.model(**inputs), base, list(passes.values()), self.device, clock=self.clock
        )
        return Passes({label: costs.ratio(base, one) for label, one in passes.items()}, costs)

    def inputs(self, rows: int, length: int) -> dict[str, Tensor]:
        """Random tokens, without padding."""
        ids = torch.randint(1, self.model.config.vocab_size, (rows, length), device=self.device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if self.model.config.is_encoder_decoder:
            inputs |= {f"decoder_{name}": value for name, value in inputs.items()}
        return inputs

    def timed(self, choice: Choice, asks: Asks, rows: int, length: int) -> list[forecast.Timed]:
        """Take a few real steps with a method.

        Args:
            choice: the method.
            asks: what such a step asks for.
            rows: of a batch.
            length: tokens in each.
        """
        adapted = methods.apply(self.model, choice.method, **choice.options)
        try:
            loader = [self._batch(adapted, rows, length) for _ in range(1 + STEPS)]
            return forecast.time_steps(
                *(self.accelerator, adapted, Protocol(), loader, lambda batch: asks),
                lambda: self.clock() / 1e9,
            )
        finally:
            self.model.zero_grad(set_to_none=True)
            adapted.remove()

    def _batch(self, adapted: methods.Adapted, rows: int, length: int) -> dict[str, Tensor]:
        inputs: dict[str, Any] = self.inputs(rows, length)
        ids = inputs["input_ids"]
        inputs["labels"] = ids if adapted.anatomy.is_language_model else ids.new_zeros(rows)
        if rows > 1:  # as nearly every batch has padding
            inputs["attention_mask"][1:, -1] = 0
        return inputs


def _ends(choices: Sequence[Choice], asks: Mapping[str, Asks]) -> list[Choice]:
    """The methods that train the most and the least of those through which gradients pass."""

    def share(one: Choice) -> float:
        return asks[one.label].backward / asks[one.label].forward

    ordered = sorted(choices, key=lambda one: (round(share(one), 2), asks[one.label].trained_bytes))
    through = [one for one in ordered if share(one) > 0.8] or ordered
    return list({one.label: one for one in (through[0], through[-1])}.values())

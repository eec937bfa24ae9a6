"""What a model that writes takes here: training steps, some tokens of a batch of texts, and one text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator

from methods import Adapted
from runners.measure import costs, decoding
from runners.measure import forecast as speed
from runners.measure.forecast import Asks, Clock
from runners.optimisation import IGNORED
from runners.plan.costs import CostSettings
from runners.plan.spec import TrialSpec
from runners.trials import kinds
from runners.trials.prompted import Prompting, Split, settings
from runners.work.planned import Planned
from runners.work.reading import Shape
from runners.writing import batches
from runners.writing.decoding import Decoding, written_from
from runners.writing.likelihood import log_likelihoods

TIMED_TOKENS = 4
"""Tokens of a batch of texts that are timed, beside the first."""
CALLS = 2
"""Of what is timed in batches, beside one to warm up."""


@dataclass(frozen=True)
class Taken:
    """What was timed of a method."""

    steps: list[speed.Timed]
    scoring: float
    """Seconds a FLOP of what scoring reads."""
    once: float
    """Seconds up to the first token of one text."""
    written: float
    """Seconds of each further token of a batch of texts; 0 where nothing is written."""
    next_token: float
    """The same of one text."""

    def faster(self, gain: float) -> Taken:
        """What it would be on a machine that is so many times as fast."""
        return Taken(
            [step.faster(gain) for step in self.steps],
            self.scoring / gain,
            self.once / gain,
            self.written / gain,
            self.next_token / gain,
        )


def timed(
    row: Planned, accelerator: Accelerator, adapted: Adapted, training_steps: int, passes: int, clock: Clock
) -> Taken:
    """Time what a trial that writes consists of; its weights move.

    Args:
        row: of the trial.
        accelerator: holds the device.
        adapted: the model with its method, on the device.
        training_steps: that are timed, beside one to warm up.
        passes: of one text.
        clock: tells the seconds.
    """
    spec = row.like
    kind = kinds.of(spec)(spec, accelerator, adapted)
    assert isinstance(kind, Prompting)
    fitting = kind.fitting(1 + training_steps, (), 0)

    def asks(batch: dict[str, torch.Tensor]) -> Asks:
        (rows, length), labels = batch["input_ids"].shape, batch["labels"]
        own = (length + labels.shape[1]) / 2 if kind.form.pair else fitting.positions(batch) / rows
        targets = int((labels != IGNORED).sum()) / rows
        return row.asks(Shape(1, rows, max(1, round(own)), targets))

    steps = speed.time_steps(
        accelerator, adapted, spec.protocol, fitting.loader(0), asks, clock, model=fitting.model
    )
    middle = _middle(kind, row.of.selection.rows)

    def seconds(call: Callable[[], Any]) -> float:
        return speed.time_calls(accelerator, call, CALLS, clock)

    adapted.model.eval()
    begin = _answering(kind, adapted, middle, accelerator)
    first = seconds(begin(1))
    written = 0.0
    if row.of.written:
        written = max(0.0, seconds(begin(1 + TIMED_TOKENS)) - first) / TIMED_TOKENS
    shape = dataclasses.replace(row.of.selection, batches=1, rows=len(middle))
    one, following = _one_text(kind, spec, adapted, accelerator, passes, clock)
    return Taken(steps, first / row.asks(shape).forward, one, written, following)


def _middle(kind: Prompting, size: int) -> Split:
    """Rows of the selection split of about the middle length."""
    order = kind.selection.rows.prompts.lengths.argsort(kind="stable")
    first = max(0, (len(order) - size) // 2)
    return kind.selection.part(order[first : first + size])


def _answering(
    kind: Prompting, adapted: Adapted, rows: Split, accelerator: Accelerator
) -> Callable[[int], Callable[[], Any]]:
    """What answers to a batch of rows, as a trial does; of texts so many tokens, none of which ends one."""
    model: Any = adapted.model
    asked = settings(kind.spec)
    which = range(len(rows))
    if kind.spec.declared.problem_type != "generation":
        told = batches.with_word(rows.rows, kind.form.words(), 0)
        batch = {n: v.to(accelerator.device) for n, v in batches.training(told, which, kind.form).items()}
        return lambda tokens: lambda: log_likelihoods(model, batch, kind.form.pair)
    batch = {n: v.to(accelerator.device) for n, v in batches.asking(rows.rows, which, kind.form).items()}

    def begin(tokens: int) -> Callable[[], Any]:
        how = Decoding(tokens, asked.beams, asked.length_penalty, asked.no_repeat)
        config = how.config(model, kind.form)
        config.min_new_tokens = tokens
        more = how.processors(written_from(batch, kind.form))
        return lambda: model.generate(**batch, generation_config=config, logits_processor=more)

    return begin


def _one_text(
    kind: Prompting, spec: TrialSpec, adapted: Adapted, accelerator: Accelerator, passes: int, clock: Clock
) -> tuple[float, float]:
    """Seconds to the first token of one text, and of each that follows."""
    limit = adapted.max_input_length
    one = kind.one_input(costs.input_length(spec, limit))["input_ids"].to(accelerator.device)
    length, tokens = decoding.lengths(spec.costs or CostSettings(), limit)
    writing = decoding.Writing(adapted.model, one[:, :length], one[:, length : length + tokens])
    first = speed.time_calls(accelerator, writing.begin, passes, clock)

    def both() -> None:
        writing.begin()
        writing.go_on()

    whole = speed.time_calls(accelerator, both, CALLS, clock)
    return first, max(0.0, whole - first) / (tokens - 1)

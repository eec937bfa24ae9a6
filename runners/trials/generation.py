"""A trial whose answers are written: its prompts, the training on targets, and scores of what is written.

The stages are those of any trial. What differs: the model has its own head, which belongs to the base and is
frozen or trained as the method has it; a row is a prompt and a target; what selects is the main metric of the
texts that the model writes, with the settings that the reported split is scored with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from accelerate import Accelerator
from torch.utils.data import DataLoader

import tasks
from methods import Adapted
from reports.records.schema import SplitSizes
from runners import device, models
from runners.errors import ModelError
from runners.plan import halving
from runners.plan.evaluations import evaluation_steps
from runners.plan.spec import Generation, TrialSpec
from runners.trials import batches, loop
from runners.trials.batches import LengthGroupedBatches
from runners.trials.loop import Trained, Watch
from runners.trials.scoring import Score
from runners.trials.snapshots import Snapshots
from runners.writing import batches as written
from runners.writing.decoding import Decoding, write
from runners.writing.tokens import Form, Prompted
from tasks.spec import TaskSpec

SCORING_BATCH = 32
"""Prompts per batch; it moves no text but by rounding, only time."""


@dataclass(frozen=True)
class Split:
    """One split: prompts, and the texts that are wanted."""

    rows: Prompted
    references: list[list[str]]


@dataclass(frozen=True)
class Splits:
    """What a trial trains on, selects by, and reports."""

    form: Form
    train: Split
    selection: Split
    report: Split

    @property
    def sizes(self) -> SplitSizes:
        """Pairs that are trained on, inputs that are scored."""
        return SplitSizes(
            train=len(self.train.rows), selection=len(self.selection.rows), report=len(self.report.rows)
        )

    @property
    def truncated(self) -> SplitSizes:
        """Rows whose prompt or target lost tokens."""
        cut = {
            name: int((part.rows.cut | part.rows.unended).sum())
            for name, part in (("train", self.train), ("selection", self.selection), ("report", self.report))
        }
        return SplitSizes(**cut)


def settings(spec: TrialSpec) -> Generation:
    """How the trial writes."""
    return spec.protocol.generation or Generation()


def form(spec: TrialSpec, limit: int | None = None) -> Form:
    """How the trial's model is asked.

    Args:
        spec: the trial.
        limit: tokens that the model has positions for; a causal model needs them for prompt and target.

    Raises:
        ModelError: the tokenizer ends no text, or the model has too few positions.
    """
    pair = bool(getattr(models.settings_of(spec.model), "is_encoder_decoder", False))
    longest = settings(spec).longest
    if pair and limit is not None and longest > limit:
        raise ModelError(
            f"texts of {longest} tokens are longer than the {limit} positions that {spec.model!r} has with "
            f"{spec.method}: expected generation: {{longest: {limit}}} or less."
        )
    room = math.inf if limit is None else limit - (0 if pair else longest)
    prompt = int(min(spec.protocol.max_length, room))
    return Form(batches.tokenizer(spec.model), spec.declared.written_as, pair, prompt, longest)


def splits(spec: TrialSpec, adapted: Adapted) -> Splits:
    """The task's splits as tokens, as far as the trial uses them."""
    how = form(spec, adapted.max_input_length)
    whole = _tokens(how, spec.declared, spec.data)
    protocol, scored = spec.protocol, spec.protocol.scored_examples
    train = whole["train"]
    if protocol.train_examples is not None and protocol.train_examples < len(train.rows):
        order = np.random.default_rng(spec.seed).permutation(len(train.rows))
        train = _part(train, order[: protocol.train_examples])
    first = [
        _part(whole[name], np.arange(scored or len(whole[name].rows))) for name in ("selection", "report")
    ]
    return Splits(how, train, *first)


@lru_cache(maxsize=4)
def _tokens(how: Form, task: TaskSpec, data: str | None) -> dict[str, Split]:
    """All three splits as tokens; kept, since trials share them."""
    loaded = batches.load(task, data)
    found: dict[str, Split] = {}
    for name in ("train", "selection", "report"):
        rows = getattr(loaded, name)
        columns = [rows[column] for column in ("text", "text_pair") if column in rows.column_names]
        texts = list(zip(*columns, strict=True))
        if name == "train":
            targets = list(rows["target"])
            found[name] = Split(how.prompted(texts, targets), [[target] for target in targets])
        else:
            found[name] = Split(how.prompted(texts), [list(several) for several in rows["references"]])
    return found


def _part(split: Split, which: np.ndarray) -> Split:
    which = which[which < len(split.rows)]
    if len(which) == len(split.rows) and (np.diff(which) == 1).all():
        return split
    return Split(split.rows.part(which), [split.references[index] for index in which])


def train(
    spec: TrialSpec,
    accelerator: Accelerator,
    adapted: Adapted,
    found: Splits,
    watch: Watch,
    snapshots: Snapshots | None = None,
    until: int | None = None,
) -> Trained:
    """Train a method; the model is left with the weights that were best on the selection split.

    Args:
        spec: the trial.
        accelerator: holds the device.
        adapted: the model, on the device.
        found: what is trained on, and what selects.
        watch: is told of progress.
        snapshots: of this training, from which it goes on; None keeps none.
        until: the step after which it stops, if it is not the last; the learning rate is that of the whole.

    Raises:
        DivergenceError: the loss became infinite or not a number.
    """
    protocol, task, rows = spec.protocol, spec.declared, found.train.rows
    size = protocol.batch_size
    steps = protocol.steps or batches.steps_of(protocol.epochs, len(rows), size)
    last = min(until or steps, steps)
    rungs = halving.rungs(steps) if spec.halving else ()
    # With what it keeps of keys and values, a text takes the products of one pass, for each beam.
    selecting = len(found.selection.rows) * settings(spec).beams
    regular = evaluation_steps(protocol.evaluate_every, steps, min(size, len(rows)), selecting)
    sign = 1 if task.main_metric.higher_is_better else -1
    device.seed_everything(spec.seed)

    def loader(done: int) -> Any:
        order = LengthGroupedBatches(rows.lengths, size, last, spec.seed, done)
        return DataLoader(
            range(len(rows)),  # type: ignore[arg-type]
            batch_sampler=order,
            collate_fn=lambda which: written.training(rows, which, found.form),
            pin_memory=device.pins(accelerator.device),
        )

    def main_metric(score: Score) -> float:
        value = score[task.main_metric.name]
        return -math.inf if value is None else sign * value

    trained = loop.fit(
        accelerator,
        adapted.model,
        adapted.trained(),
        loader,
        steps,
        protocol,
        sorted({*regular, *rungs}),
        evaluate=lambda: score(spec, adapted.model, found.selection, found.form),
        main_metric=main_metric,
        watch=watch,
        rates=adapted.rates(),
        snapshots=snapshots,
        until=until,
    )
    adapted.model.eval()
    device.release(accelerator)
    return trained


def score(spec: TrialSpec, model: Any, split: Split, how: Form) -> Score:
    """Metric values of what the model writes on a split."""
    asked = settings(spec)
    decoding = Decoding(asked.longest, asked.beams, asked.length_penalty, asked.no_repeat)
    made = write(model, split.rows, how, decoding, SCORING_BATCH)
    return tasks.score(spec.declared, made.texts, split.references)  # type: ignore[return-value]


def majority(spec: TrialSpec, found: Splits) -> Score:
    """Of always writing the most frequent target of the training split."""
    targets = [one for several in found.train.references for one in several]
    return tasks.majority(spec.declared, targets, found.report.references)  # type: ignore[return-value]

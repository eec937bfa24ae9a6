"""What trials of a model that writes have in common: prompts, targets, and the training on targets.

The model has its own head, which belongs to the base and is frozen or trained as the method has it.
"""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, Final

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader

from methods import Adapted, MethodError
from reports.records.schema import SplitSizes
from runners import device, models, processes
from runners.errors import ModelError
from runners.measure import flops
from runners.plan.spec import Generation, TrialSpec
from runners.trials import batches, loading
from runners.trials.batches import Batch, LengthGroupedBatches, Shares
from runners.trials.kind import Fitting, padded
from runners.trials.scoring import Reported, Score
from runners.writing import batches as prompts
from runners.writing.parts import PART_TOKENS
from runners.writing.targets import OnTargets
from runners.writing.tokens import Form, Prompted
from tasks.spec import TaskSpec

SCORING_BATCH: Final = 32
"""Prompts per batch; it moves no answer but by rounding, only time."""


@dataclass(frozen=True)
class Split:
    """One split: prompts, and what is wanted."""

    rows: Prompted
    wanted: Sequence[Any] | np.ndarray
    """Of each its references, or the number of its label."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def cut(self) -> int:
        """Rows whose prompt or target lost tokens."""
        return int((self.rows.cut | self.rows.unended).sum())

    def part(self, which: np.ndarray) -> Split:
        """Some of the rows, in the order given."""
        if len(which) == len(self) and (np.diff(which) == 1).all():
            return self
        return Split(self.rows.part(which), [self.wanted[index] for index in which])


class Prompting(ABC):
    """Prompts that a model answers to by writing; a :class:`runners.trials.kind.Kind`.

    Args:
        spec: the trial.
        accelerator: holds the device and the other processes.
        adapted: the model, on the device.
    """

    def __init__(self, spec: TrialSpec, accelerator: Accelerator, adapted: Adapted) -> None:
        self.spec, self.task = spec, spec.declared
        self.accelerator, self.adapted = accelerator, adapted
        self.form = form(spec, adapted.max_input_length)

    @cached_property
    def train(self) -> Split:
        """What is trained on: prompts with their targets."""
        whole, count = self._whole("train"), self.spec.protocol.train_examples
        return whole.part(loading.drawn(len(whole), count, self.spec.seed))

    @cached_property
    def selection(self) -> Split:
        """What selects."""
        return self._first("selection")

    @cached_property
    def reported(self) -> Split:
        """What is reported on."""
        return self._first("report")

    @property
    def sizes(self) -> SplitSizes:
        """Prompts with a target that are trained on, prompts that are scored."""
        whole = batches.load(self.task, self.spec.data).sizes["report"]
        report = min(whole, self.spec.protocol.scored_examples or whole)
        return SplitSizes(train=len(self.train), selection=len(self.selection), report=report)

    def truncated(self, reported: bool = False) -> SplitSizes:
        """Rows whose prompt or target lost tokens."""
        parts = {"train": self.train, "selection": self.selection}
        if reported:
            parts["report"] = self.reported
        cut = {name: part.cut for name, part in parts.items()}
        return SplitSizes(**{"report": None, **cut})

    def set_out(self) -> None:
        """Nothing: no head is fresh."""
        return

    def as_trained(self) -> nn.Module:
        """The adapted model; a causal one computes the logits of targets alone."""
        if self.form.pair:
            return self.adapted.model
        once = None
        with contextlib.suppress(MethodError):  # without a closed form nothing tells what a part costs
            once = flops.once_in_a_pass(self.adapted, max(2, round(float(self.train.rows.lengths.mean()))))
        return OnTargets(self.adapted.model, None if once is None else PART_TOKENS + once)

    def longest(self, size: int) -> Batch:
        """The longest prompts with their targets as one batch, with labels."""
        order = np.argsort(-self.train.rows.lengths, kind="stable")
        return prompts.training(self.train.rows, order[:size], self.form)

    def targets(self) -> float:
        """Tokens of an example that are trained on, on average."""
        told = self.train.rows.targets
        assert told is not None  # of rows that are trained on
        return float(told.lengths.mean())

    def fitting(self, steps: int, ends: Sequence[int], scorings: int) -> Fitting:
        """Batches of similar length, with the loss on targets alone."""
        rows, spec = self.train.rows, self.spec

        def loader(done: int) -> Any:
            size = spec.protocol.batch_size
            return DataLoader(
                range(len(rows)),  # type: ignore[arg-type]
                batch_sampler=Shares(LengthGroupedBatches(rows.lengths, size, steps, spec.seed, done)),
                collate_fn=lambda which: prompts.training(rows, which, self.form) if which else {},
                pin_memory=device.pins(self.accelerator.device),
            )

        model = self.as_trained()
        positions = model.positions if isinstance(model, OnTargets) else padded
        return Fitting(model, loader, self.score, positions)

    def one_input(self, length: int) -> Batch:
        """Prompts of the reported split, one after another (1 x length)."""
        rows, ids, index = self.reported.rows.prompts, np.empty(0, np.int64), 0
        while len(ids) < length:
            ids = np.concatenate([ids, rows[index % len(rows)]])
            index += 1
        input_ids = torch.from_numpy(ids[:length])[None]
        return {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}

    def answered(self, split: Split) -> np.ndarray:
        """What the model answers to every row; every process answers to its share, and gets all answers.

        Raises:
            PeerError: another process could not answer.
        """
        own = split.part(np.asarray(processes.share(range(len(split))), np.int64))
        return processes.whole(processes.gathered(self.answer(own)))

    @abstractmethod
    def answer(self, split: Split) -> np.ndarray:
        """What the model, as it is, answers to some rows: a text or the number of a label for each."""

    @abstractmethod
    def selecting(self) -> int:
        """What scoring the selection split once takes, in passes of one row."""

    @abstractmethod
    def score(self) -> Score:
        """Metric values of the model, as it is, on the selection split."""

    @abstractmethod
    def report(self, split: str = "report") -> Reported:
        """Score the report split, or a further one by its name, once."""

    def scored(self, split: str) -> Split:
        """What is reported on under a name."""
        return self.reported if split == "report" else self._first(split)

    def _first(self, split: str) -> Split:
        """The first rows of a split that is in hash order: the same ones for every trial."""
        whole, count = self._whole(split), self.spec.protocol.scored_examples
        return whole.part(np.arange(min(len(whole), count or len(whole))))

    def _whole(self, split: str) -> Split:
        return _tokens(self.form, self.task, self.spec.data, split)


def settings(spec: TrialSpec) -> Generation:
    """How the trial writes."""
    return spec.protocol.generation or Generation()


def form(spec: TrialSpec, limit: int | None = None) -> Form:
    """How the trial's model is asked.

    Args:
        spec: the trial.
        limit: tokens that the model has positions for; a causal model needs them for prompt and target.

    Raises:
        ModelError: the tokenizer ends no text or does not tell label words apart, or the model has too few
            positions.
    """
    pair = bool(getattr(models.settings_of(spec.model), "is_encoder_decoder", False))
    asked = partial(Form, batches.tokenizer(spec.model), spec.declared.written_as, pair)
    if spec.protocol.text_to_text:
        longest = _longest_word(spec, asked(spec.protocol.max_length, spec.protocol.max_length))
    else:
        longest = settings(spec).longest
    if pair and limit is not None and longest > limit:
        raise ModelError(
            f"texts of {longest} tokens are longer than the {limit} positions that {spec.model!r} has with "
            f"{spec.method}: expected generation: {{longest: {limit}}} or less."
        )
    room = math.inf if limit is None else limit - (0 if pair else longest)
    return asked(int(min(spec.protocol.max_length, room)), longest)


def _longest_word(spec: TrialSpec, form: Form) -> int:
    """Tokens of the longest label word."""
    told: dict[tuple[int, ...], str] = {}
    words = form.words()
    for index, word in enumerate(form.template.words):
        tokens = tuple(words[index].tolist())
        if tokens in told:
            raise ModelError(
                f"the label words {told[tokens]!r} and {word!r} of {spec.task} are the same tokens to "
                f"{spec.model!r}: expected words that its tokenizer tells apart."
            )
        told[tokens] = word
    return max(map(len, told))


@lru_cache(maxsize=12)
def _tokens(how: Form, task: TaskSpec, data: str | None, split: str) -> Split:
    """A split as tokens; kept, since trials share it."""
    rows, _ = batches.load(task, data).split(split)
    columns = [rows[column] for column in ("text", "text_pair") if column in rows.column_names]
    texts = list(zip(*columns, strict=True))
    if "label" in rows.column_names:
        labels = np.asarray(rows["label"])
        targets = [how.template.words[label] for label in labels] if split == "train" else None
        return Split(how.prompted(texts, targets), labels)
    if split == "train":
        targets = list(rows["target"])
        return Split(how.prompted(texts, targets), [[target] for target in targets])
    return Split(how.prompted(texts), [list(several) for several in rows["references"]])

"""Scores: what a model gets on a split, and what the reported split says of a trained one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

import tasks
from reports.records.answers import packed
from reports.records.schema import Answers
from runners import device, processes
from runners.plan.spec import TrialSpec
from runners.trials import batches
from runners.trials.batches import Encoded
from tasks.spec import TaskSpec

Score = dict[str, float | None]
"""Metric values by name; None where a metric is undefined."""

Values = np.ndarray


def predict(accelerator: Accelerator, model: nn.Module, loader: Any, task: TaskSpec) -> tuple[Values, Values]:
    """What the model answers to every row of a split, and the references; in the order of `longest_first`.

    Every process answers to the rows of its own loader, and gets all answers.

    Raises:
        PeerError: another process could not answer.
    """
    model.eval()
    answers: list[tuple[Values, Values]] = []
    with torch.inference_mode():
        for batch in device.onto(accelerator.device, loader):
            labels = batch.pop("labels")
            logits = model(**batch).logits.float()
            chosen = logits.squeeze(-1) if task.problem_type == "regression" else logits.argmax(dim=-1)
            answers.append((chosen.cpu().numpy(), labels.cpu().numpy()))
    none = [(np.empty(0), np.empty(0))]  # there may be more processes than rows
    own = tuple(np.concatenate(each) for each in zip(*(answers or none), strict=True))
    predictions, references = zip(*processes.gathered(own), strict=True)
    return processes.whole(predictions), processes.whole(references)


def score(accelerator: Accelerator, model: nn.Module, loader: Any, task: TaskSpec) -> Score:
    """Metric values of the model on a split."""
    return known(tasks.score(task, *predict(accelerator, model, loader, task)))


@dataclass(frozen=True)
class Reported:
    """What the reported split says of a trained model."""

    score: Score
    majority: Score
    """Of always giving the training split's majority answer."""
    answers: Answers | None
    """Of every row; none where texts are written."""
    rows: int
    """That were scored."""
    cut: int
    """Of these, how many lost tokens."""


def report(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    model: nn.Module,
    train: Encoded,
    reported: Encoded,
) -> Reported:
    """Score the reported split, once."""
    loader = batches.scoring_loader(reported, batches.tokenizer(spec.model))
    predicted, references = predict(accelerator, model, loader, task)
    order = np.argsort(batches.longest_first(reported))
    labels = None if task.problem_type == "regression" else task.num_labels
    return Reported(
        score=known(tasks.score(task, predicted, references)),
        majority=known(tasks.majority(task, train.labels(), reported.labels())),
        answers=packed(predicted[order], references[order], labels),
        rows=len(reported),
        cut=int(reported.cut.sum()),
    )


def known(values: dict[str, float]) -> Score:
    """Metric values as a record has them."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}

"""Scores: what a model gets on a split, and what the reported split says of a trained one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

import tasks
from runners.plan.spec import TrialSpec
from runners.work import batches
from runners.work.batches import Encoded
from tasks.spec import TaskSpec

Score = dict[str, float | None]
"""Metric values by name; None where a metric is undefined."""


def score(accelerator: Accelerator, model: nn.Module, loader: Any, task: TaskSpec) -> Score:
    """Metric values of the model on a split."""
    model.eval()
    predictions, references = [], []
    with torch.inference_mode():
        for batch in loader:
            labels = batch.pop("labels")
            logits = model(**batch).logits
            chosen = logits.squeeze(-1) if task.problem_type == "regression" else logits.argmax(dim=-1)
            together = accelerator.gather_for_metrics((chosen, labels))
            predictions.append(together[0].cpu().numpy())
            references.append(together[1].cpu().numpy())
    values = tasks.score(task, np.concatenate(predictions), np.concatenate(references))
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def report(
    spec: TrialSpec,
    task: TaskSpec,
    accelerator: Accelerator,
    model: nn.Module,
    train: Encoded,
    reported: Encoded,
) -> tuple[Score, Score]:
    """Score the reported split, once.

    Returns:
        the model's score, and that of always giving the training split's majority answer.
    """
    loader = accelerator.prepare(batches.scoring_loader(reported, batches.tokenizer(spec.model)))
    majority = tasks.majority(task, train.labels(), reported.labels())
    floor = {name: value if math.isfinite(value) else None for name, value in majority.items()}
    return score(accelerator, model, loader, task), floor

"""What a tuned encoder is worth to a head of another task that knew it before: the drift of its states.

A linear head is fitted, in closed form, to the untouched base's mean states of texts of another task, and
frozen. Its accuracy on other texts of that task falls as far as tuning moved what it reads: it is what a head
that was trained on the base loses when the base is replaced by the tuned model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from methods import Adapted
from runners.trials import batches, loading
from runners.trials.tokens import Encoded, Rows
from tasks.spec import TaskSpec

LONGEST: Final = 128
"""Tokens that are read of a text at most."""
FITTED: Final = 1_000
"""Texts that the head is fitted to."""
SCORED: Final = 500
"""Other texts, that it answers to."""
RIDGE: Final = 1e-2
"""Of the fit, relative to the variance of a state."""


@dataclass(frozen=True)
class Answers:
    """Whether the head was right on each text, with the base's states and with the tuned model's."""

    before: np.ndarray
    after: np.ndarray
    longest: int


def answers(model: str, task: TaskSpec, adapted: Adapted) -> Answers:
    """Fit a head to the base, and let it answer with the states of both.

    Args:
        model: the name of the model, for its tokenizer.
        task: a classification whose data are in a package or on the hub.
        adapted: the tuned model, on the device.
    """
    longest = min(LONGEST, adapted.max_input_length or LONGEST)
    train, report = (
        batches.encode(model, task, None, split=name, max_length=longest) for name in ("train", "report")
    )
    train = train.part(loading.drawn(len(train), FITTED, seed=0))
    report = loading.first(report, SCORED)
    adapted.model.eval()
    tuned, labels = states(model, adapted, report)
    with adapted.disabled():
        head = fitted(*states(model, adapted, train), task.num_labels)
        base, _ = states(model, adapted, report)
    before, after = (with_one(each) @ head for each in (base, tuned))
    return Answers(before.argmax(axis=1) == labels, after.argmax(axis=1) == labels, longest)


def states(model: str, adapted: Adapted, split: Encoded) -> tuple[np.ndarray, np.ndarray]:
    """The mean state of each text (texts x width), and its label; the longest text first."""
    order, collate = batches.longest_first(split), batches.Collator(batches.tokenizer(model))
    found: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    last: list[torch.Tensor] = []
    body: Any = adapted.model.base_model
    hook = body.register_forward_hook(lambda *call: last.append(call[-1][0]))
    try:
        for start in range(0, len(order), batches.SCORING_BATCH):
            batch = collate(Rows(split, order[start : start + batches.SCORING_BATCH]))
            labels.append(batch.pop("labels").numpy())
            batch = {name: values.to(adapted.model.device) for name, values in batch.items()}
            with torch.inference_mode():
                adapted.model(**batch)
                mask = batch["attention_mask"][..., None]
                means = (last.pop().float() * mask).sum(dim=1) / mask.sum(dim=1)
            found.append(means.double().cpu().numpy())
    finally:
        hook.remove()
    return np.concatenate(found), np.concatenate(labels)


def fitted(own: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The head (width + 1 x classes): ridge regression of each label on standard states and a constant."""
    read = with_one(own)
    scale = RIDGE * len(own) * own.var(axis=0).mean()
    penalty = scale * np.eye(read.shape[1])
    penalty[-1, -1] = 0.0  # the constant is free
    wanted = np.eye(classes)[labels]
    head: np.ndarray = np.linalg.solve(read.T @ read + penalty, read.T @ wanted)
    return head


def with_one(own: np.ndarray) -> np.ndarray:
    """States with a constant behind them."""
    return np.concatenate([own, np.ones((len(own), 1))], axis=1)

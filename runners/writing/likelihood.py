"""How likely a model finds given texts: perplexity, and the choice among label words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from runners.optimisation import IGNORED
from runners.writing import batches
from runners.writing.batches import Batch
from runners.writing.tokens import Form, Prompted, Ragged


def log_likelihoods(model: Any, batch: Batch, pair: bool) -> Tensor:
    """Log-probabilities of the targets of a batch, in nats (rows,), the token that ends them included.

    Args:
        model: a language model.
        batch: of :func:`runners.writing.batches.training`.
        pair: whether it is an encoder-decoder.
    """
    labels = batch["labels"]
    if pair:
        logits = model(**batch).logits
    else:
        logits = model(**{name: values for name, values in batch.items() if name != "labels"}).logits[:, :-1]
        labels = labels[:, 1:]
    return -_losses(logits, labels).sum(dim=1)


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each token (rows x length), 0 where the label is ignored."""
    exact = logits if logits.dtype.itemsize >= 4 else logits.float()
    return torch.nn.functional.cross_entropy(
        exact.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="none"
    ).view(labels.shape)


def nats_per_token(model: Any, rows: Prompted, form: Form, batch_size: int) -> float:
    """The mean loss of a token of the targets, over all rows; its exponential is the perplexity."""
    if rows.targets is None or not len(rows):
        raise ValueError("there are no targets to score")
    return float(nats(model, rows, form, batch_size).sum() / rows.targets.lengths.sum())


def nats(model: Any, rows: Prompted, form: Form, batch_size: int) -> np.ndarray:
    """The loss of each row's target, all its tokens together."""
    found = np.empty(len(rows))
    with torch.inference_mode():
        for which in by_length(rows, batch_size):
            batch = batches.training(rows, which, form)
            batch = {name: values.to(model.device) for name, values in batch.items()}
            found[which] = -log_likelihoods(model, batch, form.pair).double().cpu().numpy()
    return found


def word_scores(model: Any, rows: Prompted, words: Ragged, form: Form, batch_size: int) -> np.ndarray:
    """Log-probabilities of every label word after every prompt, in nats (rows x words)."""
    scores = np.empty((len(rows), len(words)))
    with torch.inference_mode():
        for word in range(len(words)):
            told = batches.with_word(rows, words, word)
            for which in by_length(rows, batch_size):
                batch = batches.training(told, which, form)
                batch = {name: values.to(model.device) for name, values in batch.items()}
                scores[which, word] = log_likelihoods(model, batch, form.pair).double().cpu().numpy()
    return scores


def by_length(rows: Prompted, batch_size: int) -> Sequence[np.ndarray]:
    """All rows in batches of similar length, the longest first."""
    order = np.argsort(-rows.lengths, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

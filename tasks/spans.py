"""Scores of tagged words: spans as CoNLL's own script finds them (`conlleval`), counted by seqeval.

A span is right where its type, its first and its last word are. Precision, recall and F1 are over the spans
of all sentences and types together (micro), and 0 where there is none to divide by. seqeval has two modes.
This is its default, in which an `I-` that goes on with nothing begins a span: so it does in conlleval, by
which results on CoNLL-2003 are published. The strict mode passes over such spans.

Sentences are compared word by word: a word that a model did not read is scored like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

from tasks.spec import SPAN_F1, SPAN_PRECISION, SPAN_RECALL, TOKEN_ACCURACY, TaskError, TaskSpec

Tags = Sequence[np.ndarray] | Sequence[Sequence[int]]
"""The label numbers of the words of every sentence."""


def score(spec: TaskSpec, predictions: Tags, references: Tags) -> dict[str, float]:
    """Every metric the task declares, by name, over all words of all sentences.

    Args:
        spec: a task of the problem type "token_classification".
        predictions: for each sentence a label number per word.
        references: the right ones.

    Raises TaskError where there is no sentence, or not one label of the task for each word.
    """
    said, true = (list(map(np.asarray, tags)) for tags in (predictions, references))
    if not true or [len(one) for one in said] != [len(one) for one in true]:
        raise TaskError(
            f"task {spec.name!r} is scored on one label for each word of its sentences, not on "
            f"{sum(map(len, said))} labels in {len(said)} sentences, where there are "
            f"{sum(map(len, true))} words in {len(true)}"
        )
    names = np.array(spec.labels, dtype=object)
    for what, tags in (("predictions", said), ("references", true)):
        _check(spec, what, np.concatenate(tags))
    right = np.concatenate(said) == np.concatenate(true)
    precision, recall, f1, _ = precision_recall_fscore_support(
        *([names[one].tolist() for one in tags] for tags in (true, said)), average="micro", zero_division=0
    )
    found = {
        SPAN_F1.name: f1,
        SPAN_PRECISION.name: precision,
        SPAN_RECALL.name: recall,
        TOKEN_ACCURACY.name: right.mean(),
    }
    return {metric.name: float(found[metric.name]) for metric in spec.metrics}


def counts(spec: TaskSpec, predictions: Tags, references: Tags) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many spans of each sentence are right, were given and are there: three arrays (sentences,).

    Args: as for :func:`score`, which is 2 x right / (given + there) of their sums.
    """
    names = np.array(spec.labels, dtype=object)
    found = [
        [set(get_entities(names[np.asarray(tags)].tolist())) for tags in pair]
        for pair in zip(predictions, references, strict=True)
    ]
    right, given, there = zip(
        *((len(one & other), len(one), len(other)) for one, other in found), strict=True
    )
    return np.array(right), np.array(given), np.array(there)


def majority(spec: TaskSpec, train_tags: Tags, references: Tags) -> dict[str, float]:
    """The score of always giving the most frequent tag of the training words, `O` as a rule: F1 is 0 then."""
    every = np.concatenate(list(map(np.asarray, train_tags))) if len(train_tags) else np.empty(0, np.int64)
    if not every.size:
        raise TaskError(f"task {spec.name!r}: a majority needs training words, and there are none")
    _check(spec, "train_tags", every)
    constant = int(np.bincount(every).argmax())
    return score(spec, [np.full(len(one), constant) for one in references], references)


def _check(spec: TaskSpec, what: str, values: np.ndarray) -> None:
    whole = np.issubdtype(values.dtype, np.integer)
    if not values.size or not whole or values.min() < 0 or values.max() >= spec.num_labels:
        raise TaskError(
            f"task {spec.name!r}: {what} must be label numbers between 0 and {spec.num_labels - 1}, "
            f"one for each word"
        )

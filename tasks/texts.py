"""Scores of text that is written, by the names that a task declares; `tasks/written/` computes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tasks.spec import (
    ANSWER_MATCH,
    BLEU,
    CIDER,
    EXACT_MATCH,
    METEOR,
    NIST,
    ROUGE_L,
    TaskError,
    TaskSpec,
)
from tasks.written import answers, coco, meteor, mteval

METRICS: dict[str, Callable[[Sequence[str], Sequence[Sequence[str]]], float]] = {
    BLEU.name: mteval.bleu,
    NIST.name: mteval.nist,
    METEOR.name: meteor.meteor,
    ROUGE_L.name: coco.rouge_l,
    CIDER.name: coco.cider,
    EXACT_MATCH.name: answers.exact_match,
    ANSWER_MATCH.name: answers.answer_match,
}


def score(
    spec: TaskSpec, predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Every metric the task declares, by name, over all inputs together.

    Args:
        spec: a task of the problem type "generation".
        predictions: what was written, one text per input; it may be empty.
        references: one or more texts for each input.

    Raises TaskError where there are no predictions, not as many as inputs, or an input without a reference.
    """
    predictions, references = list(predictions), list(references)
    if len(predictions) != len(references) or not predictions:
        raise TaskError(
            f"task {spec.name!r} is scored on one text per input, "
            f"not on {len(predictions)} texts and the references of {len(references)} inputs"
        )
    for index, (text, several) in enumerate(zip(predictions, references, strict=True)):
        if not isinstance(text, str):
            raise TaskError(f"task {spec.name!r}: prediction {index} must be a text, not {text!r:.40}")
        if isinstance(several, str) or not several or not all(isinstance(one, str) for one in several):
            raise TaskError(
                f"task {spec.name!r}: input {index} needs a list of references, not {several!r:.40}"
            )
    return {metric.name: METRICS[metric.name](predictions, references) for metric in spec.metrics}


def majority(
    spec: TaskSpec, train_targets: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """The score of always writing the most frequent training target (the first in order on a tie)."""
    counted = Counter(train_targets)
    if not counted:
        raise TaskError(f"task {spec.name!r}: a majority needs training targets, and there are none")
    constant = min(counted, key=lambda target: (-counted[target], target))
    return score(spec, [constant] * len(references), references)

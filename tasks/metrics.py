"""The metrics, as `evaluate` modules that need no network and leave nothing on disk.

Each module computes what the official GLUE metric does (`metrics/glue` of Hugging Face evaluate, after
the GLUE paper, arXiv:1804.07461), with the same scikit-learn or scipy function. Names, directions and
units are in `tasks/spec.py`.

Degenerate input has a defined answer and no warning: with one class predicted throughout, accuracy is
what it is, F1 is 0 if its class is never predicted, and Matthews is 0. A correlation of a
constant, of fewer than two values or of values that are not finite does not exist: nan.
"""

from __future__ import annotations

import tempfile
import warnings
from typing import Any

import datasets
import evaluate
import numpy as np
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from tasks import spans, texts
from tasks.spec import ACCURACY, F1, MACRO_F1, MATTHEWS, PEARSON, SPEARMAN, MetricSpec, TaskError, TaskSpec


class _Metric(evaluate.Metric):
    """What the modules share: the description that evaluate asks for."""

    spec: MetricSpec
    dtype: str
    citation: str

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value(self.dtype)
        return evaluate.MetricInfo(
            description=(self.__doc__ or "").strip(),
            citation=self.citation,
            inputs_description="predictions and references: two equally long lists of numbers.",
            features=datasets.Features({"predictions": value, "references": value}),
        )


class Accuracy(_Metric):
    """The share of predictions equal to their reference."""

    spec, dtype, citation = ACCURACY, "int64", "wang2019glue"

    def _compute(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        return {self.spec.name: float(accuracy_score(references, predictions))}


class ClassF1(_Metric):
    """The harmonic mean of precision and recall of label 1, among any; 0 when label 1 is never right."""

    spec, dtype, citation = F1, "int64", "wang2019glue"

    def _compute(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        one = (np.equal(values, 1).astype(int) for values in (references, predictions))
        return {self.spec.name: float(f1_score(*one, zero_division=0.0))}


class MacroF1(_Metric):
    """The mean of every class's F1, over the classes that are predicted or true at least once."""

    spec, dtype, citation = MACRO_F1, "int64", "scikit-learn, f1_score"

    def _compute(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        return {self.spec.name: float(f1_score(references, predictions, average="macro", zero_division=0.0))}


class MatthewsCorrelation(_Metric):
    """The correlation of two choices among labels (Matthews 1975; Gorodkin 2004); 0 when one is constant."""

    spec, dtype, citation = MATTHEWS, "int64", "warstadt2019neural"

    def _compute(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "A single label was found": the answer is 0
            return {self.spec.name: float(matthews_corrcoef(references, predictions))}


class Pearson(_Metric):
    """The linear correlation coefficient; nan where it does not exist."""

    spec, dtype, citation = PEARSON, "float64", "cer2017semeval"

    def _compute(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        return {self.spec.name: _correlation(stats.pearsonr, predictions, references)}


class Spearman(_Metric):
    """The linear correlation coefficient of the ranks; nan where it does not exist."""

    spec, dtype, citation = SPEARMAN, "float64", "cer2017semeval"

    def _compute(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        return {self.spec.name: _correlation(stats.spearmanr, predictions, references)}


MODULES: dict[str, type[_Metric]] = {
    module.spec.name: module
    for module in (Accuracy, ClassF1, MacroF1, MatthewsCorrelation, Pearson, Spearman)
}


def _correlation(function: object, predictions: np.ndarray, references: np.ndarray) -> float:
    pair = [np.asarray(values, dtype=np.float64) for values in (predictions, references)]
    if len(pair[0]) < 2 or not all(np.isfinite(v).all() and (v != v[0]).any() for v in pair):
        return float("nan")
    with warnings.catch_warnings():
        # A nearly constant input is inaccurate, which the number cannot say; it is still scipy's number.
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return float(function(pair[0], pair[1]).statistic)  # type: ignore[operator]


def score(spec: TaskSpec, predictions: Any, references: Any) -> dict[str, float]:
    """Every metric the task declares, by name; what is written is scored in `tasks/texts.py`, and labelled
    words in `tasks/spans.py`.

    Raises TaskError when the two arrays are not one-dimensional, equally long and not empty, or hold
    something else than label numbers of the task (classification).
    """
    if spec.problem_type == "generation":
        return texts.score(spec, predictions, references)
    if spec.is_tagged:
        return spans.score(spec, predictions, references)
    predictions, references = np.asarray(predictions), np.asarray(references)
    if predictions.shape != references.shape or predictions.ndim != 1 or not predictions.size:
        raise TaskError(
            f"task {spec.name!r} is scored on two equally long one-dimensional arrays, "
            f"not on predictions of shape {predictions.shape} and references of shape {references.shape}"
        )
    if spec.problem_type == "classification":
        for what, values in (("predictions", predictions), ("references", references)):
            _check_labels(spec, what, values)
    scores: dict[str, float] = {}
    for metric in spec.metrics:
        # keep_in_memory still creates an (empty) folder: give it one that is gone afterwards.
        with tempfile.TemporaryDirectory(prefix="paretune-metric-") as folder:
            module = MODULES[metric.name](keep_in_memory=True, cache_dir=folder)
            scores |= module.compute(predictions=predictions, references=references)
    return scores


def majority(spec: TaskSpec, train_labels: Any, references: Any) -> dict[str, float]:
    """The score of a constant: the most frequent training label (the smallest on a tie), or the mean."""
    if spec.problem_type == "generation":
        return texts.majority(spec, train_labels, references)
    if spec.is_tagged:
        return spans.majority(spec, train_labels, references)
    train_labels = np.asarray(train_labels)
    if train_labels.ndim != 1 or not train_labels.size:
        raise TaskError(f"task {spec.name!r}: a majority needs training labels, not {train_labels.shape}")
    if spec.problem_type == "regression":
        constant: float = float(np.mean(train_labels, dtype=np.float64))
    else:
        _check_labels(spec, "train_labels", train_labels)
        constant = int(np.bincount(train_labels).argmax())
    return score(spec, np.full(len(references), constant), references)


def _check_labels(spec: TaskSpec, what: str, values: np.ndarray) -> None:
    if not np.issubdtype(values.dtype, np.integer):
        raise TaskError(f"task {spec.name!r}: {what} must be label numbers (integers), not {values.dtype}")
    if values.min() < 0 or values.max() >= spec.num_labels:
        raise TaskError(
            f"task {spec.name!r}: {what} must be between 0 and {spec.num_labels - 1}, "
            f"not between {values.min()} and {values.max()}"
        )

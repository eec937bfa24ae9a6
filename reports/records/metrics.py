"""Metrics of answers: the value, and how much each example has to do with it.

The influence of an example is the derivative of the metric when that example weighs more (the infinitesimal
jackknife, Jaeckel 1972; Efron 1982, The Jackknife, chapter 6). To first order the metric on another sample of
examples is its value here plus the mean of their influences, so its variance over samples of N examples is
the variance of the influences over N, and a difference of two models has the difference of their influences.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Metric = Callable[[Values, Values], float]
"""From predictions and references, each (n,), to the value; nan where it does not exist."""


def accuracy(predicted: Values, references: Values) -> float:
    """The share of right answers."""
    return float(np.mean(predicted == references))


def f1(predicted: Values, references: Values) -> float:
    """The harmonic mean of precision and recall of label 1; 0 where label 1 is never right."""
    hits = np.sum((predicted == 1) & (references == 1))
    total = np.sum(predicted == 1) + np.sum(references == 1)
    return float(2 * hits / total) if hits else 0.0


def macro_f1(predicted: Values, references: Values) -> float:
    """The mean of every class's F1, over the classes that are predicted or true at least once."""
    hits, said, true = _counts(predicted, references)
    return float(np.mean(2 * hits / (said + true)))


def matthews_correlation(predicted: Values, references: Values) -> float:
    """The correlation of two choices among labels, here by their numbers; 0 where either is constant.

    Of more than two it is R_K of Gorodkin (2004, Computational Biology and Chemistry 28, 367): the
    correlation of the indicators of all labels together.
    """
    if not _several(predicted, references):
        return _correlation(predicted, references, constant=0.0)
    both, own, theirs = (part.mean() for part in _indicators(predicted, references))
    return float(both / np.sqrt(own * theirs)) if own > 0 and theirs > 0 else 0.0


def pearson(predicted: Values, references: Values) -> float:
    """The linear correlation."""
    return _correlation(predicted, references, constant=np.nan)


def spearman(predicted: Values, references: Values) -> float:
    """The linear correlation of the ranks."""
    from scipy import stats

    return _correlation(stats.rankdata(predicted), stats.rankdata(references), constant=np.nan)


METRICS: dict[str, Metric] = {
    metric.__name__: metric for metric in (accuracy, f1, macro_f1, matthews_correlation, pearson, spearman)
}
"""By the name that tasks give it."""


def span_f1(predicted: Values, references: Values) -> float:
    """2 right / (given + there) over all sentences; 0 where nothing is right."""
    return _ratio(*_span_parts("span_f1", predicted, references))


def span_precision(predicted: Values, references: Values) -> float:
    """Right / given."""
    return _ratio(*_span_parts("span_precision", predicted, references))


def span_recall(predicted: Values, references: Values) -> float:
    """Right / there."""
    return _ratio(*_span_parts("span_recall", predicted, references))


SPAN_METRICS: dict[str, Metric] = {
    metric.__name__: metric for metric in (span_f1, span_precision, span_recall)
}
"""Of spans in sentences: predictions are (n, 2), right and given, references (n,), there."""


def influence(name: str, predicted: Values, references: Values) -> Values | None:
    """The influence of every example on a metric, (n,), with mean 0; None for a metric that is not here.

    Of a metric that does not exist on these answers, or is constant around them, it is 0.
    """
    from scipy import stats

    if predicted.ndim == 2:
        if name not in SPAN_METRICS:
            return None
        part, whole = _span_parts(name, predicted, references)
        return (part - _ratio(part, whole) * whole) / max(float(whole.mean()), 1 / len(whole))
    if name == "accuracy":
        found = (predicted == references).astype(float)
    elif name == "f1":
        found = _of_f1(predicted, references)
    elif name == "macro_f1":
        found = _of_macro_f1(predicted, references)
    elif name == "matthews_correlation" and _several(predicted, references):
        found = _of_matthews(predicted, references)
    elif name in ("matthews_correlation", "pearson"):
        found = _of_correlation(predicted, references)
    elif name == "spearman":
        found = _of_correlation(stats.rankdata(predicted), stats.rankdata(references))
    else:
        return None
    return found - found.mean()


def best_constant(name: str, references: Values, labels: int | None) -> float | None:
    """The best score that one answer to every example can have; None for a metric that is not here.

    A constant has no correlation, which counts as 0.
    """
    if name not in METRICS:
        return None
    if labels is None or name in ("matthews_correlation", "pearson", "spearman"):
        return 0.0
    return max(METRICS[name](np.full_like(references, label), references) for label in range(labels))


def _span_parts(name: str, predicted: Values, references: Values) -> tuple[Values, Values]:
    """Each sentence's part in what is divided, and in what it is divided by."""
    right, given = predicted[:, 0], predicted[:, 1]
    if name == "span_f1":
        return 2 * right, given + references
    return right, given if name == "span_precision" else references


def _ratio(part: Values, whole: Values) -> float:
    return float(part.sum() / whole.sum()) if whole.sum() else 0.0


def _correlation(x: Values, y: Values, *, constant: float) -> float:
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return constant
    return float(np.corrcoef(x, y)[0, 1])


def _of_correlation(x: Values, y: Values) -> Values:
    """z_x z_y - r (z_x^2 + z_y^2) / 2 (Devlin, Gnanadesikan and Kettenring 1975, Biometrika 62, 531)."""
    r = _correlation(x, y, constant=np.nan)
    if np.isnan(r):
        return np.zeros(len(x))
    z, w = ((v - v.mean()) / v.std() for v in (x, y))
    return z * w - r * (z**2 + w**2) / 2


def _several(x: Values, y: Values) -> bool:
    """Whether there are labels beyond the numbers 0 and 1."""
    return max(x.max(initial=0.0), y.max(initial=0.0)) > 1


def _indicators(x: Values, y: Values) -> tuple[Values, Values, Values]:
    """Each example's part in the covariance of two choices among labels, and in the variance of either.

    The indicator of label k is x_k, its mean m_k; summed over labels, (x_k - m_k) (y_k - n_k) is
    [x = y] - n_x - m_y + m n, without a column for every label.
    """
    x, y = x.astype(int), y.astype(int)
    size = int(max(x.max(), y.max())) + 1
    m, n = (np.bincount(values, minlength=size) / len(values) for values in (x, y))
    return (x == y) - n[x] - m[y] + m @ n, 1 - 2 * m[x] + m @ m, 1 - 2 * n[y] + n @ n


def _of_matthews(x: Values, y: Values) -> Values:
    """As :func:`_of_correlation`, with the products of all labels' indicators."""
    both, own, theirs = _indicators(x, y)
    scale = np.sqrt(own.mean() * theirs.mean())
    if scale == 0:
        return np.zeros(len(x))
    return both / scale - both.mean() / scale * (own / own.mean() + theirs / theirs.mean()) / 2


def _counts(predicted: Values, references: Values) -> tuple[Values, Values, Values]:
    """For each label that occurs: how often it is right, predicted and true."""
    labels, numbers = np.unique(np.concatenate([predicted, references]), return_inverse=True)
    said, true = np.split(numbers.ravel(), 2)
    hits = np.bincount(said[said == true], minlength=len(labels))
    counts = [np.bincount(values, minlength=len(labels)).astype(float) for values in (said, true)]
    return hits.astype(float), counts[0], counts[1]


def _of_macro_f1(predicted: Values, references: Values) -> Values:
    """The mean over labels of :func:`_of_f1`; an example takes part in that of its two labels alone."""
    hits, said, true = _counts(predicted, references)
    total = said + true
    numbers = np.unique(np.concatenate([predicted, references]), return_inverse=True)[1].ravel()
    x, y = np.split(numbers, 2)
    share = 2 * hits / total
    found = 2 * (x == y) / total[x] - share[x] / total[x] - share[y] / total[y]
    return found * len(predicted) / len(total)


def _of_f1(predicted: Values, references: Values) -> Values:
    """The derivative of 2 h / t: (2 [hit] - F1 ([predicted] + [is])) n / t."""
    said, true = (predicted == 1).astype(float), (references == 1).astype(float)
    total = said.sum() + true.sum()
    if total == 0:
        return np.zeros(len(predicted))
    return (2 * said * true - f1(predicted, references) * (said + true)) * len(predicted) / total

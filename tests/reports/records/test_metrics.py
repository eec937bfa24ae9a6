"""Metrics against scikit-learn and scipy, influences against derivatives, floors against every constant."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from reports.records.metrics import METRICS, SPAN_METRICS, best_constant, influence

LIBRARY = {
    "accuracy": lambda p, r: accuracy_score(r, p),
    "f1": lambda p, r: f1_score(r, p, zero_division=0.0),
    "macro_f1": lambda p, r: f1_score(r, p, average="macro", zero_division=0.0),
    "matthews_correlation": lambda p, r: matthews_corrcoef(r, p),
    "pearson": lambda p, r: stats.pearsonr(p, r).statistic,
    "spearman": lambda p, r: stats.spearmanr(p, r).statistic,
}
CLASSES = ("accuracy", "f1", "macro_f1", "matthews_correlation")


def answers(name: str, seed: int, n: int = 60, labels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if labels > 2:
        references = rng.integers(labels, size=n).astype(float)
        return np.where(rng.random(n) < 0.6, references, rng.integers(labels, size=n)), references
    if name in CLASSES:
        references = (rng.random(n) < 0.6).astype(float)
        return np.where(rng.random(n) < 0.75, references, 1 - references), references
    references = rng.normal(size=n)
    return references + rng.normal(size=n), references


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_the_librarys(name: str, seed: int) -> None:
    predicted, references = answers(name, seed)
    assert METRICS[name](predicted, references) == pytest.approx(
        LIBRARY[name](predicted, references), abs=1e-12
    )


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_a_constant_answer(name: str, constant: float) -> None:
    _, references = answers(name, 1)
    predicted = np.full_like(references, constant)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert METRICS[name](predicted, references) == pytest.approx(LIBRARY[name](predicted, references))
    assert not influence("matthews_correlation", predicted, references).any()


SEVERAL = [(name, 5) for name in ("macro_f1", "matthews_correlation")]


@pytest.mark.parametrize(
    ("name", "labels"), [*((name, 2) for name in METRICS if name != "spearman"), *SEVERAL]
)
def test_the_influence_is_the_derivative(name: str, labels: int) -> None:
    """Of the metric when one example is there m + 1 times and every other m times."""
    predicted, references = answers(name, 3, labels=labels)
    found, copies = influence(name, predicted, references), 2000
    base = METRICS[name](predicted, references)
    for index in (0, 7, 31):
        weights = np.full(len(predicted), copies)
        weights[index] += 1
        moved = METRICS[name](np.repeat(predicted, weights), np.repeat(references, weights))
        assert (moved - base) * weights.sum() == pytest.approx(found[index], rel=0.02, abs=0.01)


@pytest.mark.parametrize("name", METRICS)
def test_the_influence_tells_the_spread_over_samples(name: str) -> None:
    rng = np.random.default_rng(8)
    predicted, references = answers(name, 4, n=800)
    told = influence(name, predicted, references).std() / np.sqrt(len(predicted))
    drawn = [rng.integers(0, 800, size=800) for _ in range(600)]
    seen = np.std([METRICS[name](predicted[i], references[i]) for i in drawn])
    assert told == pytest.approx(seen, rel=0.15)


def sentences(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Spans that are right and given, and those that are there."""
    rng = np.random.default_rng(seed)
    given, there = rng.integers(0, 4, size=(2, n))
    right = rng.binomial(np.minimum(given, there), 0.7)
    return np.stack([right, given], axis=1).astype(float), there.astype(float)


@pytest.mark.parametrize("name", SPAN_METRICS)
def test_the_influence_of_a_sentence_on_scores_of_spans(name: str) -> None:
    """Its derivative, and the spread over samples of sentences."""
    predicted, references = sentences(2, 400)
    found, base, copies = (
        influence(name, predicted, references),
        SPAN_METRICS[name](predicted, references),
        2000,
    )
    assert found.mean() == pytest.approx(0, abs=1e-12)
    for index in (0, 7, 31):
        weights = np.full(len(references), copies)
        weights[index] += 1
        moved = SPAN_METRICS[name](np.repeat(predicted, weights, axis=0), np.repeat(references, weights))
        assert (moved - base) * weights.sum() == pytest.approx(found[index], rel=0.02, abs=0.01)
    rng = np.random.default_rng(8)
    drawn = [rng.integers(0, 400, size=400) for _ in range(400)]
    seen = np.std([SPAN_METRICS[name](predicted[i], references[i]) for i in drawn])
    assert found.std() / np.sqrt(400) == pytest.approx(seen, rel=0.15)
    assert influence("token_accuracy", predicted, references) is None
    assert influence(name, references, references) is None
    nothing = np.zeros((3, 2))
    assert not influence(name, nothing, np.zeros(3)).any()


def test_the_best_constant() -> None:
    references = np.array([0.0, 1, 1, 2, 2, 2])
    assert best_constant("accuracy", references, 3) == 0.5
    assert best_constant("f1", np.array([0.0, 0, 0, 1]), 2) == pytest.approx(2 / 5)  # always 1, not always 0
    assert best_constant("matthews_correlation", references, 3) == 0
    assert best_constant("pearson", references, None) == 0
    assert best_constant("bleu", references, None) is None

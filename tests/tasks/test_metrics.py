import dataclasses
import math

import datasets
import evaluate
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

import tasks
from reports.records.metrics import METRICS
from tasks import metrics
from tasks.metrics import MODULES
from tasks.spec import ACCURACY, F1, MACRO_F1, MATTHEWS, OF_SPANS, WRITTEN

COLA, MRPC, STSB, MNLI = (tasks.get(name) for name in ("cola", "mrpc", "stsb", "mnli"))
BITS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=80)
FLOATS = st.floats(-5, 5, allow_nan=False, width=32)
quick = settings(max_examples=25, deadline=None)


def columns(pairs, dtype=np.int64):
    array = np.array(pairs, dtype=dtype)
    return array[:, 0], array[:, 1]


def confusion(predictions, references):
    counts = [(predictions == p) & (references == r) for p, r in ((1, 1), (1, 0), (0, 1), (0, 0))]
    return [int(count.sum()) for count in counts]


@quick
@given(BITS)
def test_accuracy_and_f1_are_their_formulas_and_scikit_learns_numbers(pairs):
    predictions, references = columns(pairs)
    tp, fp, fn, tn = confusion(predictions, references)
    found = tasks.score(MRPC, predictions, references)
    assert list(found) == ["accuracy", "f1"]
    assert found["accuracy"] == pytest.approx((tp + tn) / (tp + fp + fn + tn))
    assert found["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn) if tp else 0.0)
    expected = sklearn.metrics.f1_score(references, predictions, zero_division=0.0)
    assert found["f1"] == expected


@quick
@given(BITS)
def test_matthews_is_its_formula_and_zero_when_undefined(pairs):
    predictions, references = columns(pairs)
    tp, fp, fn, tn = confusion(predictions, references)
    below = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    expected = (tp * tn - fp * fn) / below if below else 0.0
    assert tasks.score(COLA, predictions, references) == {
        "matthews_correlation": pytest.approx(expected, abs=1e-12)
    }


@quick
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_of_several_labels_they_are_scikit_learns_numbers_and_the_records(pairs):
    several = dataclasses.replace(MNLI, labels=tuple("abcde"), metrics=(MACRO_F1, MATTHEWS, F1, ACCURACY))
    predictions, references = columns(pairs)
    found = tasks.score(several, predictions, references)
    macro = sklearn.metrics.f1_score(references, predictions, average="macro", zero_division=0.0)
    per_label = sklearn.metrics.f1_score(
        references, predictions, average=None, labels=range(5), zero_division=0.0
    )
    assert found["macro_f1"] == macro
    assert found["f1"] == pytest.approx(per_label[1])
    for name, value in found.items():
        kept = METRICS[name](predictions.astype(float), references.astype(float))
        assert kept == pytest.approx(value, abs=1e-12)


@quick
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=2, max_size=60))
def test_correlations_are_numpys_and_scipys_numbers(pairs):
    predictions, references = columns(pairs, np.float32)
    # Away from constants, where the formulas lose their digits.
    assume(predictions.std() > 1e-2 and references.std() > 1e-2)
    found = tasks.score(STSB, predictions, references)
    exact = predictions.astype(np.float64), references.astype(np.float64)
    assert found["pearson"] == pytest.approx(np.corrcoef(*exact)[0, 1], abs=1e-9)
    ranks = [stats.rankdata(values) for values in exact]
    assert found["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)
    assert found["pearson"] == stats.pearsonr(*exact).statistic
    assert found["spearman"] == stats.spearmanr(*exact).statistic


@pytest.mark.parametrize("references", [[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
@pytest.mark.parametrize("constant", [0, 1])
def test_a_constant_prediction_has_defined_scores_and_no_warning(references, constant):
    references, predictions = np.array(references), np.full(4, constant)
    assert tasks.score(COLA, predictions, references) == {"matthews_correlation": 0.0}
    both = tasks.score(MRPC, predictions, references)
    assert both["accuracy"] == (references == constant).mean()
    assert both["f1"] == (
        0.0
        if constant == 0 or not references.any()
        else pytest.approx(2 * references.mean() / (references.mean() + 1))
    )


@pytest.mark.parametrize(
    ("predictions", "references"),
    [
        ([2.5, 2.5, 2.5], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [2.5, 2.5, 2.5]),
        ([0.1, 0.1, 0.1], [0.3, 0.3, 0.3]),
        ([1.0], [2.0]),
        ([1.0, math.nan, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, math.inf, 3.0], [1.0, 2.0, 3.0]),
    ],
)
def test_a_correlation_that_does_not_exist_is_nan(predictions, references):
    found = tasks.score(STSB, np.array(predictions), np.array(references))
    assert list(found) == ["pearson", "spearman"]
    assert all(math.isnan(value) for value in found.values())


def test_a_nearly_constant_prediction_gives_scipys_number_without_a_warning():
    predictions = 1.0 + np.array([0.0, 1e-15, 2e-15, 4e-15])
    found = tasks.score(STSB, predictions, np.array([1.0, 2.0, 3.0, 4.0]))
    assert found["spearman"] == pytest.approx(1.0)


def test_three_classes_are_scored_by_accuracy():
    assert tasks.score(MNLI, np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])) == {"accuracy": 0.75}


@pytest.mark.parametrize(
    ("spec", "predictions", "references", "message"),
    [
        (COLA, [], [], "not on predictions of shape"),
        (COLA, [0, 1], [0], "equally long"),
        (COLA, [[0, 1]], [[0, 1]], "one-dimensional"),
        (COLA, [0.2, 0.9], [0, 1], "predictions must be label numbers"),
        (COLA, [0, 1], [0, -1], "references must be between 0 and 1, not between -1 and 0"),
        (MNLI, [0, 3], [0, 1], "predictions must be between 0 and 2"),
    ],
)
def test_arrays_that_are_no_predictions_are_refused(spec, predictions, references, message):
    with pytest.raises(tasks.TaskError, match=message):
        tasks.score(spec, np.array(predictions), np.array(references))


def test_the_majority_is_counted_in_training_and_scored_on_the_references():
    train, references = np.array([1, 1, 1, 0]), np.array([0, 0, 0, 1])
    assert tasks.majority(MRPC, train, references) == {"accuracy": 0.25, "f1": pytest.approx(0.4)}
    assert tasks.majority(COLA, train, references) == {"matthews_correlation": 0.0}
    assert tasks.majority(MNLI, np.array([2, 1, 1, 2]), np.array([1, 2])) == {"accuracy": 0.5}
    constant = tasks.majority(STSB, np.array([1.0, 4.0]), np.array([0.0, 5.0]))
    assert all(math.isnan(value) for value in constant.values())
    with pytest.raises(tasks.TaskError, match="needs training labels"):
        tasks.majority(COLA, np.array([]), references)


def test_the_modules_are_evaluates_own_kind_and_cover_every_declared_metric():
    declared = {metric for name in tasks.names() for metric in tasks.get(name).metrics}
    assert {module.spec for module in MODULES.values()} == (declared | {MACRO_F1}) - {*WRITTEN, *OF_SPANS}
    for module in MODULES.values():
        assert issubclass(module, evaluate.Metric)
        assert module.__doc__


def test_a_module_works_the_way_evaluate_modules_do(tmp_path):
    module = metrics.Accuracy(keep_in_memory=True, cache_dir=str(tmp_path))
    module.add_batch(predictions=[0, 1], references=[0, 0])
    module.add_batch(predictions=[1, 1], references=[1, 1])
    assert module.compute() == {"accuracy": 0.75}
    assert module.features == datasets.Features(
        {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
    )


def test_scoring_writes_nothing_to_the_shared_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", str(tmp_path / "shared"))
    tasks.score(COLA, np.array([0, 1]), np.array([0, 1]))
    assert not (tmp_path / "shared").exists()


def test_scoring_leaves_numpys_random_state_alone():
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    tasks.score(COLA, np.array([0, 1]), np.array([0, 1]))
    assert (np.random.get_state()[1] == before).all()

import os

import datasets
import pytest

import tasks
from tasks import glue
from tasks.splits import normalise

# What our copies hold: examples in train, selection and report, training examples left out.
REAL = {
    "cola": (7681, 853, 1043, 17),
    "sst2": (6228, 692, 872, 0),
    "mrpc": (3243, 360, 408, 65),
    "stsb": (3461, 384, 1500, 404),
}
OFFICIAL = {  # official name of the metric that leads, columns
    "cola": ("matthews_correlation", ("sentence",)),
    "sst2": ("accuracy", ("sentence",)),
    "mrpc": ("accuracy", ("sentence1", "sentence2")),
    "stsb": ("pearson", ("sentence1", "sentence2")),
    "qqp": ("accuracy", ("question1", "question2")),
    "mnli": ("accuracy", ("premise", "hypothesis")),
    "mnli_mismatched": ("accuracy", ("premise", "hypothesis")),
    "qnli": ("accuracy", ("question", "sentence")),
    "rte": ("accuracy", ("sentence1", "sentence2")),
    "wnli": ("accuracy", ("sentence1", "sentence2")),
}


def texts(table):
    columns = [table[column][:] for column in table.column_names if column != "label"]
    return {normalise(text) for column in columns for text in column}


@pytest.mark.parametrize("spec", glue.TASKS, ids=lambda spec: spec.name)
def test_declared_as_glue_defines_it(spec):
    main, columns = OFFICIAL[spec.name]
    assert spec.main_metric.name == main
    assert spec.text_columns == columns
    assert spec.source.hub_id == "nyu-mll/glue"
    assert len(spec.source.revision) == 40
    assert spec.source.train_split == "train"
    assert spec.source.report_split.startswith("validation")
    assert spec.overlap == ("example" if spec.name == "wnli" else "any_text")


def test_both_reported_halves_of_mnli_train_on_the_same_files():
    matched, mismatched = glue.MNLI.source, glue.MNLI_MISMATCHED.source
    assert matched.config == mismatched.config == "mnli"
    assert (matched.report_split, mismatched.report_split) == ("validation_matched", "validation_mismatched")


def test_f1_is_reported_where_glue_reports_it():
    assert {spec.name for spec in glue.TASKS if "f1" in [m.name for m in spec.metrics]} == {"mrpc", "qqp"}
    assert [metric.name for metric in glue.STSB.metrics] == ["pearson", "spearman"]


@pytest.mark.parametrize("name", REAL)
def test_real_files_no_text_is_in_two_splits(name, glue_folder, loaded):
    data = loaded(name, str(glue_folder))
    if "PARETUNE_GLUE" not in os.environ:  # another copy has other counts
        assert (*data.sizes.values(), data.dropped_train_examples) == REAL[name]
    train, selection, report = (texts(table) for table in (data.train, data.selection, data.report))
    assert train.isdisjoint(selection)
    assert train.isdisjoint(report)
    assert selection.isdisjoint(report)


@pytest.mark.parametrize("name", REAL)
def test_real_files_the_official_validation_set_is_reported_complete(name, glue_folder, loaded):
    spec, data = tasks.get(name), loaded(name, str(glue_folder))
    file = str(next((glue_folder / name).glob("validation-*")))
    official = datasets.Dataset.from_parquet(file)[:]
    rows = zip(*(official[column] for column in spec.text_columns), official["label"], strict=True)
    reported = data.report[:]
    assert sorted(zip(*(reported[c] for c in data.report.column_names), strict=True)) == sorted(rows)


def test_real_files_the_splits_of_a_classification_have_similar_labels(glue_folder, loaded):
    for name in ("cola", "sst2", "mrpc"):
        data = loaded(name, str(glue_folder))
        train, selection = (sum(t["label"]) / len(t) for t in (data.train, data.selection))
        assert abs(train - selection) < 0.05

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from tasks.spec import ACCURACY, F1, PEARSON, MetricSpec

SPECS = [tasks.get(name) for name in tasks.names()]
BIB = (Path(tasks.__file__).parent / "CITATIONS.bib").read_text(encoding="utf-8")
KEYS = re.findall(r"^@\w+\{([^,\s]+),$", BIB, flags=re.MULTILINE)


def test_names_are_the_tasks_of_the_issue_in_order():
    assert tasks.names() == (
        *("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "mnli_mismatched", "qnli", "rte", "wnli"),
        *("rotten_tomatoes", "imdb", "imdb_pair"),
    )


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_declaration_is_complete(spec):
    assert re.fullmatch(r"[a-z0-9_]+", spec.name)
    assert spec.version >= 1
    assert len(spec.title) <= 100
    assert spec.description.endswith(".")
    assert spec.homepage.startswith("https://")
    assert spec.license
    assert spec.main_metric is spec.metrics[0]
    assert spec.num_labels == (len(spec.labels) if spec.problem_type == "classification" else 1)
    assert spec.citation in KEYS
    assert spec.superseded_by is None or spec.superseded_by in tasks.names()
    assert str(spec.source)
    hash(spec)


def test_the_bibliography_has_no_entry_twice_and_cites_the_benchmark():
    assert len(KEYS) == len(set(KEYS)) == BIB.count("\n@")
    assert "wang2019glue" in KEYS


def test_declarations_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        tasks.get("cola").version = 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 0}, "version must be at least 1, not 0"),
        ({"title": "two\nlines"}, "one line"),
        ({"text_columns": ()}, "one or two text columns"),
        ({"text_columns": ("a", "b", "c")}, "one or two text columns"),
        ({"labels": ("yes", "yes")}, "labels repeat"),
        ({"labels": ("yes",)}, "two labels or more"),
        ({"problem_type": "regression"}, "a regression has no labels"),
        ({"metrics": ()}, "at least one metric"),
        ({"metrics": (ACCURACY, PEARSON)}, "a classification is not scored by pearson"),
        (
            {"problem_type": "regression", "labels": (), "metrics": (PEARSON, ACCURACY, F1)},
            "a regression is not scored by accuracy and f1",
        ),
    ],
)
def test_a_contradictory_declaration_is_refused(changes, message):
    with pytest.raises(tasks.TaskError, match=message):
        dataclasses.replace(tasks.get("rte"), **changes)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(tasks.TaskError, match=r"unknown task 'SST-2'; did you mean sst2.*cola, sst2, mrpc"):
        tasks.get("SST-2")
    with pytest.raises(tasks.TaskError, match=r"unknown task 'xyz'; there are: cola, "):
        tasks.load("xyz")


def test_metrics_declare_direction_and_unit():
    used = {metric for spec in SPECS for metric in spec.metrics}
    assert {(metric.name, metric.higher_is_better, metric.unit) for metric in used} == {
        ("accuracy", True, "fraction"),
        ("f1", True, "fraction"),
        ("matthews_correlation", True, "correlation"),
        ("pearson", True, "correlation"),
        ("spearman", True, "correlation"),
    }
    assert all(isinstance(metric, MetricSpec) for metric in used)


def test_listing_tasks_imports_none_of_the_heavy_libraries():
    code = "import sys, tasks; print(sorted({'datasets', 'evaluate', 'scipy', 'torch'} & set(sys.modules)))"
    root = str(Path(tasks.__file__).parents[1])
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

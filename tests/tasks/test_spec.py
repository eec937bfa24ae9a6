import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from tasks.joined import Joined
from tasks.spec import ACCURACY, BLEU, F1, PEARSON, MetricSpec, RowsSource, Template

SPECS = [tasks.get(name) for name in tasks.names()]
BIB = (Path(tasks.__file__).parent / "CITATIONS.bib").read_text(encoding="utf-8")
KEYS = re.findall(r"^@\w+\{([^,\s]+),$", BIB, flags=re.MULTILINE)


def test_names_are_the_tasks_of_the_issue_in_order():
    assert tasks.names() == (
        *("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "mnli_mismatched", "qnli", "rte", "wnli"),
        *("rotten_tomatoes", "imdb", "imdb_pair", "conll2003"),
        *("e2e", "gsm8k", "webnlg"),
        *("boolq", "cb", "copa", "wic", "snli", "ag_news", "trec", "banking77", "clinc150"),
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
    assert spec.num_labels == {"regression": 1, "generation": 0}.get(spec.problem_type, len(spec.labels))
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
        ({"metrics": (ACCURACY, BLEU)}, "a classification is not scored by bleu"),
        ({"problem_type": "generation", "metrics": (BLEU,)}, "a generation has no labels"),
        (
            {"problem_type": "generation", "metrics": (ACCURACY,), "labels": ()},
            "a generation is not scored by accuracy",
        ),
        ({"template": Template("{text}", words=("yes", "no"))}, "template .* does not fit"),
        ({"template": Template("{text} {text_pair} {text}", words=("yes", "no"))}, "does not fit"),
        ({"template": Template("{text} {text_pair} {label}", words=("yes", "no"))}, "does not fit"),
        ({"template": Template("{text} {text_pair", words=("yes", "no"))}, "does not fit"),
        ({"template": Template("{text} {text_pair}")}, "does not fit"),
        ({"template": Template("{text} {text_pair}", words=("yes", "yes"))}, "does not fit"),
        ({"template": Template("{text} {text_pair}", words=("yes", ""))}, "does not fit"),
        (
            {"source": RowsSource("rows", list, ("other", "other"))},
            r"no name for a .* split: \['other'\]",
        ),
        ({"source": RowsSource("rows", list, ("report",))}, r"further report split: \['report'\]"),
        ({"source": RowsSource("rows", list, ("a b",))}, r"further report split: \['a b'\]"),
        (
            {"source": dataclasses.replace(tasks.get("rte").source, joined=Joined(("{word}",)))},
            "joins another number of texts",
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
        *(
            (name, True, "fraction")
            for name in ("span_f1", "span_precision", "span_recall", "token_accuracy")
        ),
        ("f1", True, "fraction"),
        ("matthews_correlation", True, "correlation"),
        ("pearson", True, "correlation"),
        ("spearman", True, "correlation"),
        ("bleu", True, "fraction"),
        ("nist", True, "points"),
        ("rouge_l", True, "fraction"),
        ("cider", True, "points"),
        ("answer_match", True, "fraction"),
        ("macro_f1", True, "fraction"),
    }
    assert all(isinstance(metric, MetricSpec) for metric in used)


def test_a_classification_is_asked_as_in_t5_and_answered_with_the_name_of_its_label():
    # Raffel et al. 2020, appendix D: the processed inputs and targets of CoLA, MNLI, MRPC and QNLI.
    written = {name: tasks.get(name).written_as for name in ("cola", "mnli", "mrpc", "qnli")}
    assert written["cola"].write(["John made Bill."]) == "cola sentence: John made Bill."
    assert written["mnli"].write(["A premise.", "A hypothesis."]) == (
        "mnli hypothesis: A hypothesis. premise: A premise."
    )
    assert written["mrpc"].write(["One {0}", "{text}"]) == "mrpc sentence1: One {0} sentence2: {text}"
    assert written["qnli"].write(["Where?", "There."]) == "qnli question: Where? sentence: There."
    assert written["mnli"].words == ("entailment", "neutral", "contradiction")
    own = Template("Is it English? {text}", " ", ("no", "yes"))
    assert dataclasses.replace(tasks.get("cola"), template=own).written_as is own
    assert dataclasses.replace(tasks.get("cola"), text_columns=("a {b}",)).written_as.write(["x"]) == (
        "cola a {b}: x"
    )
    with pytest.raises(tasks.TaskError, match="'stsb' is a regression"):
        _ = tasks.get("stsb").written_as


def test_listing_tasks_imports_none_of_the_heavy_libraries():
    code = "import sys, tasks; print(sorted({'datasets', 'evaluate', 'scipy', 'torch'} & set(sys.modules)))"
    root = str(Path(tasks.__file__).parents[1])
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

import dataclasses

import pytest

import tasks
from tasks import texts
from tasks.spec import EXACT_MATCH, WRITTEN

E2E, GSM8K = tasks.get("e2e"), tasks.get("gsm8k")


def test_every_metric_of_written_text_is_computed():
    assert list(texts.METRICS) == [metric.name for metric in WRITTEN]


def test_a_task_is_scored_by_what_it_declares():
    found = tasks.score(E2E, ["a pub by the river"], [["a pub by the river", "a pub"]])
    assert list(found) == ["bleu", "nist", "rouge_l", "cider"]
    assert found["bleu"] == pytest.approx(1)
    assert tasks.score(GSM8K, ["5 + 5\n#### 10"], [["#### 10"]]) == {"answer_match": 1.0}


def test_the_majority_is_the_most_frequent_target_and_the_first_in_order_on_a_tie():
    one = dataclasses.replace(E2E, metrics=(EXACT_MATCH,))
    assert tasks.majority(one, ["b", "a", "b", "a", "c"], [["a"], ["b"]]) == {"exact_match": 0.5}
    assert tasks.majority(one, ["b", "c", "b"], [["b", "x"]]) == {"exact_match": 1.0}
    with pytest.raises(tasks.TaskError, match="needs training targets"):
        tasks.majority(one, [], [["a"]])


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([], [], "not on 0 texts"),
        (["a"], [["a"], ["b"]], "not on 1 texts and the references of 2 inputs"),
        (["a"], ["a"], "input 0 needs a list of references, not 'a'"),
        (["a"], [[]], r"not \[\]"),
        (["a"], [[None]], r"not \[None\]"),
        ([None], [["a"]], "prediction 0 must be a text, not None"),
        ([3], [["a"]], "prediction 0 must be a text, not 3"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_sentence(predictions, references, message):
    with pytest.raises(tasks.TaskError, match=message):
        tasks.score(E2E, predictions, references)

"""The answer within limits, on a tiny model and the published boards."""

from __future__ import annotations

import itertools
import json

import pytest

import methods
from reports import yaml_text
from runners.choosing import answer as answers
from runners.choosing import proposal
from runners.choosing.answer import Question, answer
from runners.choosing.boards import PUBLISHED, Sources
from runners.choosing.limits import Limits
from runners.choosing.predicted import Sizes
from runners.plan.study import content, parse_study

from ..command import paretune

BOARD = PUBLISHED / "tuned-reviews"
FEW = ("full", "head", "lora", "ia3")
"""The methods that are tried, beside those of the board."""


@pytest.fixture(scope="module")
def ask(tiny_model, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    patch.setattr(methods, "names", lambda: FEW)
    known: dict[str, object] = {}

    def once(sizes, choices, **rest):
        if "found" not in known:
            known["found"] = predict(sizes, choices, **rest)
        return known["found"]

    predict = answers.predicted.predict
    patch.setattr(answers.predicted, "predict", once)  # the same model, sizes and methods every time

    def ask(**limits):
        question = Question(Sizes(tiny_model, 2, 8), Limits.parse(**limits), examples=5000)
        return answer(question, Sources((BOARD,), ()), timed=False)

    yield ask
    patch.undo()


def test_without_limits_every_method_that_the_model_carries_is_within_them(ask):
    found = ask()
    assert not found.ruled_out
    assert {one.choice.label for one in found.admitted} >= {"full", "lora", "ia3"}
    assert "ia3" in found.unscored
    assert found.elsewhere
    assert any("MiniLM-L6, 22.7 M and not" in sentence for sentence in found.sentences)


def test_what_is_within_a_limit_is_within_every_looser_one(ask):
    within = [
        {one.choice.label for one in ask(params=most, memory="1GB").admitted}
        for most in ("100", "1k", "10k", "1M", "1B")
    ]
    assert all(one <= other for one, other in itertools.pairwise(within))
    assert within[0] < within[-1]


def test_a_pick_is_within_all_limits_and_what_is_out_is_told_once_a_limit(ask):
    for most in ("100", "1k", "10k", "1M"):
        found = ask(params=most)
        names = {one.choice.label for one in found.admitted}
        picked = found.choice.pick if found.choice else None
        assert picked is None or picked in names
        told = "\n".join(found.told_out)
        assert all(label in told for label in found.ruled_out)
    assert ask(params="1").headline == "No method that this model can carry is within these limits."


def test_latency_that_was_not_timed_is_no_latency_within_a_limit(ask):
    strict, merged = ask(latency="1.05"), ask(latency="1.05", merge_allowed=True)
    assert "lora" in strict.ruled_out
    assert "lora" not in merged.ruled_out
    assert "full" not in strict.ruled_out  # its pass is the base's own
    assert any(line.startswith("  latency not known: ") for line in strict.told_out)


def test_the_study_that_is_written_is_one_and_holds_what_is_left(ask, tmp_path):
    for limits in ({}, {"params": "1k"}, {"latency": "1.01"}):
        found = ask(**limits)
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        proposal.write(found, path)
        study = parse_study(content(str(path)))
        left = {one.choice.method for one in proposal.contenders(found)}
        assert {search.default.method for search in study.searches} == left
        assert all(len(search.reported) == proposal.SEEDS for search in study.searches)
        assert yaml_text.load(path.read_text())["protocol"]["train_examples"] == 5000
        proposal.write(found, path)  # the same again is no other


def test_everything_is_in_the_json_and_the_answer_is_the_first_line(ask, tiny_model, tmp_path, capsys):
    asked = (tiny_model, "--batch", "2", "--length", "8", "--max-params", "100%", "--boards", str(BOARD))
    study = tmp_path / "study.yaml"
    assert paretune("choose", *asked, "--no-timing", "--json", "--out", str(study)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["study"] == yaml_text.load(study.read_text())
    assert {row["label"] for row in found["methods"]} >= {"full", "lora", "ia3"}
    assert found["pick"] is None or found["pick"] in found["answer"]
    assert paretune("choose", *asked, "--no-timing") == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == found["answer"]
    study.write_text("something else")
    assert paretune("choose", *asked, "--no-timing", "--out", str(study)) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("choose", "embedded", "--max-memory", "8"), "expected an amount of bytes"),
        (("choose", "embedded", "--like", "mrcp"), "did you mean mrpc"),
        (("choose", "embedded", "--like", "mrpc", "--task", "sst2"), "expected one of the two"),
        (("choose", "./nowhere"), "there is no model at './nowhere'"),
        (("choose", "embedded", "--boards", "./nothing"), "there is nothing at 'nothing'"),
        (("compare", "full", "lra", "--boards", str(BOARD)), "did you mean lora"),
        (("compare", "full", "dora", "--boards", str(BOARD)), "no record on these boards is of 'dora'"),
        (("compare", "full", "full", "--boards", str(BOARD)), "expected two methods"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value[:2]),
)
def test_a_mistake_ends_in_one_sentence(arguments, words, capsys):
    assert paretune(*arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.strip().count("\n") == 0


def test_two_methods_side_by_side(capsys):
    assert paretune("compare", "full", "head", "--boards", str(BOARD), "--json") == 0
    one = json.loads(capsys.readouterr().out)
    assert paretune("compare", "head", "full", "--boards", str(BOARD), "--json") == 0
    other = json.loads(capsys.readouterr().out)
    assert one["difference"] == pytest.approx(-other["difference"])
    assert one["costs"]["parameters"]["ratio"] == pytest.approx(1 / other["costs"]["parameters"]["ratio"])
    assert [task["first"] for task in one["tasks"]] == [task["second"] for task in other["tasks"]]
    assert paretune("compare", "full", "head", "--boards", str(BOARD)) == 0
    assert capsys.readouterr().out.splitlines()[0] == one["answer"]

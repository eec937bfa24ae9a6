"""What is asked for of a study is that of it, in its order, whatever parts it is done in."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methods import MethodError
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.only import Only, chosen
from runners.plan.parts import Part
from runners.plan.spec import TrialSpec

CONTENT: dict[str, Any] = {
    "name": "s",
    "models": ["embedded", "google-bert/bert-base-uncased"],
    "tasks": ["cola", "mrpc"],
    "methods": [
        "head",
        {"method": "lora", "grid": {"options": {"rank": [1, 8]}}},
        {"lora": {"target": ["query"]}},
    ],
    "seeds": [0, 5],
}
FIXED = study.parse_study(CONTENT)
TUNED = study.parse_study(CONTENT | {"methods": ["head", "bitfit", "lora"], "tuning": {"trials": 2}})

MEANT: dict[str, Callable[[TrialSpec], bool]] = {
    "model=embedded": lambda spec: spec.model == "embedded",
    "model=bert-base-uncased": lambda spec: spec.model != "embedded",
    "model=google-bert/bert-base-uncased": lambda spec: spec.model != "embedded",
    "task=cola": lambda spec: spec.task == "cola",
    "task=mrpc": lambda spec: spec.task == "mrpc",
    "method=head": lambda spec: spec.method == "head",
    "method=lora": lambda spec: spec.method == "lora",
    "method=lora:rank=8": lambda spec: spec.options.get("rank") == 8,
    "seed=0": lambda spec: spec.seed == 0,
    "seed=5": lambda spec: spec.seed == 5,
}


def trials(of: study.Study) -> list[TrialSpec]:
    return [*of.specs, *(spec for search in of.searches for spec in search.reported)]


@pytest.mark.parametrize("whole", [FIXED, TUNED], ids=["fixed", "tuned"])
@settings(max_examples=30, deadline=None)
@given(asked=st.lists(st.sampled_from(list(MEANT)), min_size=1, unique=True), count=st.integers(1, 5))
def test_keys_have_to_agree_and_values_are_alternatives(
    whole: study.Study, asked: list[str], count: int
) -> None:
    only = Only.parse(asked)
    by_key = [
        [MEANT[one] for one in asked if one.startswith(f"{key}=")]
        for key in ("model", "task", "method", "seed")
    ]
    expected = [
        spec
        for spec in trials(whole)
        if all(not any_of or any(fits(spec) for fits in any_of) for any_of in by_key)
    ]
    assert expected  # these values all go together
    found = chosen(whole, None, only)
    assert trials(found) == expected
    assert all(search.default in [one.default for one in whole.searches] for search in found.searches)
    parts = [chosen(whole, Part(index, count), only) for index in range(1, count + 1)]
    done = [spec.trial_id for spec in itertools.chain(*(trials(part) for part in parts))]
    assert sorted(done) == sorted(spec.trial_id for spec in expected)
    for index, part in enumerate(parts, 1):  # a trial stays in the part that it is in
        assert {s.trial_id for s in trials(part)} <= {
            s.trial_id for s in trials(Part(index, count).of(whole))
        }


@pytest.mark.parametrize("given_target", ["method=lora:target=query", "method=lora:rank=8,target=query"])
def test_options_are_compared_as_they_are_resolved(given_target: str) -> None:
    found = chosen(FIXED, None, Only.parse([given_target]))
    assert {tuple(spec.options["target"]) for spec in found.specs} == {("query",)}
    assert len(found.specs) == 8


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["method"], "expected KEY=VALUE, such as method=lora"),
        (["method="], "expected KEY=VALUE"),
        (["mthod=lora"], "no key 'mthod'; did you mean method"),
        (["method=lroa"], "no such method; did you mean lora"),
        (["method=bitfit"], "no such method; .*Valid: head, lora"),
        (["method=lora:rank=3"], r"no such method; .*lora:rank=1, lora:rank=8"),
        (["task=colla"], "no such task; did you mean cola"),
        (["seed=1"], "no such seed; .*Valid: 0, 5"),
        (["seed=zero"], "no such seed"),
        (["model=gpt2"], "no such model; .*embedded, google-bert/bert-base-uncased"),
        (["method=head", "method=full"], "received --only method=full, and the study s has no such method"),
    ],
)
def test_what_selects_nothing_says_what_there_is(asked: list[str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        chosen(FIXED, None, Only.parse(asked))


def test_values_that_do_not_go_together_are_refused_for_the_whole_and_not_for_a_part() -> None:
    one = CONTENT | {"models": ["embedded"], "methods": ["head"], "seeds": [0], "tasks": ["cola"]}
    lone = study.parse_study(one)
    uneven = study.Study("s", "s", "", (*lone.specs, FIXED.specs[-1]))
    said = "--only method=head and --only seed=5, and no trial of the study s is all of that"
    with pytest.raises(SpecError, match=said):
        chosen(uneven, None, Only.parse(["method=head", "seed=5"]))
    assert not chosen(lone, Part(2, 2), Only.parse(["method=head"])).specs


def test_options_that_a_method_does_not_have_are_refused() -> None:
    with pytest.raises(MethodError, match="did you mean rank"):
        chosen(FIXED, None, Only.parse(["method=lora:rnk=3"]))

"""What is typed is the study that its file says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methods import MethodError
from reports import yaml_text
from reports.records.identity import CLAIM, INTRINSIC
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.typed import Typed, keep, name_of, seeds_of

METHODS = ["full", "head", "lora", "lora:rank=4", "lora:rank=4,target=query+key", "prefix:hidden=none"]
METHODS += ["lora:alpha=1e1", "lora:dropout=0.05"]
PROTOCOL = ["batch_size=8", "learning_rate=1e-3", "evaluate_every=none", "precision=bfloat16"]


MODELS = ["embedded", "somebody/a-model", "./1e-3", "no", "2024-01-01"]
SEEDS = {None: 1, "1": 1, "3": 3, "0,5,7": 3, "5,": 1}


@settings(max_examples=25, deadline=None)
@given(
    models=st.lists(st.sampled_from(MODELS), unique=True, max_size=2),
    tasks=st.lists(st.sampled_from(["cola", "mrpc"]), min_size=1, unique=True),
    methods=st.lists(st.sampled_from(METHODS), min_size=1, unique=True, max_size=4),
    seeds=st.sampled_from(list(SEEDS)),
    steps=st.one_of(st.none(), st.integers(1, 500)),
    protocol=st.lists(st.sampled_from(PROTOCOL), unique=True),
    no_costs=st.booleans(),
    data=st.one_of(st.none(), st.sampled_from(["glue", "a: b", "[x]", "#"])),
    limit=st.one_of(st.none(), st.integers(1, 50)),
)
def test_the_file_that_is_kept_is_the_same_study(
    data: str | None, limit: int | None, no_costs: bool, **values: Any
) -> None:
    content = Typed(**values, no_costs=no_costs).content(data, limit)
    again = yaml_text.load(yaml_text.dump(content))
    assert again == content
    read = study.parse_study(again)
    assert study.parse_study(content, limit=limit) == read
    lengths = (
        len(values["models"] or [1]),
        len(values["tasks"]),
        len(values["methods"]),
        SEEDS[values["seeds"]],
    )
    assert len(read.specs) == math.prod(lengths)
    for spec in read.specs:
        assert (spec.data, spec.costs is None) == (data, no_costs)
        assert (spec.protocol.steps, spec.protocol.train_examples) == (values["steps"], limit)
        assert spec.protocol.scored_examples == limit


@pytest.mark.parametrize(
    ("typed", "seeds"),
    [("1", [0]), ("3", [0, 1, 2]), ("0,5,7", [0, 5, 7]), ("5,", [5]), (" 2 ", [0, 1]), ("1, 4", [1, 4])],
)
def test_seeds_are_a_number_or_a_list(typed: str, seeds: list[int]) -> None:
    assert seeds_of(typed) == seeds


@pytest.mark.parametrize("typed", ["", ",", "x", "-1", "1,,2", "1.5", "0", "10001", "1;2", "٣", "9" * 5000])
def test_what_is_neither_is_refused(typed: str) -> None:
    with pytest.raises(SpecError, match="received --seeds"):
        seeds_of(typed)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=4))
def test_a_name_is_one_that_a_study_may_have(models: list[str], tasks: list[str]) -> None:
    name = name_of(models, tasks)
    assert len(name) <= 60
    assert not name.startswith((CLAIM, INTRINSIC))  # which would leave its records out of every comparison
    assert study._File(name=name, tasks=["cola"], methods=["full"]).name == name


def test_methods_on_one_model_and_task_share_a_folder() -> None:
    one, other = (
        Typed(["google-bert/bert-base-uncased"], ["mrpc"], [method], seeds).content()["name"]
        for method, seeds in (("lora", "3"), ("head", "5"))
    )
    assert one == other == "bert-base-uncased-mrpc"
    assert name_of(["x" * 70, "a"], ["cola"]) != name_of(["x" * 70, "b"], ["cola"])


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    one, other = (Typed((), ["mrpc"], [method]).content() for method in ("lora", "head"))
    first = keep(one, tmp_path)
    assert keep(one, tmp_path) == first == tmp_path / "study.yaml"
    second = keep(other, tmp_path)
    assert second == tmp_path / "study-2.yaml"
    assert [study.content(str(path)) for path in (first, second)] == [one, other]
    first.write_text("edited by hand")
    assert keep(one, tmp_path) == tmp_path / "study-3.yaml"
    assert first.read_text() == "edited by hand"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"methods": ["lora"]}, "neither a study nor --task"),
        ({"tasks": ["mrpc"]}, "neither a study nor --method"),
        ({"tasks": ["mrpc"], "methods": ["lora:"]}, "expected NAME or NAME:KEY=VALUE"),
        ({"tasks": ["mrpc"], "methods": ["lora:rank=4,rank=5"]}, "'rank' twice"),
        ({"tasks": ["mrpc"], "methods": ["lora"], "protocol": ["steps=3"], "steps": 3}, "expected one"),
        ({"tasks": ["mrpc"], "methods": ["lroa"]}, "did you mean lora"),
        ({"tasks": ["mrpc"], "methods": ["lora:rank=many"]}, "rank='many' is not valid"),
    ],
)
def test_what_is_missing_or_wrong_is_one_sentence(values: dict[str, Any], said: str) -> None:
    with pytest.raises((SpecError, MethodError), match=said):
        Typed(**values).content()


def test_a_study_and_what_it_says_are_not_both_typed() -> None:
    assert Typed().beside("demo")["name"] == "demo"
    with pytest.raises(SpecError, match="received the study 'demo' and --steps and --no-costs, expected one"):
        Typed(steps=3, no_costs=True).beside("demo")


def test_seeds_that_are_typed_take_the_place_of_those_of_a_study() -> None:
    assert Typed(seeds="3").beside("demo") == {**study.content("demo"), "seeds": [0, 1, 2]}
    before = study.parse_study(Typed(seeds="5,6").beside("board-minilm"))
    assert {spec.seed for search in before.searches for spec in search.reported} == {5, 6}
    same = study.read_study("board-minilm").searches
    assert [one.default for one in before.searches] == [one.default for one in same]  # searched alike
    for name in ("claim-lora-alpha", "intrinsic", "latency-small-batch"):
        with pytest.raises(SpecError, match=f"'{name}' and --seeds, expected one of the two"):
            Typed(seeds="3").beside(name)


def test_a_model_that_is_typed_takes_the_place_of_those_of_a_study() -> None:
    demo = study.content("demo")
    assert Typed(models=["a", "b"]).beside("demo") == {**demo, "models": ["a", "b"]}
    for name in ("claim-lora-alpha", "intrinsic", "latency-small-batch"):
        with pytest.raises(SpecError, match=f"'{name}' and --model, expected one of the two"):
            Typed(models=["a"]).beside(name)


STATED: dict[str, Any] = {
    "name": "s",
    "tasks": ["cola", {"mrpc": {"train_examples": 500, "scored_examples": 5}}],
    "methods": ["head", {"method": "lora", "grid": {"protocol": {"train_examples": [7, "none"]}}}],
    "protocol": {"scored_examples": 100, "steps": 8},
}


@pytest.mark.parametrize("limit", [8, 50, 1000])
def test_a_limit_is_below_all_that_a_study_says(limit: int) -> None:
    whole, few = study.parse_study(STATED), study.parse_study(STATED, limit=limit)
    for before, after in zip(whole.specs, few.specs, strict=True):
        for name in study.LIMITED:
            said = getattr(before.protocol, name)
            assert getattr(after.protocol, name) == (limit if said is None else min(said, limit))
        same = {"train_examples": None, "scored_examples": None}
        assert before.protocol.model_copy(update=same) == after.protocol.model_copy(update=same)


def test_a_limit_holds_for_searches_too() -> None:
    tuned = STATED | {
        "methods": ["head", "lora"],
        "tuning": {"trials": 2, "protocol": {"train_examples": 30}},
    }
    made = study.parse_study(tuned, limit=9)
    specs = [spec for search in made.searches for spec in (search.default, *search.reported)]
    assert {spec.protocol.train_examples for spec in specs} == {9}
    assert {spec.protocol.scored_examples for spec in specs} == {5, 9}

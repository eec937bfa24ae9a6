"""What is stated nearer to a trial wins, also over another setting that says the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from runners.plan import study
from runners.plan.costs import CostSettings
from runners.plan.errors import SpecError
from runners.plan.intrinsic import parse_intrinsic_study
from runners.plan.levels import RIVALS, overlaid
from runners.plan.spec import Protocol

LENGTHS: tuple[dict[str, Any], ...] = ({}, {"steps": 7}, {"epochs": 2.0}, {"steps": None}, {"epochs": None})


def length(protocol: Protocol) -> tuple[str, float]:
    """How long a trial trains, by the setting that decides."""
    return ("steps", protocol.steps) if protocol.steps is not None else ("epochs", protocol.epochs)


def nearest(levels: list[dict[str, Any]]) -> tuple[str, float]:
    """The same, from the nearest level on."""
    void: set[str] = set()
    for stated in reversed(levels):
        for key, value in stated.items():
            if key in void:
                continue
            if value is not None:
                return key, value
            void.add(key)  # said to be none: what is said farther off counts no more
    return "epochs", 3.0


def test_the_nearest_level_says_how_long_every_combination() -> None:
    lengths = [item for item in LENGTHS if item != {"epochs": None}]  # epochs are never none
    for levels in itertools.product(lengths, repeat=4):
        names = ("the study", "the task", "the method", "the search")
        found = overlaid(*zip(names, levels, strict=True))
        assert length(Protocol.parse(found)) == nearest(list(levels)), levels


def test_a_trial_has_one_id_whatever_was_overruled() -> None:
    plain = study.parse_study(
        {"name": "s", "tasks": ["imdb"], "methods": ["lora"], "protocol": {"epochs": 5}}
    )
    over = study.parse_study(
        {"name": "s", "tasks": [{"imdb": {"epochs": 5}}], "methods": ["lora"], "protocol": {"steps": 300}}
    )
    under = study.parse_study(
        {"name": "s", "tasks": [{"imdb": {"steps": 9}}], "methods": ["lora"], "protocol": {"epochs": 5}}
    )
    only = study.parse_study({"name": "s", "tasks": ["imdb"], "methods": ["lora"], "protocol": {"steps": 9}})
    assert over.specs == plain.specs
    assert (over.specs[0].protocol.steps, over.specs[0].protocol.epochs) == (None, 5)
    assert [spec.trial_id for spec in under.specs] == [spec.trial_id for spec in only.specs]


STUDY: dict[str, Any] = {"name": "s", "tasks": ["imdb", "rotten_tomatoes"], "methods": ["full", "lora"]}


def test_a_method_and_its_grid_overrule_task_and_study() -> None:
    tasks = [{"imdb": {"epochs": 5}}, "rotten_tomatoes"]
    gridded = {"method": "lora", "grid": {"protocol": {"epochs": [1, 2]}}}
    content = STUDY | {"tasks": tasks, "protocol": {"steps": 300}, "methods": ["full", gridded]}
    found = [(spec.task, spec.method, length(spec.protocol)) for spec in study.parse_study(content).specs]
    assert found == [
        ("imdb", "full", ("epochs", 5)),
        ("imdb", "lora", ("epochs", 1)),
        ("imdb", "lora", ("epochs", 2)),
        ("rotten_tomatoes", "full", ("steps", 300)),
        ("rotten_tomatoes", "lora", ("epochs", 1)),
        ("rotten_tomatoes", "lora", ("epochs", 2)),
    ]


def test_a_search_s_own_length_overrules_that_of_the_reported_trials() -> None:
    tasks = [{"imdb": {"epochs": 4}}, "rotten_tomatoes"]
    content = STUDY | {"tasks": tasks, "seeds": [0], "protocol": {"steps": 300}}
    made = study.parse_study(content | {"tuning": {"trials": 2, "protocol": {"epochs": 2}}})
    assert {length(search.default.protocol) for search in made.searches} == {("epochs", 2)}
    assert [length(search.reported[0].protocol) for search in made.searches[::2]] == [
        ("epochs", 4),
        ("steps", 300),
    ]
    share = study.parse_study(content | {"tuning": {"trials": 2, "steps_share": 0.5}})
    assert [length(search.default.protocol) for search in share.searches[::2]] == [
        ("epochs", 2),
        ("steps", 150),
    ]


DIMENSIONS: dict[str, Any] = {
    "kind": "intrinsic",
    "name": "intrinsic-of-one",
    "tasks": [{"imdb": {"epochs": 5}}],
    "method": "said",
    "reference": "full",
    "dimensions": [4, 8],
    "protocol": {"steps": 300},
}


def test_a_search_for_dimensions_is_read_alike() -> None:
    made = parse_intrinsic_study(DIMENSIONS)
    assert {length(spec.protocol) for spec in made.specs} == {("epochs", 5)}
    assert len(made.specs) == 3


BOTH = {"steps": 3, "epochs": 2}
ENTRY = {"method": "lora", "protocol": {"steps": 3}, "grid": {"protocol": {"epochs": [1]}}}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"protocol": BOTH}, "the study's protocol states steps=3 and epochs=2"),
        ({"tasks": [{"imdb": BOTH}]}, "the task imdb states"),
        ({"methods": [{"method": "lora", "protocol": BOTH}]}, "the method lora states"),
        ({"methods": [ENTRY]}, "the method lora states steps=3 and epochs=1"),
        (
            {"methods": [{"method": "lora", "grid": {"protocol": {"steps": [1], "epochs": [1]}}}]},
            "lora states",
        ),
        ({"tuning": {"trials": 2, "protocol": BOTH}}, "tuning's protocol states"),
        ({"tasks": [{"task": "imdb", "options": {"epochs": 3}}]}, "the task imdb has options"),
        ({"tasks": [{"task": "imdb", "grid": {"options": {"rank": [3]}}}]}, "the task imdb has options"),
    ],
)
def test_one_level_states_one_of_them(change: dict[str, Any], where: str) -> None:
    with pytest.raises(SpecError, match=where) as caught:
        study.parse_study(STUDY | change)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"protocol": BOTH}, "the study's protocol states"),
        ({"tasks": [{"imdb": BOTH}]}, "the task imdb states"),
        ({"method": {"said": {"dimension": 4}}}, "states dimension, which is what is searched"),
        (
            {"method": {"method": "said", "protocol": {"learning_rate": 0.1}}, "learning_rates": [0.1]},
            "states learning_rate beside learning_rates",
        ),
        ({"method": {"method": "said", "grid": {"protocol": {"steps": [4, 5]}}}}, "said has a grid"),
    ],
)
def test_nothing_of_a_search_for_dimensions_is_passed_over(change: dict[str, Any], where: str) -> None:
    with pytest.raises(SpecError, match=where) as caught:
        parse_intrinsic_study(DIMENSIONS | change)
    assert "\n" not in str(caught.value)


def test_rivals_are_settings_of_the_protocol() -> None:
    assert {key for pair in RIVALS for key in pair} <= set(Protocol.model_fields)


def test_costs_say_what_differs_as_protocols_do() -> None:
    content = STUDY | {
        "costs": {"latency_rounds": 50},
        "tasks": [{"task": "imdb", "costs": {"latency_length": 8}}, {"task": "mrpc", "costs": "none"}],
        "methods": ["full", {"method": "lora", "costs": {"latency_rounds": 20}}],
    }
    found = [spec.costs for spec in study.parse_study(content).specs]
    assert found == [
        CostSettings(latency_rounds=50, latency_length=8),
        CostSettings(latency_rounds=20, latency_length=8),
        None,
        CostSettings(latency_rounds=20),
    ]
    with pytest.raises(SpecError, match="latency_round"):
        study.parse_study(content | {"costs": {"latency_round": 5}})

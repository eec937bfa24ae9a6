"""No two trials of a study look alike."""

from __future__ import annotations

from typing import Any

import pytest

from runners.plan import study
from runners.plan.intrinsic import parse_intrinsic_study
from runners.plan.names import Names
from runners.plan.spec import TrialSpec

TRIALS = [name for name in study.built_in() if study.content(name).get("kind", "trials") == "trials"]


def names_of(made: study.Study) -> Names:
    return Names(made.specs, made.searches)


@pytest.mark.parametrize("name", TRIALS)
def test_every_trial_of_a_built_in_study_has_a_name_of_its_own(name: str) -> None:
    made = study.read_study(name)
    names, specs = names_of(made), made.specs
    specs = specs or tuple(spec for search in made.searches for spec in (search.default, *search.reported))
    assert len({names.trial(spec) for spec in specs}) == len(specs)


def test_rows_that_differ_in_a_seed_alone_share_their_name() -> None:
    made = study.read_study("claim-lora-alpha")
    names = names_of(made)
    rows = {names.row(spec) for spec in made.specs}
    assert len(rows) == len(made.specs) / len({spec.seed for spec in made.specs})
    assert "lora (alpha=16, rank=1, learning_rate=0.001)" in rows


def test_a_name_tells_what_differs_and_nothing_else() -> None:
    content: dict[str, Any] = {
        "name": "s",
        "tasks": [{"imdb": {"steps": 9}}, "rotten_tomatoes"],
        "protocol": {"batch_size": 4},
    }
    one = study.parse_study(content | {"methods": ["full", {"lora": {"rank": 2}}]})
    assert [names_of(one).trial(spec) for spec in one.specs] == [
        "imdb / full / seed 0",
        "imdb / lora / seed 0",
        "rotten_tomatoes / full / seed 0",
        "rotten_tomatoes / lora / seed 0",
    ]
    grid = {"method": "lora", "grid": {"protocol": {"train_examples": [64, None]}}}
    two = study.parse_study(content | {"methods": [grid], "models": ["embedded", "other"]})
    assert names_of(two).trial(two.specs[0]) == "embedded / imdb / lora (train_examples=64) / seed 0"
    assert names_of(two).trial(two.specs[1]) == "embedded / imdb / lora (train_examples=none) / seed 0"


def test_what_a_search_chooses_is_in_no_row_s_name() -> None:
    content: dict[str, Any] = {
        "name": "s",
        "tasks": ["imdb"],
        "methods": [{"lora": {"rank": 4}}, "lora", "head"],
        "protocol": {"steps": 9},
        "tuning": {"trials": 2, "steps_share": 0.5},
    }
    made = study.parse_study(content)
    names = names_of(made)
    stated, searched, head = made.searches
    assert [names.row(search.default) for search in made.searches] == ["lora (rank=4)", "lora", "head"]
    values = {"learning_rate": 0.002, "rank": 8}
    assert names.trial(searched.trials_at(values)[0]) == "imdb / lora / search at learning rate 0.002, rank 8"
    assert names.trial(searched.trials_at(values | {"rank": 2})[0]).endswith("learning rate 0.002, rank 2")
    assert names.trial(searched.best(values | {"rank": 16})[0]) == "imdb / lora / seed 0"
    assert names.trial(stated.best({"learning_rate": 0.1})[0]) == "imdb / lora (rank=4) / seed 0"
    assert names.trial(head.default) == "imdb / head / search at learning rate 0.01"
    twice = study.parse_study(content | {"tuning": {"trials": 2, "seeds": 2}})
    told = [names_of(twice).trial(spec) for spec in twice.searches[2].trials_at({"learning_rate": 0.01})]
    assert told == [f"imdb / head / search at learning rate 0.01, seed {seed}" for seed in (1000, 1001)]


def test_a_search_for_dimensions_names_dimension_and_rate() -> None:
    made = parse_intrinsic_study(study.content("intrinsic"))
    names = Names(made.specs)
    assert len({names.trial(spec) for spec in made.specs}) == len(made.specs)
    assert names.trial(made.searches[0].references[0]) == "rotten_tomatoes / full / seed 0"
    inside = made.searches[0].inside[16][0][0]
    assert names.trial(inside) == "rotten_tomatoes / said (dimension=16, learning_rate=0.1) / seed 0"


def test_a_trial_of_no_study_has_its_method_s_name() -> None:
    assert Names(()).trial(TrialSpec(model="embedded", task="imdb", method="lora")) == "imdb / lora / seed 0"

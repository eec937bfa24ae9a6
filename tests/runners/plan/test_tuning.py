"""What a study's `tuning` block means: the plan, before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest

from methods import MethodError
from reports.records.schema import SearchStep
from runners.plan import study, tuning
from runners.plan.errors import SpecError
from runners.plan.halving import brackets

SMALL: dict[str, Any] = {
    "name": "small",
    "tasks": ["rotten_tomatoes", "stsb"],
    "methods": ["full", "head", "lora"],
    "seeds": [0, 1],
    "protocol": {"steps": 20, "batch_size": 8},
    "tuning": {"trials": 5, "seed": 7, "protocol": {"steps": 10}},
}


def test_a_search_for_every_method_on_every_task() -> None:
    made = study.parse_study(SMALL)
    assert made.specs == ()
    assert made.settings == "tuned: 5 trials each, by halving"
    cells = [(search.default.task, search.default.method) for search in made.searches]
    assert cells[:4] == [
        ("rotten_tomatoes", "full"),
        ("rotten_tomatoes", "head"),
        ("rotten_tomatoes", "lora"),
        ("stsb", "full"),
    ]
    assert len(cells) == 6
    for search in made.searches:
        assert search.default.search
        assert search.default.halving
        assert search.brackets(80) == brackets(5, 80)
        assert (search.default.seed, search.default.protocol.steps) == (7, 10)
        assert search.default_values.keys() == search.space.keys()
        assert search.trials_at(search.default_values) == (search.default,)
        assert [spec.seed for spec in search.reported] == [0, 1]
        assert all(spec.protocol.steps == 20 and not spec.search for spec in search.reported)


def test_a_search_may_train_for_a_share_of_each_task_s_steps() -> None:
    asked = {"tuning": {"trials": 5, "steps_share": 0.5, "protocol": {"evaluate_every": 3}}}
    searches = study.parse_study(SMALL | asked | {"tasks": ["stsb", {"mrpc": {"steps": 31}}]}).searches
    assert {(s.default.task, s.default.protocol.steps) for s in searches} == {("stsb", 10), ("mrpc", 16)}
    assert searches[0].protocol == {"evaluate_every": 3, "steps": 10}
    same = study.parse_study(
        SMALL | {"tuning": {"trials": 5, "protocol": {"evaluate_every": 3, "steps": 10}}}
    )
    assert searches[0].default.trial_id == next(
        s.default.trial_id for s in same.searches if s.default.task == "stsb"
    )
    (epochs,) = study.parse_study(
        SMALL | asked | {"tasks": ["stsb"], "methods": ["lora"], "protocol": {"epochs": 3}}
    ).searches
    assert (epochs.default.protocol.steps, epochs.default.protocol.epochs) == (None, 1.5)
    assert epochs.reported[0].protocol.epochs == 3


def test_a_search_may_train_all_of_its_settings_whole() -> None:
    made = study.parse_study(SMALL | {"tuning": {"trials": 5, "halving": False}})
    assert made.settings == "tuned: 5 trials each"
    halved = study.parse_study(SMALL | {"tuning": {"trials": 5}})
    for whole, stopped in zip(made.searches, halved.searches, strict=True):
        assert whole.brackets(80) == brackets(5, 80, halving=False)
        # They are scored at other steps, so that another checkpoint may be the best: another trial.
        assert whole.default.trial_id != stopped.default.trial_id
        assert whole.reported == stopped.reported


def test_each_setting_may_be_trained_with_several_seeds() -> None:
    made = study.parse_study(SMALL | {"tuning": {"trials": 5, "seed": 7, "seeds": 3}})
    assert made.settings == "tuned: 5 settings of 3 seeds each, by halving"
    assert made.size.startswith("6 searches of 15 trials each")
    for search in made.searches:
        specs = search.trials_at(search.default_values)
        assert [spec.seed for spec in specs] == [7, 8, 9]
        assert specs[0] == search.default
        assert all(search.has(spec) for spec in specs)
        assert not search.has(specs[0].model_copy(update={"seed": 10}))
    with pytest.raises(SpecError, match="seed=1 is one of the study's seeds"):
        study.parse_study(SMALL | {"tuning": {"trials": 5, "seed": 0, "seeds": 2}, "seeds": [1]})


def test_without_tuning_settings_are_fixed() -> None:
    made = study.parse_study({key: value for key, value in SMALL.items() if key != "tuning"})
    assert made.settings == "fixed settings"
    assert made.searches == ()
    assert len(made.specs) == 12


def test_a_setting_goes_where_it_belongs() -> None:
    lora = study.parse_study(SMALL).searches[2]
    assert lora.default_values == {"learning_rate": 1e-3, "rank": 8}
    values = {"learning_rate": 0.005, "rank": 4}
    (tried,) = lora.trials_at(values)
    assert (tried.protocol.learning_rate, tried.options["rank"]) == (0.005, 4)
    assert tried.options["alpha"] == lora.default.options["alpha"]
    assert [(s.protocol.learning_rate, s.options["rank"], s.seed) for s in lora.best(values)] == [
        (0.005, 4, 0),
        (0.005, 4, 1),
    ]


def test_what_the_study_states_is_not_searched() -> None:
    stated = [{"lora": {"rank": 5}}, {"method": "prefix", "protocol": {"learning_rate": 0.003}}]
    lora, prefix = study.parse_study(SMALL | {"tasks": ["stsb"], "methods": stated}).searches
    assert set(lora.space) == {"learning_rate"}
    assert lora.default.options["rank"] == 5
    assert set(prefix.space) == {"length"}
    assert prefix.default.protocol.learning_rate == 0.003


GRID = {
    "full": {"learning_rate": ["3e-5", 0.0003, 0.003, 0.03]},
    "lora": {"learning_rate": [0.001, 0.01], "rank": [4, 16]},
}


def test_a_study_may_list_the_settings_of_a_method() -> None:
    asked = SMALL | {"tasks": ["stsb"], "tuning": {"trials": 4, "seed": 7, "seeds": 2, "grid": GRID}}
    full, head, lora = study.parse_study(asked).searches
    assert [values["learning_rate"] for values in full.grid] == [0.00003, 0.0003, 0.003, 0.03]
    assert [tuple(values.values()) for values in lora.grid] == [
        (0.001, 4),
        (0.001, 16),
        (0.01, 4),
        (0.01, 16),
    ]
    assert head.grid == ()  # its settings are suggested, as many
    for search in (full, lora):
        assert search.default_values == search.grid[0]
        assert all(values.keys() == search.space.keys() for values in search.grid)
        assert all(value in search.space[name] for values in search.grid for name, value in values.items())
        assert all(search.has(spec) for values in search.grid for spec in search.trials_at(values))
    # Prefix and the like keep a size that is not listed at what it is without a search.
    (rates,) = study.parse_study(
        asked
        | {"methods": ["lora"], "tuning": {"trials": 2, "grid": {"lora": {"learning_rate": [0.001, 0.01]}}}}
    ).searches
    assert {spec.options["rank"] for values in rates.grid for spec in rates.best(values)} == {8}
    # A trial is the same however its setting was found.
    suggested = study.parse_study(asked | {"tuning": {"trials": 4, "seed": 7, "seeds": 2}}).searches[2]
    assert lora.trials_at(lora.grid[2]) == suggested.trials_at(lora.grid[2])


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (4, "grid=4 is not valid"),
        ({"full": 4}, "grid.full=4 is not valid"),
        ({"full": {"learning_rate": 0.1}}, "learning_rate=0.1 is not valid"),
        ({"full": {}}, r"the grid of full is empty, expected learning_rate: \[0.001, 0.01\]"),
        ({"full": {"rate": [0.1, 0.2]}}, "the grid of full has no 'rate'"),
        ({"full": {"learning_rate": [0.1, -1]}}, "learning_rate=-1 is not valid"),
        ({"full": {"learning_rate": [0.1, None]}}, "learning_rate=None, expected a number above 0"),
        ({"full": {"learning_rate": [0.1, "0.10"]}}, "expected two different values or more"),
        (
            {"full": {"learning_rate": [0.1, 0.2, 0.3]}},
            "the grid of full has 3 settings, expected 2 as trials",
        ),
        (
            {"fll": {"learning_rate": [0.1, 0.2]}},
            "a grid of fll, which the study does not train; did you mean full",
        ),
        ({"lora": {"learning_rate": [0.1, 0.2]}}, "a grid of lora, which the study does not train"),
    ],
)
def test_a_grid_that_makes_no_sense_is_one_sentence(grid: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        study.parse_study(SMALL | {"methods": ["full"], "tuning": {"trials": 2, "seed": 7, "grid": grid}})
    assert "\n" not in str(caught.value)


def test_a_grid_lists_no_value_that_the_method_does_not_take_or_the_study_states() -> None:
    def asked(method: Any, values: Any) -> dict[str, Any]:
        tuned = {"trials": 2, "seed": 7, "grid": {"lora": values}}
        return SMALL | {"methods": [method], "tuning": tuned}

    with pytest.raises(MethodError, match="rank=0 is not valid"):
        study.parse_study(asked("lora", {"rank": [0, 4]}))
    with pytest.raises(SpecError, match="lists rank, which the study states"):
        study.parse_study(asked({"lora": {"rank": 8}}, {"rank": [4, 8]}))
    stated = {"method": "lora", "protocol": {"learning_rate": 0.01}}
    with pytest.raises(SpecError, match="lists learning_rate, which the study states"):
        study.parse_study(asked(stated, {"learning_rate": [0.1, 0.01]}))
    assert (
        study.parse_study(asked(stated, {"rank": [4, 8]})).searches[0].default.protocol.learning_rate == 0.01
    )


def test_trials_come_seed_by_seed_and_each_once() -> None:
    twice = [{"lora": {"rank": 8}}, "lora", "head"]
    with pytest.raises(SpecError, match="twice"):  # the same trial at the default setting
        study.parse_study(SMALL | {"methods": twice})
    searches = study.parse_study(SMALL | {"methods": [{"lora": {"rank": 4}}, "lora", "head"]}).searches
    values = [search.default_values for search in searches]
    order = [(s.task, s.seed, s.method, s.options.get("rank")) for s in tuning.in_order(searches, values)]
    assert order[:4] == [
        ("rotten_tomatoes", 0, "lora", 4),
        ("rotten_tomatoes", 0, "lora", 8),
        ("rotten_tomatoes", 0, "head", None),
        ("rotten_tomatoes", 1, "lora", 4),
    ]
    assert len(order) == 12
    values[1] = {"learning_rate": values[0]["learning_rate"], "rank": 4}
    assert len(tuning.in_order(searches, values)) == 10  # both searches found the same: one trial a seed


def test_the_best_is_the_earliest_among_equals_and_never_one_without_a_score() -> None:
    def steps(*scores: float | None) -> list[SearchStep]:
        return [
            SearchStep(
                values={"learning_rate": i}, score=s, status="completed" if s is not None else "diverged"
            )
            for i, s in enumerate(scores)
        ]

    search = study.parse_study(SMALL).searches[0]

    def chosen(*scores: float | None) -> int | None:
        best = search.best_of(steps(*scores))
        return None if best is None else best.values["learning_rate"]

    assert chosen(0.5, 0.7, 0.7) == 1
    assert chosen(None, -0.2, -0.3) == 1
    assert chosen(0.0, None) == 0
    assert chosen(None, None) is None


def test_the_best_is_one_of_those_that_were_trained_longest() -> None:
    search = study.parse_study(SMALL).searches[0]

    def at(rate: int, score: float | None, steps: int | None) -> SearchStep:
        status = "completed" if steps == 10 else "pruned" if steps else "diverged"
        return SearchStep(values={"learning_rate": rate}, score=score, status=status, steps=steps)

    stopped, whole, lost = at(0, 0.9, 5), at(1, 0.6, 10), at(2, None, None)
    assert search.best_of([stopped, whole, lost]) == whole
    assert search.best_of([at(0, 0.9, 3), at(1, 0.8, 5), lost]) == at(1, 0.8, 5)  # where the last one failed


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({}, "trials is missing"),
        ({6: 1}, "no option 6"),
        (6, "expected a mapping"),
        ([6], "expected a mapping"),
        ({"trials": 1}, "trials=1 is not valid"),
        ({"trials": "many"}, "trials='many' is not valid"),
        ({"trial": 6}, "did you mean trials"),
        ({"trials": 6, "seed": -1}, "seed=-1 is not valid"),
        ({"trials": 6, "seed": 1}, "seed=1 is one of the study's seeds"),
        ({"trials": 6, "protocol": {"stps": 1}}, "did you mean steps"),
        ({"trials": 6, "protocol": {"steps": 0}}, "steps=0 is not valid"),
        ({"trials": 6, "protocol": {"learning_rate": 0.1}}, "learning_rate, which is what is searched"),
        ({"trials": 6, "protocol": 4}, "protocol=4 is not valid"),
        ({"trials": 6, "halving": 4}, "halving=4 is not valid"),
        ({"trials": 6, "pruning": False}, "no option 'pruning'"),
        ({"trials": 6, "finalists": 0}, "finalists=0 is not valid"),
        ({"trials": 6, "finalists": 4}, "finalists=4 is not valid"),
        ({"trials": 6, "finalists": 2, "halving": False}, "finalists=2 with halving=False"),
        ({"trials": 6, "tolerance": -0.1}, "tolerance=-0.1 is not valid"),
        ({"trials": 6, "tolerance": 1}, "tolerance=1 is not valid"),
        (
            {"trials": 4, "tolerance": 0.01},
            "tolerance=0.01 where only one of 4 settings is trained to the end",
        ),
        ({"trials": 6, "steps_share": 0}, "steps_share=0 is not valid"),
        ({"trials": 6, "steps_share": 1.5}, "steps_share=1.5 is not valid"),
        ({"trials": 6, "steps_share": 0.5, "protocol": {"steps": 4}}, "steps_share and steps both say how"),
        ({"trials": 6, "steps_share": 0.5, "protocol": {"epochs": 4}}, "steps_share and epochs both say"),
    ],
)
def test_bad_blocks_are_one_sentence(block: Any, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        study.parse_study(SMALL | {"tuning": block})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "more", [{"trials": 4, "finalists": 2}, {"trials": 5}, {"trials": 2, "halving": False}]
)
def test_a_tolerance_is_taken_where_two_settings_are_trained_whole(more: dict[str, Any]) -> None:
    assert study.parse_study(SMALL | {"tuning": {**more, "tolerance": 0.01}}).searches


@pytest.mark.parametrize(
    ("stated", "listed"),
    [({"protocol": {"learning_rate": 0.001}}, {}), ({}, {"grid": {"lora": {"rank": [2, 4, 8, 16]}}})],
    ids=["stated", "not listed"],
)
def test_a_tolerance_needs_learning_rates_to_choose_from(
    stated: dict[str, Any], listed: dict[str, Any]
) -> None:
    tuning = {"trials": 4, "finalists": 2, **listed}
    asked = SMALL | {"methods": ["lora"], **stated}
    assert study.parse_study(asked | {"tuning": tuning}).searches
    with pytest.raises(SpecError, match=r"tolerance=0.01 takes the lowest .* all settings of lora have one"):
        study.parse_study(asked | {"tuning": {**tuning, "tolerance": 0.01}})


def test_every_method_gets_the_same_budget() -> None:
    longer = ["full", {"method": "lora", "protocol": {"steps": 30}}]
    with pytest.raises(SpecError, match=r"lora and full train on different numbers of examples .*expected"):
        study.parse_study(SMALL | {"methods": longer})
    with pytest.raises(SpecError, match="different numbers"):
        study.parse_study(SMALL | {"methods": ["full", {"method": "lora", "protocol": {"batch_size": 4}}]})
    study.parse_study(
        SMALL | {"tasks": [{"stsb": {"steps": 30}}, {"stsb": {"steps": 40}}]}
    )  # tasks may differ


def test_a_study_that_leaves_nothing_to_search_is_refused() -> None:
    with pytest.raises(SpecError, match="states all that could be searched of full, learning_rate among it"):
        study.parse_study(SMALL | {"protocol": {"learning_rate": 0.001}})
    with pytest.raises(MethodError, match="rank"):
        study.parse_study(SMALL | {"methods": [{"lora": {"rank": 0}}]})

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from methods import MethodError
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.intrinsic import parse_intrinsic_study
from runners.plan.latency_study import parse_latency_study
from runners.plan.serving_study import parse_serving_study
from tasks import TaskError

SMALL = {"name": "small", "tasks": ["rotten_tomatoes"], "methods": ["full", "lora"]}


def test_grid_and_order() -> None:
    made = study.parse_study(SMALL | {"seeds": [0, 1], "tasks": ["rotten_tomatoes", "imdb"]})
    cells = [(s.task, s.seed, s.method) for s in made.specs]
    assert len(cells) == 8
    assert cells[:3] == [
        ("rotten_tomatoes", 0, "full"),
        ("rotten_tomatoes", 0, "lora"),
        ("rotten_tomatoes", 1, "full"),
    ]


def test_three_ways_to_write_a_method() -> None:
    listed = [
        "full",
        {"lora": {"rank": 2}},
        {"method": "prefix", "options": {"length": 5}, "protocol": {"learning_rate": 0.01}},
    ]
    full, lora, prefix = study.parse_study(SMALL | {"methods": listed}).specs
    assert full.options == {}
    assert lora.options["rank"] == 2
    assert (prefix.options["length"], prefix.protocol.learning_rate) == (5, 0.01)


def test_a_method_may_be_written_as_on_the_command_line() -> None:
    typed = study.parse_study(SMALL | {"methods": ["lora:rank=4,target=query+value", "lora:rank=2"]})
    listed = [{"lora": {"rank": 4, "target": ["query", "value"]}}, {"lora": {"rank": 2}}]
    assert typed.specs == study.parse_study(SMALL | {"methods": listed}).specs
    with pytest.raises(MethodError, match="lora has no option 'rnk'; did you mean rank"):
        study.parse_study(SMALL | {"methods": ["lora:rnk=4"]})


def test_a_grid_is_every_combination_the_last_list_fastest() -> None:
    item = {
        "method": "lora",
        "options": {"alpha": 4},
        "grid": {"options": {"rank": [1, 2]}, "protocol": {"learning_rate": [0.1, 0.2], "steps": [5]}},
    }
    made = study.parse_study(SMALL | {"methods": ["full", item], "seeds": [0, 1]}).specs
    assert len(made) == 10
    cells = [(s.options["rank"], s.protocol.learning_rate) for s in made[1:5]]
    assert cells == [(1, 0.1), (1, 0.2), (2, 0.1), (2, 0.2)]
    assert {(s.options["alpha"], s.protocol.steps) for s in made[1:5]} == {(4, 5)}
    tasks = [{"task": "rotten_tomatoes", "grid": {"protocol": {"train_examples": [64, None]}}}]
    sizes = [
        s.protocol.train_examples
        for s in study.parse_study(SMALL | {"methods": ["full"], "tasks": tasks}).specs
    ]
    assert sizes == [64, None]


def test_a_claim_moves_no_trial() -> None:
    with_claim, without = study.parse_study(SMALL | {"claim": {"statement": "x"}}), study.parse_study(SMALL)
    assert with_claim == without


def test_differences_of_the_task_then_of_the_method_win() -> None:
    made = study.parse_study(
        SMALL
        | {
            "protocol": {"steps": 10, "batch_size": 4},
            "tasks": [{"rotten_tomatoes": {"steps": 20}}],
            "methods": ["full", {"method": "lora", "protocol": {"steps": 30}}],
        }
    )
    assert [s.protocol.steps for s in made.specs] == [20, 30]
    assert {s.protocol.batch_size for s in made.specs} == {4}


def test_data_of_the_command_line_wins() -> None:
    assert {s.data for s in study.parse_study(SMALL | {"data": "a"}).specs} == {"a"}
    assert {s.data for s in study.parse_study(SMALL | {"data": "a"}, data="b").specs} == {"b"}


@pytest.mark.parametrize("name", study.built_in())
def test_built_in_studies_are_valid(name: str) -> None:
    content = study.content(name)
    kinds = {
        **{"trials": study.parse_study, "latency": parse_latency_study},
        **{"serving": parse_serving_study, "intrinsic": parse_intrinsic_study},
    }
    parse: Any = kinds[content.get("kind", "trials")]
    made = parse(content)
    assert made.name == name
    assert made.title
    assert made.description


def test_the_demo_compares_nine_methods_offline() -> None:
    demo = study.read_study("demo")
    nine = "full head bitfit lora houlsby lin pfeiffer prefix prompt"
    assert [s.method for s in demo.specs] == nine.split()
    assert {s.model for s in demo.specs} == {"embedded"}
    assert {s.task for s in demo.specs} == {"rotten_tomatoes"}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"method": ["full"]}, SpecError, "did you mean methods"),
        (
            {"methods": [{"method": "lora", "grid": {"options": {"rank": []}}}]},
            SpecError,
            "no value for rank",
        ),
        ({"methods": [{"method": "lora", "grid": {"rank": [1]}}]}, SpecError, "grid.rank|'grid"),
        (
            {"methods": [{"method": "lora", "options": {"rank": 1}, "grid": {"options": {"rank": [2]}}}]},
            SpecError,
            "in its options and in its grid",
        ),
        ({"methods": []}, SpecError, "methods"),
        ({"methods": [3]}, SpecError, "expected a name"),
        ({"methods": [{"lora": 8}]}, SpecError, "expected a name"),
        ({"methods": [{"method": "lora", "option": {}}]}, SpecError, "did you mean options"),
        ({"methods": ["lora", "lora"]}, SpecError, "twice"),
        ({"methods": ["loraa"]}, MethodError, "lora"),
        ({"tasks": ["sst"]}, TaskError, "sst2"),
        ({"seeds": [-1]}, SpecError, "seed"),
        ({"seeds": "many"}, SpecError, "seeds='many'"),
        ({"name": "../up"}, SpecError, "name"),
        ({"protocol": {"stps": 1}}, SpecError, "did you mean steps"),
    ],
)
def test_bad_studies_are_one_sentence(change: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        study.parse_study(SMALL | change)
    assert "\n" not in str(caught.value)


def test_files(tmp_path: Path) -> None:
    good = tmp_path / "mine.yaml"
    good.write_text("tasks: [rotten_tomatoes]\nmethods: [full]\n")
    assert study.read_study(str(good)).name == "mine"
    good.write_text(
        "tasks: [rotten_tomatoes]\nmethods: [{houlsby: {init_std: 1e-2}}]\nprotocol: {learning_rate: 1e-3}"
    )
    (spec,) = study.read_study(str(good)).specs
    assert (spec.options["init_std"], spec.protocol.learning_rate) == (0.01, 0.001)
    bad = tmp_path / "bad.yaml"
    bad.write_text("tasks: [rotten_tomatoes\nmethods: full\n")
    with pytest.raises(SpecError, match=r"not valid YAML at line 2"):
        study.read_study(str(bad))
    bad.write_text("tasks: [imdb]\nmethods:\n  - lora: {rank: 1, rank: 2}\n")
    with pytest.raises(SpecError, match=r"bad.yaml .* line 3, column 21: the key 'rank' was given at line 3"):
        study.read_study(str(bad))
    bad.write_text("- a list\n")
    with pytest.raises(SpecError, match="expected a mapping"):
        study.read_study(str(bad))
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="UTF-8"):
        study.read_study(str(bad))
    with pytest.raises(SpecError, match="did you mean demo"):
        study.read_study("dmo")

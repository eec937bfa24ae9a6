from __future__ import annotations

import pytest
from pydantic import ValidationError

import methods
import tasks
from runners.plan.errors import SpecError
from runners.plan.spec import Protocol, TrialSpec


def spec(**changes: object) -> TrialSpec:
    return TrialSpec(**{"model": "embedded", "task": "rotten_tomatoes", "method": "lora"} | changes)


def test_resolves_options_and_learning_rate() -> None:
    made = spec(options={"rank": 4})
    defaults = {"alpha": 16.0, "dropout": 0.0, "target": ["query", "value"], "rank_stabilized": False}
    assert made.options == {"rank": 4} | defaults
    assert made.protocol.learning_rate == methods.get("lora").card.learning_rate


def test_same_content_same_id_however_it_is_written() -> None:
    assert (
        spec().trial_id == spec(options={"rank": 8, "target": "query,value"}, protocol={"epochs": 3}).trial_id
    )
    assert spec().trial_id == TrialSpec.model_validate_json(spec().model_dump_json()).trial_id
    assert len({spec(), spec(options={"rank": 8})}) == 1
    blocks = ([-1, 0, 2], "0,2,-1", ("0", "last:1", 2))
    assert (
        len({spec(options={"layers": written}) for written in blocks} | {spec(options={"layers": None})}) == 2
    )


def test_options_that_came_later_change_no_id() -> None:
    with_all = {"layers": None, "init": "kaiming", "b_rate": 1}
    assert spec(options=with_all).trial_id == spec().trial_id
    assert spec().options.keys() == {"rank", "alpha", "dropout", "target", "rank_stabilized"}
    assert (
        len(
            {
                spec(),
                *(
                    spec(options={key: value})
                    for key, value in (("layers", [0]), ("init", "pissa"), ("b_rate", 16))
                ),
            }
        )
        == 4
    )


def test_a_trial_is_the_same_wherever_its_data_lie() -> None:
    there = spec(data="folder")
    assert there.data == "folder"
    assert there.trial_id == spec().trial_id
    assert "data" not in there.model_dump()


def test_a_trial_of_a_search_is_another_trial_and_says_so() -> None:
    searching = spec(search=True)
    assert searching.trial_id != spec().trial_id
    assert spec(search=False).trial_id == spec().trial_id
    assert searching.label == "rotten_tomatoes / lora / search at 0.001"
    assert spec(seed=3).label == "rotten_tomatoes / lora / seed 3"
    other = spec(options={"rank": 4, "alpha": 16.0}, protocol={"learning_rate": 0.02})
    assert other.label == "rotten_tomatoes / lora (rank=4, learning_rate=0.02) / seed 0"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"task": "imdb"},
        {"model": "other"},
        {"method": "full"},
        {"options": {"rank": 9}},
        {"protocol": {"learning_rate": 0.5}},
        {"protocol": {"steps": 7}},
        {"protocol": {"scored_examples": 7}},
        {"rules": 1},
    ],
)
def test_every_field_decides_the_id(change: dict[str, object]) -> None:
    assert spec(**change).trial_id != spec().trial_id


def test_the_id_does_not_drift() -> None:
    # Records are found again by this id: a change here makes every published record unfindable.
    made = spec(protocol={"steps": 240, "learning_rate": 1e-3})
    assert made.trial_id == "39a6c849b64a5d524145d1bf74c6cb16e3ef92528521ef1100f6a300143bd1c1"
    # What was trained by the rules of before is found again as well: they evaluated every 80 steps.
    before = [TrialSpec(**dict(made) | {"rules": rules}) for rules in (1, 2)]
    assert [spec.protocol.evaluate_every for spec in before] == [80, 80]
    assert [spec.trial_id for spec in before] == [
        "6ee72ec2d1975a07f8bcea8cedd2995a9446d67504097561ec121b17f76a1bbd",
        "1e40a9391829890b25b9bf87f5dd35d8c49881f039a390efd7251bea284e3e72",
    ]


@pytest.mark.parametrize("name", ["steps", "quantization", "attention", "micro_batch", "evaluate_every"])
def test_none_may_be_written_as_it_is_called(name: str) -> None:
    assert spec(protocol={name: "none"}) == spec(protocol={name: None})


def test_is_frozen() -> None:
    with pytest.raises(ValidationError):
        spec().seed = 3


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"method": "loar"}, methods.MethodError, "did you mean lora"),
        ({"task": "rotten_tomato"}, tasks.TaskError, "rotten_tomatoes"),
        ({"options": {"rnk": 8}}, methods.OptionError, "did you mean rank"),
        ({"options": {"rank": 0}}, methods.OptionError, "rank=0"),
        ({"protocol": {"learning_rat": 1}}, SpecError, "did you mean learning_rate"),
        ({"protocol": {"steps": -1}}, SpecError, "steps=-1"),
        ({"protocol": {"learning_rate": float("nan")}}, SpecError, "learning_rate"),
    ],
)
def test_bad_input_is_one_sentence(change: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        spec(**change)
    assert "\n" not in str(caught.value)


def test_protocol_reads_numbers_as_yaml_writes_them() -> None:
    assert Protocol.parse({"learning_rate": "1e-3"}).learning_rate == 1e-3

"""Records against the code: counts in closed form, declared metrics; nothing of a record is opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import methods
from reports import read_record
from reports.records.schema import Record
from runners import models
from runners.share.validation import against_the_code

BOARD = Path(__file__).parents[3] / "reports" / "leaderboards" / "rotten-tomatoes"


def _spoiled(path: str, value: object, method: str = "lora") -> Record:
    (file,) = BOARD.glob(f"*--{method}--*")
    data = read_record(file).model_dump(mode="json")
    inner = data
    *parents, last = path.split(".")
    for part in parents:
        inner = inner[part]
    inner[last] = value
    return Record.model_validate_json(json.dumps(data))


@pytest.mark.parametrize("file", sorted(BOARD.glob("*.json")), ids=lambda file: file.name.split("--")[1])
def test_published_counts_are_those_of_the_closed_form(file: Path) -> None:
    found = against_the_code(read_record(file))
    assert (found.faults, found.skipped) == ([], [])


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("parameters.base", 1, "$.parameters.base is 1, but the closed form of lora on embedded is 22713216"),
        (
            "parameters.method",
            9,
            "$.parameters.method is 9, but the closed form of lora on embedded is 73728",
        ),
        (
            "parameters.stored",
            9,
            "$.parameters.stored is 9, but the closed form of lora on embedded is 73728",
        ),
        ("parameters.parts", {}, "$.parameters.parts.updates is missing, but the closed form says 73728"),
        ("parameters.head", 0, "$.parameters.head is 0, but the closed form of lora on embedded is 770"),
        ("spec.options.rank", 0, "$.spec.options: lora: rank=0 is not valid: input should be greater than"),
        (
            "spec.options.rank",
            4,
            "$.parameters.method is 73728, but the closed form of lora on embedded is 36864",
        ),
        ("spec.protocol.batch_size", 0, "$.spec.protocol: protocol: batch_size=0 is not valid"),
        ("spec.protocol.lr", 1, "$.spec.protocol: protocol has no option 'lr'"),
        ("task.version", 7, "$.task.version is 7, expected 1"),
        ("task.main_metric", "f1", "$.task.main_metric is 'f1', expected 'accuracy'"),
        ("task.metrics", [], "$.task.metrics are not those of rotten_tomatoes: expected accuracy"),
    ],
)
def test_one_sentence_per_fault(path: str, value: object, fault: str) -> None:
    assert any(said.startswith(fault) for said in against_the_code(_spoiled(path, value)).faults)


@pytest.mark.parametrize("name", ["/etc", "../secret", "some/model", "~/.ssh", "http://evil.example"])
def test_a_model_that_is_not_known_is_neither_opened_nor_fetched(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a record's text was looked up")

    monkeypatch.setattr(models, "location", refuse)
    found = against_the_code(_spoiled("spec.model", name))
    assert found.faults == []
    assert found.skipped[0].startswith(f"$.parameters: the architecture of {name!r} is not known offline")


def test_unknown_methods_and_tasks_are_told_as_such() -> None:
    assert against_the_code(_spoiled("spec.method", "magic")).skipped == [
        "$.parameters: this version of Paretune has no method 'magic'"
    ]
    assert against_the_code(_spoiled("spec.task", "magic")).skipped == [
        "$.task: this version of Paretune has no task 'magic'"
    ]


@pytest.mark.parametrize(("method", "option"), [("prompt", "length"), ("lora", "rank"), ("prefix", "hidden")])
def test_huge_options_allocate_nothing(method: str, option: str) -> None:
    found = against_the_code(_spoiled(f"spec.options.{option}", 2**62, method))
    assert found.faults[0].startswith("$.spec.options: ")


@pytest.mark.parametrize(("name", "options"), [("said", {}), ("did", {"head": "beside"}), ("bitfit", {})])
def test_the_head_is_counted_as_the_method_treats_it(name: str, options: dict[str, str]) -> None:
    adapted = methods.apply(models.skeleton("embedded", 2), name, **options)
    counts = adapted.parameter_counts()
    data = _spoiled("spec.method", name).model_dump(mode="json")
    data["spec"]["options"] = adapted.options.model_dump(mode="json")
    data["parameters"] |= {key: counts[key] for key in ("base", "method", "head", "trainable")}
    data["parameters"] |= {"parts": adapted.parts(), "stored": adapted.stored_count()}
    assert against_the_code(Record.model_validate_json(json.dumps(data))).faults == []
    data["parameters"]["head"] += 1
    (fault,) = against_the_code(Record.model_validate_json(json.dumps(data))).faults
    assert fault.startswith("$.parameters.head is ")

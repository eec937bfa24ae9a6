"""A trial of a task that is scored by the text that is written, from its spec to its record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import pytest
import torch

from reports.records.checks import check_record
from reports.records.consistency import arithmetic_faults
from reports.records.identity import identity
from reports.records.schema import Record
from runners.errors import ModelError
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.plan.study import read_study
from runners.trials import adapting, costing, prompted
from runners.trials.trial import lost, run_trial
from runners.work import checking, feasible
from tests.runners.folders import writer

WORDS = {"a": "t40", "b": "t41", "c": "t42", "d": "t43"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Inputs of two words that are to be written in the other order, with two references each."""
    folder = tmp_path_factory.mktemp("data")
    for split, numbers in (("train", range(44, 80, 2)), ("test", range(45, 57, 2))):
        rows = [(f"t{i} t{i - 3}", f"t{i - 3} t{i} t{end}") for i in numbers for end in (60, 61)]
        columns = dict(
            zip(("meaning_representation", "human_reference"), zip(*rows, strict=True), strict=True)
        )
        pandas.DataFrame(columns).to_parquet(folder / f"{split}-0.parquet")
    return str(folder)


@pytest.fixture(scope="module", params=["llama", "t5"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return writer(tmp_path_factory.mktemp(request.param), request.param)


def spec(model: str, data: str, **changes: Any) -> TrialSpec:
    protocol = {"steps": 60, "batch_size": 16, "evaluate_every": 30, "generation": {"longest": 6}}
    protocol |= {"learning_rate": 5e-3, "scored_examples": 4} | changes.pop("protocol", {})
    given = {"model": model, "task": "e2e", "data": data, "method": "full", "protocol": protocol}
    return TrialSpec(**(given | {"costs": None} | changes))


def test_a_trial_is_trained_and_scored_by_what_is_written(model: str, data: str) -> None:
    record = run_trial(spec(model, data))
    assert record.status == "completed", record.message
    check_record(record)
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert record.task is not None
    assert record.scores is not None
    assert record.task.sizes.model_dump() == {"train": 32, "selection": 2, "report": 4}
    assert [point.step for point in record.curve] == [30, 60]
    assert record.curve[1].train_loss < record.curve[0].train_loss
    assert (
        record.scores.report.keys() == record.scores.majority.keys() == {"bleu", "nist", "rouge_l", "cider"}
    )
    assert record.scores.report["rouge_l"] > record.scores.majority["rouge_l"]
    # A trial of a search is the same training, and scores what selects alone.
    searched = run_trial(spec(model, data, search=True))
    assert searched.curve == record.curve
    assert searched.scores is not None
    assert searched.scores.selection == record.scores.selection
    assert searched.scores.report == {}


def test_a_base_in_few_bits_keeps_its_output_layer_whole(model: str, data: str) -> None:
    asked = spec(
        model, data, method="lora", protocol={"quantization": "nf4", "steps": 2, "evaluate_every": 2}
    )
    found = adapting.adapt(asked, asked.declared).model
    output = found.get_output_embeddings()
    packed = [type(module).__name__ for module in found.modules() if type(module).__name__.endswith("4bit")]
    assert packed
    assert type(output) is torch.nn.Linear
    feasible.check([asked])
    record = run_trial(asked)
    assert record.status == "completed", record.message


def test_what_writing_costs_is_measured_and_what_was_forgotten(
    model: str, data: str, brief: dict[str, Any], tmp_path: Path
) -> None:
    general = tmp_path / "general.txt"
    general.write_text("\n\n".join(f"t{i} t{i + 3} t{i + 1} t{90 - i}" for i in range(40, 52)))
    costs = {**brief, "forgetting": str(general), "forgetting_texts": 10}
    brief_training = {"protocol": {"steps": 2, "evaluate_every": 2}}
    asked = spec(model, data, method="lora", costs=costs, **brief_training)
    record = run_trial(asked)
    assert record.gaps == {}
    assert list(arithmetic_faults(record)) == []
    pair = record.model is not None and record.model.architecture == "t5"
    assert None not in (record.memory, record.decoding, record.serving, record.checkpoint_bytes)
    assert (record.latency, record.compute is None, record.forgetting is None) == (None, pair, pair)
    assert record.decoding is not None
    assert (record.decoding.prompt_length, record.decoding.written_tokens) == (5, 3)
    assert record.decoding.merge_logit_difference is not None
    assert record.decoding.cache_bytes == record.decoding.base_cache_bytes
    if pair:
        return
    # What was forgotten is each seed's own; all other costs are those of one seed.
    seed = asked.model_copy(update={"seed": 1})
    other = run_trial(seed, costs_from=record.trial_id)
    assert (other.costs_from, other.gaps, other.decoding) == (record.trial_id, {}, None)
    assert list(arithmetic_faults(other)) == []
    assert other.forgetting != record.forgetting
    # Measured afterwards they are as told before, but for what needs the weights that were trained.
    waiting = costing.awaiting(other.model_copy(update={"forgetting": None, "costs_from": None}), seed)
    assert waiting.gaps.keys() == {"memory", "compute", "decoding", "serving", "forgetting"}
    filled = costing.fill(waiting, seed, tmp_path)
    assert filled.gaps.keys() == {"forgetting"}
    assert "train again" in filled.gaps["forgetting"]
    assert filled.memory == record.memory
    assert filled.decoding is not None
    assert filled.decoding.cache_bytes == record.decoding.cache_bytes


def test_settings_of_writing_are_part_of_what_writes_alone(model: str, data: str) -> None:
    assert spec(model, data, protocol={"generation": None}).protocol.generation is not None
    assert (
        spec(model, data, protocol={"generation": None}).trial_id
        == spec(model, data, protocol={"generation": {}}).trial_id
    )
    with_it = {
        "model": "embedded",
        "task": "sst2",
        "method": "lora",
        "protocol": {"generation": {"beams": 2}},
    }
    without = {**with_it, "protocol": {}}
    assert TrialSpec(**with_it).trial_id == TrialSpec(**without).trial_id
    for protocol, message in (
        ({"generation": {"beam": 2}}, "beam"),
        ({"generation": {"beams": 0}}, "beams=0"),
    ):
        with pytest.raises(SpecError, match=message):
            spec(model, data, protocol=protocol)


def test_what_cannot_write_is_refused_before_the_first_trial(model: str, data: str) -> None:
    checking.check_writing(model, [spec(model, data)])
    with pytest.raises(SpecError, match="cannot be trained with head"):
        checking.check_writing(model, [spec(model, data, method="head")])
    with pytest.raises(ModelError, match="writes no text"):
        checking.check_writing("embedded", [spec("embedded", data)])
    said = r"texts of 6 tokens are longer than the 4 positions|prompts of -2 tokens .* leave nothing to read"
    with pytest.raises(ModelError, match=said):
        prompted.form(spec(model, data), limit=4)


def test_a_record_from_before_text_was_written_is_of_the_same_setting() -> None:
    now = lost(TrialSpec(model="embedded", task="sst2", method="lora"), "ended")
    protocol = {key: value for key, value in now.spec["protocol"].items() if key != "generation"}
    before = now.model_copy(update={"spec": {**now.spec, "protocol": protocol}})
    assert identity(before) == identity(now)
    assert identity(before).variant == identity(now).variant


def test_own_data_are_written_too(model: str, tmp_path: Path) -> None:
    rows = [{"q": f"t{i} t{i - 3}", "a": f"t{i - 3} t{i}"} for i in range(44, 80)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    own = {
        "name": "turned",
        "file": "rows.jsonl",
        "text": "q",
        "target": "a",
        "metric": ["exact_match", "rouge_l"],
    }
    content = {"name": "s", "models": [model], "tasks": [{**own, "template": {"joint": " t39 "}}]}
    protocol = {"steps": 4, "batch_size": 8, "generation": {"longest": 4}}
    content |= {"methods": ["lora"], "protocol": protocol, "costs": "none"}
    (tmp_path / "s.yaml").write_text(json.dumps(content))
    (asked,) = read_study(str(tmp_path / "s.yaml")).specs
    assert asked.declared.written_as.joint == " t39 "
    assert TrialSpec(**asked.model_dump(mode="json")).trial_id == asked.trial_id
    record = run_trial(asked)
    assert record.status == "completed", record.message
    check_record(record)
    assert record.scores is not None
    assert list(record.scores.report) == ["exact_match", "rouge_l"]
    assert record.task is not None
    assert record.task.origin == "own data"

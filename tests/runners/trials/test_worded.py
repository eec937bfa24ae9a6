"""A classification that a model answers to by the likeliest of its label words."""

from __future__ import annotations

from typing import Any

import pandas
import pytest
import torch

import tasks
from reports.records.answers import unpacked
from reports.records.checks import check_record
from reports.records.schema import Record
from runners import device
from runners.errors import ModelError
from runners.plan.errors import SpecError
from runners.plan.spec import TrialSpec
from runners.plan.study import parse_study
from runners.trials import adapting, kinds
from runners.trials.trial import run_trial
from runners.work import checking
from runners.writing import batches
from tests.methods.conftest import build
from tests.runners.folders import word_tokenizer

LABELS = ["t40", "t41"]


@pytest.fixture(scope="module", params=["llama", "t5"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp(request.param)
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0}
    build(request.param, "seq2seq" if request.param == "t5" else "causal", **ids).save_pretrained(folder)
    word_tokenizer(pad_token="t0", bos_token="t1", eos_token="t2", unk_token="t3").save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Texts whose last word tells the label."""
    folder = tmp_path_factory.mktemp("data")
    for split, numbers in (("train", range(50, 80)), ("test", range(80, 96))):
        rows = [(f"t{i} t{i % 7 + 20} t{30 + i % 2}", LABELS[i % 2]) for i in numbers]
        pandas.DataFrame(rows, columns=["text", "label"]).to_csv(folder / f"{split}.csv", index=False)
    files = {name: str(folder / f"{file}.csv") for name, file in (("train", "train"), ("report", "test"))}
    return {"name": "mine", "text": "text", "label": "label", **files}


def spec(model: str, task: dict[str, Any] | str, **changes: Any) -> TrialSpec:
    protocol = {
        "steps": 60,
        "batch_size": 8,
        "evaluate_every": 30,
        "learning_rate": 1e-2,
        "text_to_text": True,
    }
    content = {"name": "s", "models": [model], "tasks": [task], "methods": ["full"], "costs": "none"}
    return parse_study({**content, "protocol": {**protocol, **changes}}).specs[0]


def test_a_trial_answers_with_the_likeliest_word(model: str, task: dict[str, Any]) -> None:
    asked = spec(model, task)
    assert asked.costs is None
    assert asked.protocol.generation is None
    record = run_trial(asked)
    assert record.status == "completed", record.message
    check_record(record)
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert record.scores is not None
    assert record.answers is not None
    assert record.scores.report["accuracy"] > record.scores.majority["accuracy"]  # type: ignore[operator]
    answers, labels = unpacked(record.answers)
    assert (answers == labels).mean() == pytest.approx(record.scores.report["accuracy"])


def test_the_answer_is_the_word_whose_loss_is_least(model: str, task: dict[str, Any]) -> None:
    """By transformers' own loss of every word alone, which is a mean over its tokens."""
    asked = spec(model, task)
    adapted = adapting.adapt(asked, asked.declared)
    kind = kinds.of(asked)(asked, device.accelerator(), adapted)
    found = kind.report().answers
    assert found is not None
    answers, _ = unpacked(found)
    rows, words, form = kind.reported.rows, kind.form.words(), kind.form  # type: ignore[attr-defined]
    adapted.model.eval()
    for row in range(len(rows)):
        losses = []
        for word in range(len(words)):
            batch = batches.training(batches.with_word(rows, words, word), [row], form)
            with torch.no_grad():
                losses.append(float(adapted.model(**batch).loss) * len(words[word]))
        assert answers[row] == min(range(len(losses)), key=losses.__getitem__)


def test_what_words_cannot_answer_is_refused_before_the_first_trial(
    model: str, task: dict[str, Any], glue_folder: str
) -> None:
    checking.check_writing(model, [spec(model, task)])
    same = TrialSpec(model=model, task="cola", method="full", protocol={"text_to_text": True})
    words = [repr(word) for word in tasks.get("cola").written_as.words]
    with pytest.raises(ModelError, match=f"{words[0]} and {words[1]} of cola are the same tokens"):
        checking.check_writing(model, [same])
    with pytest.raises(SpecError, match="stsb is a regression, whose answers are not words"):
        TrialSpec(model=model, task="stsb", method="full", protocol={"text_to_text": True})
    with pytest.raises(SpecError, match="cannot be trained with head"):
        checking.check_writing(
            model, [spec(model, task).model_copy(update={"method": "head", "options": {}})]
        )


def test_what_writes_already_is_not_asked_for_words() -> None:
    given = {"model": "embedded", "task": "e2e", "method": "lora"}
    assert TrialSpec(**given).trial_id == TrialSpec(**given, protocol={"text_to_text": True}).trial_id
    assert (
        TrialSpec(**{**given, "task": "sst2"}).trial_id
        != TrialSpec(**{**given, "task": "sst2"}, protocol={"text_to_text": True}).trial_id
    )

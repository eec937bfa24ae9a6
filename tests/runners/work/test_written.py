"""Of trials that write, what is planned is what a run then does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest

from runners import device
from runners.plan.study import Study, parse_study
from runners.trials import adapting
from runners.trials.trial import run_trial
from runners.work import reading
from runners.work.forecast import forecast
from tests.runners.folders import writer

LABELS = ["t40", "t41"]


@pytest.fixture(scope="module", params=["llama", "t5"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return writer(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Inputs of one to four words, and targets of two or three."""
    folder = tmp_path_factory.mktemp("pairs")
    for split, numbers in (("train", range(40, 64)), ("test", range(64, 70))):
        rows = [
            (" ".join(f"t{i}" for _ in range(1 + i % 4)), f"t{i} t{i - 3}" + " t9" * (i % 2)) for i in numbers
        ]
        columns = ["meaning_representation", "human_reference"]
        pandas.DataFrame(rows, columns=columns).to_parquet(folder / f"{split}-0.parquet")
    return str(folder)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("labels")
    for split, numbers in (("train", range(50, 70)), ("test", range(80, 90))):
        rows = [(f"t{i} t{30 + i % 2}", LABELS[i % 2]) for i in numbers]
        pandas.DataFrame(rows, columns=["text", "label"]).to_csv(folder / f"{split}.csv", index=False)
    files = {name: str(folder / f"{file}.csv") for name, file in (("train", "train"), ("report", "test"))}
    return {"name": "mine", "text": "text", "label": "label", **files}


def study(model: str, task: Any, **changes: Any) -> Study:
    protocol = {"steps": 4, "batch_size": 5, "evaluate_every": 2, "learning_rate": 1e-3}
    protocol |= changes.pop("protocol", {})
    content = {"name": "s", "models": [model], "tasks": [task], "methods": ["lora"], "costs": "none"}
    return parse_study({**content, "protocol": protocol, **changes})


def test_what_is_written_is_planned_as_it_is_run(
    model: str, pairs: str, brief: dict[str, object], tmp_path: Path
) -> None:
    writing = {"protocol": {"generation": {"longest": 7, "beams": 2}}, "data": pairs}
    made = study(model, "e2e", **writing, costs=brief)
    found = forecast(made, tmp_path)
    (row,) = found.rows
    assert (row.trials, row.missing, row.examples) == (1, 1, 20)
    assert all(row.seconds[stage] > 0 for stage in ("loading", "training", "evaluation", "scoring", "costs"))
    assert row.peak_bytes
    assert any("to the limit of 7 tokens" in sentence for sentence in found.assumed)
    (spec,) = study(model, "e2e", **writing).specs
    read = reading.of(spec, adapting.adapt(spec, spec.declared))
    record = run_trial(spec)
    assert record.training is not None
    assert record.task is not None
    assert read.evaluate_at == tuple(point.step for point in record.curve)
    assert read.steps * read.training.rows == record.training.examples
    if "llama" in model:  # an encoder-decoder's length is the mean of two
        assert read.training.length == round(record.training.mean_length)
    assert read.selection.batches * read.selection.rows == record.task.sizes.selection
    assert read.report.batches * read.report.rows == record.task.sizes.report
    assert (read.selection.targets, read.written) == (1, 7)


def test_words_are_planned_as_a_pass_for_each(model: str, task: dict[str, Any], tmp_path: Path) -> None:
    words = {"protocol": {"text_to_text": True}}
    (row,) = forecast(study(model, task, **words), tmp_path, quick=True).rows
    assert (row.missing, row.examples) == (1, 20)
    assert all(row.seconds[stage] > 0 for stage in ("training", "evaluation", "scoring"))
    (spec,) = study(model, task, **words).specs
    read = reading.of(spec, adapting.adapt(spec, spec.declared))
    assert (read.written, read.report.batches * read.report.rows) == (0, 10 * len(LABELS))


def test_without_a_timed_token_a_text_takes_longer_the_longer_it_may_be(
    model: str, pairs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runners.measure import machine

    here = machine.measure(device.local())
    monkeypatch.setattr(machine, "measure", lambda *_, **__: here)
    taken = []
    for longest in (4, 8, 12):
        changes = {"protocol": {"generation": {"longest": longest}}, "data": pairs}
        (row,) = forecast(study(model, "e2e", **changes), tmp_path, quick=True).rows
        taken.append(row.seconds["scoring"])
    assert taken[2] - taken[1] == pytest.approx(taken[1] - taken[0])
    assert taken[1] > taken[0]

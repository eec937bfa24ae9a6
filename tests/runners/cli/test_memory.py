from __future__ import annotations

import json
from pathlib import Path

import pytest

import methods
from runners.cli.memory import COLUMNS
from runners.cli.options import out

from ..command import paretune

SIZES = {"model_type": "gpt2", "n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 90, "n_positions": 40}


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SIZES))
    return str(path)


def test_every_method_is_predicted_unless_named(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("memory", small, "--batch", "2", "--length", "30", "--predict", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["batch_size"], found["sequence_length"], found["dtype"]) == (2, 30, "float32")
    assert found["objective"] == "classification"
    # 20 prompt tokens and 30 of the user's are more than 40: said, and no reason to stop.
    assert [row["method"] for row in found["methods"]] == [n for n in methods.names() if n != "prompt"]
    assert "takes at most 20 tokens" in found["unfit"]["prompt"]
    for row in found["methods"]:
        assert row.keys() == {"method", "predicted", "training_deviation", "inference_deviation"}
        assert row["predicted"]["how"] == "fake_tensors"
        assert row["training_deviation"] is None


def test_measured_beside_predicted(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [small, "--method", "lora:rank=2,target=query+key", "--batch", "2", "--length", "8"]
    assert paretune("memory", *arguments, "--predict", "--measure", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["methods"]
    assert row["method"] == "lora rank=2 target=query+key"
    assert row["measured"]["how"] == "tensors"
    assert row["measured"]["checkpoint_bytes"] == 4 * (2 * 2 * 2 * (32 + 32) + 2 * 32)
    assert abs(row["training_deviation"]) < 0.03
    assert abs(row["inference_deviation"]) < 0.03

    assert paretune("memory", *arguments, "--predict", "--measure") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in ("measured", "predicted")] == ["measured", "predicted"]
    assert sum(line.startswith("lora") for line in lines) == 2
    assert lines[-1] == "Training peak, predicted beside measured: lora rank=2 target=query+key +0.00%."


def test_numbers_and_names_are_whole_in_eighty_columns(
    small: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(out, "width", 80)
    arguments = [small, "--method", "full", "--method", "houlsby", "--batch", "32", "--length", "40"]
    assert paretune("memory", *arguments, "--predict", "--measure") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for method in ("full", "houlsby"):
        rows = [line.split() for line in lines if line.split()[:1] == [method]]
        assert len(rows) == 2
        for row in rows:
            assert len(row) == 1 + 2 * len(COLUMNS)
            assert set(row[2::2]) <= {"B", "kB", "MB", "GB"}


def test_the_table_of_what_is_measured(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("memory", small, "--method", "full", "--batch", "1", "--length", "8") == 0
    shown = capsys.readouterr().out
    assert "1 x 8 tokens, float32, classification" in shown
    assert "optim." in shown
    (row,) = (line for line in shown.splitlines() if line.startswith("full"))
    weights, gradients, state = row.split()[1:6:2]
    assert weights == gradients == "119"
    assert state == "238"


def test_language_modelling_leaves_nothing_to_a_head(
    small: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(methods, "names", lambda: ("head", "lora"))
    arguments = [small, "--batch", "2", "--length", "8", "--predict", "--objective", "language-modeling"]
    assert paretune("memory", *arguments) == 0
    shown = capsys.readouterr().out
    assert "language modelling" in shown
    assert "no task head, head has nothing to train" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["embedded", "--method", "lra"], "did you mean lora"),
        (["embedded", "--method", "lora:rank"], "expected KEY=VALUE"),
        (["embedded", "--length", "600", "--method", "lora"], "takes at most 512 tokens"),
        (["./nowhere"], "there is no model at './nowhere'"),
        (["embedded", "--dtype", "int8"], "there is no dtype 'int8'"),
        (["embedded", "--objective", "regression"], "no head for regression"),
        (["gpt3-175b", "--method", "lora"], "predict it instead"),
    ],
)
def test_bad_input_is_one_sentence_and_code_two(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paretune("memory", *arguments) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == ""
    assert len(shown.err.strip().splitlines()) == 1

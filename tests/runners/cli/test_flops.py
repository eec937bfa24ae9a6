"""What the command prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import DebertaV2Config, PretrainedConfig, T5Config

from runners.cli.flops import show
from runners.cli.options import out
from runners.measure.flops import report
from runners.plan.contenders import Choice

SIZES = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
CONTENDERS = [Choice("head", "head", {}), Choice("small", "lora", {"rank": 1})]


def test_a_row_for_each_contender(tiny_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(tiny_model, CONTENDERS, 2, 8)
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split()[0] in ("head", "small")}
    found = report(tiny_model, "lora", {"rank": 1}, 2, 8)
    assert rows["small"] == [
        f"{found.forward_flops / 1e9:.3f}",
        f"{found.forward_flops / found.base_forward_flops:.3f}",
        f"{found.training_step_flops / 1e9:.3f}",
        f"{found.training_step_flops / found.base_training_step_flops:.3f}",
        "equal",
    ]
    assert rows["head"][1] == "1.000"


def test_settings_are_told_apart_in_eighty_columns(
    tiny_model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(out, "width", 80)
    targets = ["query+key+value+output+up", "query+key+value+output+down"]
    names = [f"lora rank=8 target={target}" for target in targets]
    show(tiny_model, [Choice(name, "head", {}) for name in names], 2, 8)
    shown = capsys.readouterr().out
    assert all(target in shown for target in targets)


def test_json(tiny_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    show(tiny_model, CONTENDERS, 2, 8, json_=True)
    head, small = json.loads(capsys.readouterr().out)
    assert (head["method"], small["method"]) == ("head", "small")
    assert small["forward_flops"] == report(tiny_model, "lora", {"rank": 1}, 2, 8).forward_flops
    assert small["counted"] == small["closed_form"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (DebertaV2Config(**SIZES, intermediate_size=48), "none"),
        (T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=99), "cannot count"),
    ],
)
def test_one_of_the_two_is_missing(
    config: PretrainedConfig, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.save_pretrained(tmp_path)
    show(str(tmp_path), [Choice("head", "head", {})], 1, 4)
    assert words in capsys.readouterr().out.splitlines()[-1]

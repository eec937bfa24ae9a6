"""Every option of `paretune run` and `paretune plan` beside every kind of study."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from reports import yaml_text
from runners.cli import app as cli
from runners.cli import asked
from runners.plan.errors import SpecError

from ..command import paretune

TRIALS = {"name": "mine", "tasks": ["rotten_tomatoes"], "methods": ["head"], "protocol": {"steps": 2}}
STUDIES: dict[str, dict[str, Any]] = {
    asked.TRIALS: TRIALS,
    asked.TUNED: TRIALS | {"tuning": {"trials": 2}},
    asked.LATENCY: {
        **{"kind": "latency", "name": "mine", "methods": ["lora"], "cells": [{"batch": 1, "length": 8}]},
    },
    asked.SERVING: {
        **{"kind": "serving", "name": "mine", "methods": ["lora"]},
        **{"tasks": [2], "batch": [1], "length": [8]},
    },
    asked.INTRINSIC: {
        **{"kind": "intrinsic", "name": "intrinsic-mine", "tasks": ["rotten_tomatoes"], "method": "said"},
        **{"reference": "full", "dimensions": [4, 8]},
    },
    asked.CLAIM: TRIALS | {"claim": {}},
}
VALUES = {
    **{"--model": "embedded", "--limit": "8", "--only": "seed=0", "--part": "1/1", "--data": "nowhere"},
    **{"--checkpoint-every": "5", "--workers": "1", "--executor": "local", "--address": "auto"},
    **{"--cpus-per-trial": "1", "--seeds": "2", "--gpus-per-trial": "1", "--out": "out"},
}
COMMANDS = {name: get_command(cli.app).commands[name] for name in ("run", "plan")}  # type: ignore[attr-defined]
OPTIONS = {
    name: [parameter.opts[0] for parameter in command.params if parameter.param_type_name == "option"]
    for name, command in COMMANDS.items()
}
OF_A_CLUSTER = ("--address", "--cpus-per-trial", "--gpus-per-trial")


def test_the_table_has_every_option() -> None:
    assert {option for options in OPTIONS.values() for option in options} == {*asked.APPLIES, *asked.TYPED}
    assert set(STUDIES) == set(asked.KINDS)


@pytest.mark.parametrize("kind", asked.KINDS)
def test_a_study_is_of_its_kind(kind: str) -> None:
    assert kind in asked.kinds(STUDIES[kind])


@pytest.mark.parametrize(("kind", "option"), [*itertools.product(asked.KINDS, asked.APPLIES)])
def test_an_option_is_refused_where_it_says_nothing(
    kind: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the table, and by the commands that have the option."""
    content = STUDIES[kind]
    if kind in asked.APPLIES[option]:
        asked.check(content, [option])
        return
    with pytest.raises(SpecError, match=f"leave out {option}[.]"):
        asked.check(content, [option])
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(yaml_text.dump(content))
    for command in COMMANDS:
        if option in OPTIONS[command] and option not in OF_A_CLUSTER:  # refused without one before
            assert paretune(command, "mine.yaml", option, *filter(None, [VALUES.get(option)])) == 2
            said = capsys.readouterr().err
            assert option in said
            assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_claim_on_latency_takes_what_both_take() -> None:
    both = STUDIES[asked.LATENCY] | {"claim": {}}
    asked.check(both, ["--out", "--json", "--dry-run"])
    with pytest.raises(SpecError, match="leave out --data and --retry"):
        asked.check(both, ["--data", "--retry"])

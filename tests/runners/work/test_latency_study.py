from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import methods
from reports import yaml_text
from reports.records.latency_files import read_latencies
from runners.measure.comparison import Comparison
from runners.plan import study
from runners.plan.claims import read_claim
from runners.plan.errors import SpecError
from runners.plan.latency_study import parse_latency_study
from runners.work import claims, latency_study, shelf

from ..command import paretune


def content(model: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "latency",
        "name": "quick",
        "model": model,
        "methods": ["lora", {"lin": {"bottleneck": 3}}],
        "cells": [{"batch": 2, "length": 8}, {"batch": 1, "length": 4}],
        "width": 0.5,
        "seconds": 0.3,
    } | changes


def test_measures_small_inputs_first_and_then_only_what_is_missing(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = parse_latency_study(content(tiny_model))
    said: list[str] = []
    records = latency_study.run(made, tmp_path, say=said.append)
    assert [(r.batch_size, r.sequence_length) for r in records] == [(1, 4), (2, 8)]
    assert len(list(tmp_path.glob("*.latency.json"))) == 2
    monkeypatch.setattr(Comparison, "measure", lambda *_, **__: pytest.fail("measured again"))
    assert latency_study.run(made, tmp_path, say=said.append) == records == read_latencies(tmp_path)
    assert said == []


def test_what_does_not_fit_the_time_is_left_out_and_said(tiny_model: str, tmp_path: Path) -> None:
    made = parse_latency_study(content(tiny_model, total_seconds=0.001))
    said: list[str] = []
    assert len(latency_study.run(made, tmp_path, say=said.append)) == 1
    assert len(said) == 1
    assert said[0].startswith("Left out: forward, batch 2 x 8 tokens: it needs about")


def test_running_out_of_memory_leaves_a_cell_out(
    tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Comparison, "measure", explode)
    said: list[str] = []
    assert latency_study.run(parse_latency_study(content(tiny_model)), tmp_path, say=said.append) == []
    assert all("ran out of memory" in line for line in said)
    assert len(said) == 2


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"methds": []}, SpecError, "did you mean methods"),
        ({"cells": [{"batch": 0, "length": 3}]}, SpecError, "batch=0"),
        ({"methods": ["lroa"]}, methods.MethodError, "did you mean lora"),
        ({"methods": [{"method": "lora", "protocol": {"steps": 3}}]}, SpecError, "trains nothing"),
        ({"dtype": "float8"}, SpecError, "dtype='float8'"),
    ],
)
def test_bad_studies_are_one_sentence(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        parse_latency_study(content("embedded", **change))


def test_the_built_in_study_has_the_papers_sizes() -> None:
    """Table 1 of arXiv 2106.09685: 0.5 M and 11 M parameters, three inputs."""
    made = parse_latency_study(study.content("latency-small-batch"))
    from runners import models

    sizes = [
        methods.apply(models.skeleton(made.model), c.method, **c.options).parameter_counts()["method"]
        for c in made.choices
    ]
    assert sizes[1:] == [516_312, 11_089_152, 540_912, 11_064_576]
    assert {(1, 128, None), (16, 256, None), (32, 512, None)} <= set(made.cells)


def test_two_runs_do_not_share_a_folder(
    tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever times: a study by its name, a claim's study, and methods that are typed."""
    file, out = tmp_path / "quick.yaml", tmp_path / "out"
    file.write_text(yaml_text.dump(content(tiny_model)))
    typed = ["latency", tiny_model, "--method", "lora", "rank=2", "--length", "4", "--out", str(out)]
    with shelf.sole_owner(out):
        for words in (["run", str(file), "--out", str(out)], typed):
            assert paretune(*words) == 2
            assert "another run is at work in" in capsys.readouterr().err
        claim = read_claim("merged-lora-latency")
        with pytest.raises(SpecError, match="another run is at work in"):
            claims.run(claim, out, say=print)
    assert not list(out.glob("*.json"))

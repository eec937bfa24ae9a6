"""Where trials are run: what cannot be had is one sentence, before anything is begun."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from reports import read_records
from runners import environment
from runners.cli.executors import Where
from runners.plan.errors import SpecError

from ..command import paretune


def test_workers_are_as_many_as_there_are_cores_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "cores", lambda: 4)
    for number, nearest in ((0, 1), (-2, 1), (5, 4)):
        with pytest.raises(
            SpecError, match=f"received --workers {number}, expected 1 to 4, .*such as {nearest}"
        ):
            Where(number).check()
    Where(4).check()
    Where(None).check()
    monkeypatch.setenv("WORLD_SIZE", "2")
    Where(None).check()
    with pytest.raises(SpecError, match="received --workers 2 in one of 2 processes of a launcher"):
        Where(2).check()


def test_a_command_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for command in (["run", "demo"], ["demo"], ["intrinsic", "embedded", "cola"], ["claims"]):
        assert paretune(*command, "--out", str(tmp_path / "out"), "--workers", "0") == 2
        assert "received --workers 0" in capsys.readouterr().err
    assert paretune("run", "intrinsic", "--out", str(tmp_path / "out"), "--part", "1/2") == 2
    assert "chooses its trials by those before: leave out --part" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_parts_tell_of_their_own_and_make_the_whole(
    tiny_model: str, glue_folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the scores of a run of the whole, bit for bit; what is left of it is nothing."""
    path, out = tmp_path / "mine.yaml", tmp_path / "out"
    content: dict[str, Any] = {"models": [tiny_model], "tasks": ["cola"], "methods": ["head", "bitfit"]}
    content |= {"data": glue_folder, "seeds": [0, 1], "costs": "none"}
    path.write_text(yaml.safe_dump(content | {"protocol": {"steps": 2, "batch_size": 4}}))

    def run(*more: str, where: Path = out) -> list[dict[str, Any]]:
        assert paretune("run", str(path), "--out", str(where), "--json", *more) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return found

    shares = [run("--part", f"{index}/2") for index in (1, 2)]
    assert [len(share) for share in shares] == [2, 2]
    assert all(len({record["spec"]["method"] for record in share}) == 1 for share in shares)
    before = {file: file.stat().st_mtime_ns for file in out.glob("*.json")}
    whole = run()
    assert {file: file.stat().st_mtime_ns for file in out.glob("*.json")} == before
    assert len(whole) == 4
    alone = run(where=tmp_path / "alone")
    assert [(r["scores"], r["answers"], r["curve"]) for r in alone] == [
        (r["scores"], r["answers"], r["curve"]) for r in whole
    ]
    assert paretune("run", str(path), "--out", str(out), "--part", "3/3") == 0
    assert "Part 3/3 has no trials" in capsys.readouterr().err
    assert len(read_records(out)) == 4


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--executor", "rya"], "received --executor rya, did you mean ray? Valid: local, ray."),
        (["--address", "auto"], "received --address auto without a cluster: add --executor ray"),
        (["--gpus-per-trial", "0"], "received --gpus-per-trial 0.0 without a cluster"),
        (["--executor", "ray", "--workers", "2"], "received --workers 2 and --executor ray"),
        (["--executor", "ray"], "pip install -c constraints.txt 'paretune[ray]'"),
    ],
)
def test_a_cluster_that_cannot_be_had(
    given: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = metadata.version

    def without_ray(name: str) -> str:
        if name == "ray":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_ray)
    assert paretune("run", "demo", "--out", str(tmp_path / "out"), *given) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_study_of_latency_is_of_this_machine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.60.0")
    assert paretune("run", "latency-small-batch", "--executor", "ray") == 2
    assert "measures on an idle machine: leave out --executor" in capsys.readouterr().err

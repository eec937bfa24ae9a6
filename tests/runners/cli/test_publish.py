from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports import build_site, read_records

from ..command import paretune

BOARD = Path(__file__).parents[3] / "reports" / "leaderboards" / "rotten-tomatoes"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return build_site(read_records(BOARD), tmp_path / "site").parent


def test_nothing_is_sent_unless_asked(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("publish", str(site), "--to", "hf://spaces/ada/board") == 0
    out = capsys.readouterr().out
    assert "index.html" in out
    assert "to the space ada/board.\nNothing was sent: add --send.\n" in out
    public = tmp_path / "public"
    assert paretune("publish", str(site), "--to", str(public)) == 0
    assert not public.exists()
    assert paretune("publish", str(site), "--to", str(public), "--send", "--json") == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (said["sent"], said["at"]) == (True, [str(public / "index.html")])
    assert {path.name for path in public.iterdir()} >= {"index.html", "table.csv"}


def test_tables_go_to_wandb_offline(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert paretune("publish", str(site), "--wandb") == 0
    assert "Would log to Weights & Biases: table.csv" in capsys.readouterr().out
    assert not (tmp_path / "wandb").exists()
    assert paretune("publish", str(site), "--wandb", "--send") == 0
    tables = list((tmp_path / "wandb").rglob("*.table.json"))
    begin = [json.loads(table.read_text())["columns"][:3] for table in tables]
    assert ["model", "task", "method"] in begin


def test_mistakes_are_one_sentence(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        ((str(site),), "nowhere to publish to: give --to, or --wandb."),
        ((str(tmp_path), "--to", "x"), "is not a site: it has no index.html"),
        ((str(site), "--to", "hf://model/x"), "has no kind 'model'"),
    ):
        assert paretune("publish", *arguments) == 2
        assert said in capsys.readouterr().err

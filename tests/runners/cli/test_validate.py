from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ..command import paretune

BOARD = Path(__file__).parents[3] / "reports" / "leaderboards" / "rotten-tomatoes"


def test_published_records_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("validate", str(BOARD)) == 0
    assert capsys.readouterr().out == "9 records: 9 valid, 0 with faults, 0 cautions.\n"


def test_faults_are_lines_and_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    shutil.copy(next(BOARD.glob("*--lora--*")), file)
    file.write_text(file.read_text().replace('"rank": 8', '"rank": 4'))
    assert paretune("validate", str(file)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{file}: fault: $.trial_id is '5ce8")
    assert lines[-1] == "1 record: 0 valid, 1 with faults, 0 cautions."
    assert paretune("validate", str(file), "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["valid"], said["records"][0]["kind"]) == (False, "trial")


def test_cautions_count_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.json"
    shutil.copy(next(BOARD.glob("*--lora--*")), file)
    file.write_text(file.read_text().replace('"tree_clean": true', '"tree_clean": false'))
    assert paretune("validate", str(file)) == 0
    assert "caution: $.environment.tree_clean is false" in capsys.readouterr().out
    assert paretune("validate", str(file), "--strict") == 1


def test_terminals_get_no_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a\x1b[31m.json"
    file.write_text('{"schema_version": 2, "\\u001b]0;x\\u0007": {"\\u202e": NaN}}')
    assert paretune("validate", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "is nan" in out
    assert out.replace("\n", "").isprintable()
    assert paretune("report", str(tmp_path), "--out", str(tmp_path / "site")) == 2
    assert capsys.readouterr().err.replace("\n", "").isprintable()


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("validate", str(tmp_path)) == 2
    assert "there are no records in" in capsys.readouterr().err

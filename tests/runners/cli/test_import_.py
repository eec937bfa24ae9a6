from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..command import paretune

SAMPLES = Path(__file__).parents[2] / "reports" / "peft_results"


def test_import_then_validate_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "records"
    assert paretune("import", "peft", str(SAMPLES), "--out", str(out)) == 0
    assert f"3 records in {out}\n" in capsys.readouterr().out
    assert len(list(out.glob("metamath-gsm8k--*.json"))) == 3
    assert paretune("validate", str(out)) == 0
    assert "3 records: 3 valid, 0 with faults" in capsys.readouterr().out
    assert paretune("report", str(out), "--out", str(tmp_path / "site")) == 0
    assert "full-finetuning/lr_0.00001" in Path(capsys.readouterr().out.strip()).read_text()


def test_json_lists_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = next(SAMPLES.glob("full*"))
    assert paretune("import", "peft", str(file), "--out", str(tmp_path), "--json") == 0
    (written,) = json.loads(capsys.readouterr().out)
    assert Path(written).parent == tmp_path


def test_a_file_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text('{"run_info": 5}')
    assert paretune("import", "peft", str(tmp_path), "--out", str(tmp_path / "out")) == 2
    assert "$.run_info is 5, expected an object of PEFT's method_comparison." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

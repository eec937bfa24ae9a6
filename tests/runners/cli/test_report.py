"""`paretune report`: what is faulty is named and left out, and the margin is the reader's to set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import reports
from reports.records.identity import spec_hash

from ..command import paretune

BOARD = Path(reports.__file__).parent / "leaderboards"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The published reviews, nine methods with three seeds on two tasks, as somebody's own results."""
    folder = tmp_path / "results"
    folder.mkdir()
    for path in (BOARD / "tuned-reviews").glob("*.json"):
        if not path.name.endswith(".search.json"):
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_faulty_file_is_named_and_left_out(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(list(results.iterdir()))
    (results / "bad.json").write_text("{}")
    (results / "link.json").symlink_to(next(results.iterdir()))
    site = tmp_path / "site"
    assert paretune("report", str(results), "--out", str(site), "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["records"] == count
    assert len(json.loads(shown.out)["left_out"]) == 2
    assert f"left out: {results / 'bad.json'}: $.schema_version" in shown.err
    assert f"left out: {results / 'link.json'}: $ is a link" in shown.err
    assert "bad.json" in (site / "protocol.html").read_text()


def test_strict_makes_no_page(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site"
    assert paretune("report", str(results), "--out", str(site), "--strict") == 0
    (results / "bad.json").write_text("{}")
    capsys.readouterr()
    assert paretune("report", str(results), "--out", str(tmp_path / "other"), "--strict") == 2
    assert "1 record had to be left out, and --strict makes no page then." in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_cell_that_is_there_twice_counts_once(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another trial by its hash, the same by all that a comparison goes by."""
    count = len(list(results.iterdir()))
    data = json.loads(next(results.glob("*head--seed0*")).read_text())
    data["spec"]["data"] = "elsewhere"
    data["trial_id"] = spec_hash(data["spec"])
    (results / "again.json").write_text(json.dumps(data))
    assert paretune("report", str(results), "--out", str(tmp_path / "site"), "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["records"] == count
    assert "a trial counts once" in shown.err


def test_the_margin_decides_what_is_as_good(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {}
    for margin in ("0", "0.01", "1"):
        site = tmp_path / margin
        assert paretune("report", str(results), "--out", str(site), "--margin", margin) == 0
        rows = (site / "comparisons.csv").read_text().splitlines()
        found[margin] = sum(",as good," in row for row in rows)
    assert found["0"] <= found["0.01"] < found["1"]
    assert paretune("report", str(results), "--out", str(tmp_path / "x"), "--margin", "-1") == 2
    assert paretune("report", str(results), "--out", str(tmp_path / "x"), "--margin", "2") == 2
    capsys.readouterr()

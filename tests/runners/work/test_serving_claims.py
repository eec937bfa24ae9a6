"""Claims on serving many tasks: judged by their records, which are in no comparison beside them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reports.claims import parse_claim
from reports.records.origins import Origin, content_key
from reports.records.serving_files import write_serving
from runners.plan.serving_study import parse_serving_study
from runners.work import claims

from ...reports.servings import build_serving
from ..command import paretune
from .test_claims import claim

STUDY = "claim-mixing"


@pytest.fixture
def item(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A built-in claim that mixing costs less than task after task."""
    term = {"of": "mixed", "over": "in_turn", "method": "lora", "batch": 8, "length": 16, "tasks": 16}
    rule = {"kind": "serving", "what": "Mixed over in turn", "terms": [term], "at_most": 0.9}
    grid = {"tasks": [16], "batch": [8], "length": [16]}
    study = parse_serving_study({"kind": "serving", "name": STUDY, "methods": ["lora"], **grid})
    found = SimpleNamespace(name="mixing", claim=parse_claim(claim(rule), STUDY), study=study)
    monkeypatch.setattr(claims, "names", lambda: ("mixing",))
    monkeypatch.setattr(claims, "read_claim", lambda name: found)
    monkeypatch.setattr(claims, "unmeasured", lambda judgements: [])
    return found


def test_a_folder_is_judged(item: Any, tmp_path: Path) -> None:
    assert claims.judged(item, tmp_path / "nothing").verdict == "not decided"
    write_serving(build_serving(study=STUDY), tmp_path)
    found = claims.judged(item, tmp_path)
    assert (found.verdict, len(found.servings)) == ("supported", 1)


def test_a_submission_turns_no_verdict(item: Any) -> None:
    ours, other = build_serving(study=STUDY), build_serving()
    theirs = build_serving(study=STUDY, cell={"alone": 0.0}, started_at="2026-12-01T00:00:00+00:00")
    known = {content_key(record): Origin("maintainers") for record in (ours, other)}
    found = claims.sort_out([], [], known, [theirs, ours, other])
    (judgement,) = found.judgements
    assert (judgement.verdict, judgement.servings, judgement.whose) == ("supported", (ours,), "")
    assert found.servings == [theirs, other]
    (judgement,) = claims.sort_out([], [], known, [theirs]).judgements
    assert (judgement.verdict, judgement.servings) == ("not supported", (theirs,))


def test_report_parts_them_from_the_page_of_serving(
    item: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_serving(build_serving(study=STUDY), tmp_path / "claim")
    write_serving(build_serving("ia3"), tmp_path / "records")
    site = tmp_path / "site"
    folders = (str(tmp_path / "claim"), str(tmp_path / "records"))
    assert paretune("report", *folders, "--out", str(site), "--json") == 0
    assert json.loads(capsys.readouterr().out)["page"] == str(site / "serving.html")
    assert "ia3" in (site / "serving.html").read_text()
    assert "lora" not in (site / "serving.html").read_text()
    page = (site / "claims.html").read_text()
    assert "from 1 records" in page
    assert "lora; 12 comparisons of batches" in page
    alone = tmp_path / "alone"
    assert paretune("report", folders[0], "--out", str(alone)) == 0
    assert not (alone / "serving.html").exists()


def test_validate_names_their_kind_and_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_serving(build_serving(), tmp_path)
    assert paretune("validate", str(tmp_path), "--strict", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["records"]
    assert (told["kind"], told["faults"]) == ("serving", [])
    path.write_text(path.read_text().replace('"mix": "uniform"', '"mix": "one"'))
    assert paretune("validate", str(tmp_path)) == 1
    assert "mix one, have 1 at most" in capsys.readouterr().out

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import reports
from reports.claims import judge
from reports.errors import RecordError
from reports.records.identity import CLAIM
from reports.records.latency_files import read_latencies
from reports.records.origins import Origin, content_key
from reports.records.schema import Record
from reports.records.store import read_records, write_record
from reports.site import build as site
from runners.plan.claims import names, read_claim
from runners.plan.errors import SpecError
from runners.plan.serving_study import ServingStudy
from runners.plan.study import Study
from runners.work import claims

from ..command import paretune


def claim(*rules: dict[str, Any]) -> dict[str, Any]:
    texts = {"statement": "LoRA differs.", "source": "a paper", "url": "https://arxiv.org/abs/2106.09685"}
    parts = [{"says": "It does.", "in_words": "By much.", "rule": rule} for rule in rules]
    return {"number": 1, **texts, "measured": "Two methods.", "needs": "More seeds.", "parts": parts}


def write(path: Path, **content: Any) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.fixture
def trials_file(tiny_model: str, glue_folder: str, quick: dict[str, Any], tmp_path: Path) -> str:
    groups = [{"where": {"method": "head"}}, {"weight": -1, "where": {"method": "lora"}}]
    rule = {"kind": "contrast", "what": "The difference in seconds", "groups": groups}
    # What differs from seed to seed: three scores that are the same have no interval.
    rule |= {"measure": "training.seconds", "at_least": -1000, "at_most": 1000}
    return write(
        tmp_path / "claim-mine.yaml",
        models=[tiny_model],
        tasks=["cola"],
        methods=["head", "lora"],
        seeds=[0, 1, 2],
        data=glue_folder,
        protocol=quick,
        costs="none",
        claim=claim(rule),
    )


@pytest.mark.parametrize("name", names())
def test_built_in_claims_are_whole(name: str) -> None:
    item = read_claim(name)
    assert item.name == name
    assert item.study.name == CLAIM + name
    assert item.study.title
    assert item.study.description
    assert read_claim(CLAIM + name) == item
    verdict = judge(name, item.claim)
    assert verdict.verdict == "not decided"
    for part in item.claim.parts:
        assert part.says.endswith(".")
        assert part.in_words.endswith((".", ")."))


class Trial(SimpleNamespace):
    """As much of a record as a rule looks at, and what a weak reference can be made to."""


@pytest.mark.parametrize("name", names())
def test_every_group_of_a_built_in_claim_is_in_its_study(name: str, tmp_path: Path) -> None:
    """A rule that no trial can match would stay undecided whatever was measured."""
    item = read_claim(name)
    if isinstance(item.study, ServingStudy):
        grid = item.study.asked
        served = {choice.method for choice in item.study.choices}
        for term in (term for part in item.claim.parts for term in part.rule.terms):
            for one in (term, *([term.over] if term.over else [])):
                assert one.method in served
                assert one.mix == grid.mix
                assert one.tasks in (None, *grid.tasks)
                assert one.batch in (None, *grid.batches)
                assert one.length in (None, *grid.lengths)
        return
    if not isinstance(item.study, Study):
        shown = {(c.method, b, t) for c in item.study.choices for b, t, _ in item.study.cells}
        asked = {(c.method, c.batch, c.length) for part in item.claim.parts for c in part.rule.cells}
        assert asked <= shown
        return
    trials = [
        Trial(spec=spec.model_dump(mode="json"), suite=None, tuning=None, method_origin=None)
        for spec in item.study.specs
    ]
    seeds = {trial.spec["seed"] for trial in trials}
    assert len(seeds) >= 3
    for part in item.claim.parts:
        rule = part.rule
        groups = [
            *getattr(rule, "groups", []),
            *getattr(rule, "of", []),
            *getattr(rule, "than", []),
            *getattr(rule, "beside", []),
        ]
        wheres = [group.where for group in groups]
        wheres += [getattr(rule, key) for key in ("where", "reference", "relative_to") if hasattr(rule, key)]
        for where in wheres:
            if hasattr(where, "matches"):
                assert sum(where.matches(trial) for trial in trials) >= len(seeds), where


def test_the_example_in_the_documents_is_a_claim(tmp_path: Path) -> None:
    document = (Path(__file__).parents[3] / "docs" / "claims.md").read_text(encoding="utf-8")
    block = document.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "claim-rank-one.yaml"
    path.write_text(textwrap.dedent(block))
    item = read_claim(str(path))
    assert item.name == "rank-one"
    assert isinstance(item.study, Study)
    assert len(item.study.specs) == 10


def test_claims_are_numbered_without_a_gap() -> None:
    assert [read_claim(name).claim.number for name in names()] == list(range(1, len(names()) + 1))


def test_run_judge_and_page(trials_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert paretune("claims", trials_file, "--out", str(out)) == 0
    shown = capsys.readouterr()
    assert "1. LoRA differs." in shown.err
    assert "[6/6] cola / lora / seed 2" in shown.err
    assert "✓ It does. " in shown.out
    assert " supported " in shown.out  # not its markup
    assert "[/]" not in shown.out
    assert Path(shown.out.strip().splitlines()[-1]) == (out / "claims.html").resolve()
    assert len(read_records(out / "mine")) == 6
    assert {record.memory for record in read_records(out / "mine")} == {None}

    assert paretune("claims", trials_file, "--out", str(out), "--json") == 0
    again = capsys.readouterr()
    assert "6 of 6 trials have a record already" in again.err
    found = json.loads(again.out)
    assert found["claims"][0]["verdict"] == "supported"

    (out / "mine" / "foreign.json").write_text("{}")
    said: list[str] = []
    claims.run(read_claim(trials_file), out / "mine", say=said.append)
    assert len(said) == 1
    assert "foreign.json" in said[0]
    (out / "taken").write_text("")
    with pytest.raises(SpecError, match="cannot be written"):
        claims.run(read_claim(trials_file), out / "taken", say=said.append)
    assert found["claims"][0]["parts"][0]["records"] == 6
    assert found["claims"][0]["needs"] is None


def test_report_only_runs_nothing(
    trials_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert paretune("claims", trials_file, "--out", str(out), "--report-only", "--json") == 0
    found = json.loads(capsys.readouterr().out)["claims"][0]
    assert found["verdict"] == "not decided"
    assert found["needs"] == "More seeds."
    assert not (out / "mine").exists()
    assert (out / "claims.html").exists()


def test_records_of_another_protocol_do_not_count(
    trials_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same records are found wherever the data lie, and not after the study has changed."""
    out = tmp_path / "out"
    assert paretune("claims", trials_file, "--out", str(out)) == 0
    item = read_claim(trials_file)
    assert len(claims.judged(item, out / "mine").records) == 6
    assert len(claims.judged(read_claim(trials_file, "elsewhere"), out / "mine").records) == 6
    content = yaml.safe_load(Path(trials_file).read_text())
    content["protocol"]["steps"] = 7
    other = read_claim(write(tmp_path / "claim-other.yaml", **content))
    assert claims.judged(other, out / "mine").records == ()


def test_a_claim_on_latency(tiny_model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = {"method": "lora", "batch": 1, "length": 4}
    path = write(
        tmp_path / "claim-fast.yaml",
        kind="latency",
        model=tiny_model,
        methods=["lora"],
        cells=[{"batch": 1, "length": 4}],
        width=0.5,
        seconds=0.3,
        claim=claim({"kind": "latency", "what": "The ratio", "cells": [cell], "at_least": 0.0001}),
    )
    assert paretune("claims", path, "--out", str(tmp_path / "out"), "--json") == 0
    found = json.loads(capsys.readouterr().out)["claims"][0]
    assert found["parts"][0]["records"] == 1
    assert found["parts"][0]["interval"][0] > 0
    assert found["verdict"] in ("supported", "not decided")  # the base may differ from itself for a moment
    assert len(read_latencies(tmp_path / "out" / "fast")) == 1


def test_missing_data_leaves_a_claim_undecided_and_the_next_one_runs(
    trials_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(Path(trials_file).read_text())
    content["data"] = str(tmp_path / "nowhere")
    absent = write(tmp_path / "claim-absent.yaml", **content)
    assert paretune("claims", absent, trials_file, "--out", str(tmp_path / "out"), "--json") == 1
    shown = capsys.readouterr()
    assert "The claim absent was not run:" in shown.err
    verdicts = {found["name"]: found["verdict"] for found in json.loads(shown.out)["claims"]}
    assert verdicts == {"absent": "not decided", "mine": "supported"}


def measured(name: str, **changes: Any) -> list[Record]:
    """A record of every trial of a built-in claim, with scores of another study's."""
    board = Path(reports.__file__).parent / "leaderboards" / "rotten-tomatoes"
    base = read_records(board)[0]
    assert base.training is not None
    study = read_claim(name).study
    assert isinstance(study, Study)
    return [
        base.model_copy(
            update={
                "study": study.name,
                "spec": spec.model_dump(mode="json"),
                "trial_id": spec.trial_id,
                "training": base.training.model_copy(update={"steps": spec.protocol.steps}),
                **changes,
            }
        )
        for spec in study.specs
    ]


def published(name: str) -> list[Record]:
    """The published records of a built-in claim."""
    return read_records(Path(reports.__file__).parent / "leaderboards" / (CLAIM + name))


def test_report_parts_the_records_of_claims_from_the_comparison(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = Path(reports.__file__).parent / "leaderboards" / "rotten-tomatoes"
    mine = published("task-switching")
    for record in mine:
        write_record(record, tmp_path / "records")
    site = tmp_path / "site"
    assert paretune("report", str(board), str(tmp_path / "records"), "--out", str(site), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    count = len(read_records(board)) + len(mine)
    assert found == {"page": str(site / "index.html"), "records": count, "left_out": []}
    assert 'href="claims.html"' in (site / "index.html").read_text()
    assert "Switching LoRA tasks is fast" in (site / "claims.html").read_text()
    assert "Switching LoRA tasks is fast" not in (site / "index.html").read_text()
    assert len((site / "claims.csv").read_text().splitlines()) == 5
    assert len((site / "trials.csv").read_text().splitlines()) == 1 + len(read_records(board))
    # And where there is nothing else:
    assert paretune("report", str(tmp_path / "records"), "--out", str(tmp_path / "alone")) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "alone" / "claims.html")


def test_claims_without_records_are_listed_with_their_hours(tmp_path: Path) -> None:
    waiting = claims.unmeasured([])
    assert [one.name for one in waiting] == list(names())
    assert next(one.hours for one in waiting if one.name == "harder-tasks") > 1
    first, *others = waiting
    judged = claims.judged(read_claim(first.name), tmp_path / "nothing")
    assert claims.unmeasured([judged]) == others
    site.build_site([], tmp_path, claims=[judged], unmeasured=others)
    page = (tmp_path / "claims.html").read_text(encoding="utf-8")
    for one in others:
        assert f"paretune claims {one.name}</code>" in page


def test_two_claims_may_ask_for_the_same_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = published("task-switching")
    for number, study in enumerate(("claim-task-switching", "claim-seed-variance")):
        for record in mine:
            write_record(record.model_copy(update={"study": study}), tmp_path / str(number))
    found = read_records(tmp_path)
    assert len(found) == 2 * len(mine)
    judged, rest, *_ = claims.sort_out(found, [], {})
    assert [(claim.name, len(claim.records)) for claim in judged] == [
        ("seed-variance", 0),  # its trials are others
        ("task-switching", len(mine)),
    ]
    assert len(rest) == len(mine)
    write_record(mine[0], tmp_path / "again")
    assert paretune("report", str(tmp_path), "--out", str(tmp_path / "site"), "--strict") == 2
    assert "a measurement counts once" in capsys.readouterr().err
    assert paretune("report", str(tmp_path), "--out", str(tmp_path / "site")) == 0
    assert "a measurement counts once" in capsys.readouterr().err


def test_a_submission_turns_no_verdict() -> None:
    ours, theirs = measured("task-switching"), measured("lora-full-rank")
    known = {content_key(record): Origin("maintainers") for record in ours}
    judged, rest, *_ = claims.sort_out([*ours, *theirs], [], known)
    assert [(claim.name, len(claim.records)) for claim in judged] == [
        ("lora-full-rank", len(theirs)),  # nobody else measured it
        ("task-switching", len(ours)),
    ]
    assert rest == []
    known = {content_key(record): Origin("maintainers") for record in ours[:2]}
    judged, rest, *_ = claims.sort_out(ours, [], known)
    assert list(judged[0].records) == ours[:2]
    assert rest == ours[2:]


def test_a_submitted_latency_comparison_turns_no_verdict() -> None:
    board = Path(reports.__file__).parent / "leaderboards" / "claim-merged-lora-latency"
    ours = read_latencies(board)
    slow = tuple(entry.model_copy(update={"ratio": 2.0, "ratio_high": 2.1}) for entry in ours[0].entries)
    theirs = [record.model_copy(update={"entries": slow, "started_at": "2026-01-01"}) for record in ours]
    known = {content_key(record): Origin("maintainers") for record in ours}
    judged, _, rest, _ = claims.sort_out([], [*theirs, *ours], known)
    assert list(judged[0].latencies) == ours
    assert rest == theirs
    judged, _, rest, _ = claims.sort_out([], theirs, known)
    assert list(judged[0].latencies) == theirs  # nobody else measured it


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert paretune("claims", "--list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(names())
    assert all(row["parts"] and row["statement"] and row["study"] for row in rows)
    assert paretune("claims", "--list") == 0
    assert "LoRA approaches full fine-tuning as the rank grows." in capsys.readouterr().out


def test_faults_are_one_sentence_and_exit_code_2(
    trials_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paretune("claims", "lora-alpa", "--out", str(tmp_path)) == 2
    shown = capsys.readouterr().err
    assert "there is no claim 'lora-alpa'" in shown
    assert "did you mean lora-alpha" in shown
    content = yaml.safe_load(Path(trials_file).read_text())
    plain = write(tmp_path / "plain.yaml", **{key: content[key] for key in content if key != "claim"})
    assert paretune("claims", plain, "--out", str(tmp_path)) == 2
    assert "the study plain states no claim" in capsys.readouterr().err
    with pytest.raises(SpecError, match="no claim"):
        read_claim("nothing")
    with pytest.raises(RecordError, match="states no claim"):
        read_claim(plain)

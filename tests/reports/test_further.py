"""Further report splits, from a record to what is read of it: checks, means, tables, pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports import build_site, compare, markdown_table, trials
from reports.records.answers import packed
from reports.records.checks import record_faults
from reports.records.consistency import arithmetic_faults
from reports.records.further import read_as
from reports.records.schema import Record
from reports.records.store import read_record, write_record
from reports.site.parts.links import record_page, task_page
from reports.stats.sections import sections
from reports.tables.latex import latex_table

from .sound import as_record, sound, spoiled

LABELS = np.arange(200) % 2


def further(score: float, **changes: Any) -> dict[str, Any]:
    """A further report split with so many of its 200 answers right."""
    wrong = round((1 - score) * len(LABELS))
    answers = packed(np.where(np.arange(len(LABELS)) < wrong, 1 - LABELS, LABELS), LABELS, 2)
    found = {
        "examples": 200,
        "left_out": 3,
        "truncated": 0,
        "data_sha256": "cd" * 32,
        "scores": {"accuracy": score},
        "majority": {"accuracy": 0.5},
        "answers": answers.model_dump(),
    }
    return {**found, **changes}


Make = Callable[..., Record]


@pytest.fixture
def make(make_record: Make) -> Make:
    def made(method: str = "lora", seed: int = 0, other: float | None = 0.75, **changes: Any) -> Record:
        data = sound(make_record(method, seed=seed, **changes))
        return as_record(data | ({} if other is None else {"further_reports": {"other": further(other)}}))

    return made


def test_a_record_has_them_or_not(make: Make, tmp_path: Path) -> None:
    for record in (make(), make(other=None)):
        assert [*record_faults(record), *arithmetic_faults(record)] == []
        assert read_record(write_record(record, tmp_path)) == record
    assert "further_reports" not in sound(make(other=None))  # written as a record of before
    assert as_record(sound(make(other=None))).further_reports == {}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("scores.accuracy", 1.5, r"\.scores\.accuracy is 1\.5, outside 0 to 1 of its unit"),
        ("majority.accuracy", -1.0, r"\.majority\.accuracy is -1\.0, outside 0 to 1 of its unit"),
        (
            "scores.accuracy",
            0.74,
            r"\.scores\.accuracy is 0\.74, but \$\.further_reports\.other\.answers give 0\.75",
        ),
        ("scores.accuracy", None, r"\.scores\.accuracy is None, but"),
        ("scores", {}, r"\.scores\.accuracy is missing, and \$\.task\.metrics declares it"),
        ("scores.f1", 0.5, r"\.scores\.f1 is not among \$\.task\.metrics"),
        ("majority.f1", 0.5, r"\.majority\.f1 is not among"),
        ("truncated", 201, r"\.truncated is 201, but \$\.further_reports\.other\.examples is 200"),
        ("examples", 199, r"\.answers\.count is 200, but \$\.further_reports\.other\.examples is 199"),
        ("answers.predicted", "AAAA", r"\.answers: the answers are 3 bytes"),
    ],
)
def test_a_spoiled_value_is_one_sentence(make: Make, path: str, value: Any, said: str) -> None:
    record = as_record(spoiled(sound(make()), f"further_reports.other.{path}", value))
    faults = [*record_faults(record), *arithmetic_faults(record)]
    assert [fault for fault in faults if re.match(rf"\$\.further_reports\.other{said}", fault)], faults
    assert all("\n" not in fault for fault in faults)


def test_only_a_trial_that_was_scored_has_them(make: Make) -> None:
    failed = sound(make(status="failed", other=None)) | {"further_reports": {"other": further(0.75)}}
    assert "$.further_reports are there, but the trial has no score" in list(
        arithmetic_faults(as_record(failed))
    )
    searched = spoiled(sound(make()), "spec.search", True)
    assert "$.further_reports are there, but $.spec says that this is a trial of a search" in list(
        record_faults(as_record(searched))
    )
    odd = sound(make()) | {"further_reports": {"a b": further(0.75)}}
    assert any('["a b"] is no name of a split' in fault for fault in arithmetic_faults(as_record(odd)))


def test_read_as_one_of_them_it_is_a_record_of_that_split(make: Make) -> None:
    found = read_as(make(), "other")
    assert found.scores is not None
    assert found.task is not None
    assert (found.scores.report, found.scores.majority) == ({"accuracy": 0.75}, {"accuracy": 0.5})
    assert found.task.sizes.report == 200
    assert found.answers == make().further_reports["other"].answers
    assert [*record_faults(found), *arithmetic_faults(found)] == []
    assert read_as(make(), "none").scores is None


def test_they_rank_nothing_and_have_means_of_their_own(make: Make) -> None:
    good, bad = (0.80, 0.82, 0.81), (0.60, 0.62, 0.61)
    records = [
        make(method, seed=seed, score=score, other=other)
        for method, scores, others in (("lora", good, bad), ("full", bad, good))
        for seed, (score, other) in enumerate(zip(scores, others, strict=True))
    ]
    (section,) = sections(records)
    assert [row.label for row in section.rows] == ["lora", "full"]
    assert section.further.keys() == {"other"}
    spread = section.rows[1].further["other"]["accuracy"]
    assert spread.mean == pytest.approx(0.81)
    assert spread.interval is not None
    assert spread.over_examples
    alone = [record.model_copy(update={"further_reports": {}}) for record in records]
    (before,) = sections(alone)
    assert [row.score for row in before.rows] == [row.score for row in section.rows]
    assert [row.metrics for row in before.rows] == [row.metrics for row in section.rows]

    table = compare(records)
    assert table["report.other.accuracy"].tolist() == pytest.approx([0.61, 0.81])
    assert {"report.other.accuracy", "report.other.accuracy.sd"} == {*table} - {*compare(alone)}
    rows = trials(records)
    assert rows["report.other.accuracy"].tolist() == [*bad, *good]
    assert rows["majority.other.accuracy"].tolist() == [0.5] * 6
    shared = [*compare(alone)]
    pd.testing.assert_frame_equal(table[shared], compare(alone))


def test_tables_for_papers_have_them_beside_the_score_that_ranks(make: Make) -> None:
    records = [make(score=0.8, other=0.75), make("full", score=0.7, other=None)]
    said, printed = markdown_table(records), latex_table(records)
    assert "| Method | Accuracy | other, accuracy | Trainable parameters |" in said
    assert re.search(r"\| lora [●◐] \| 0\.800 \| 0\.750 \|", said)
    assert re.search(r"\| full [●◐]? ?\| 0\.700 \| – \|", said)
    assert {line.count("|") for line in said.splitlines() if line.startswith("|")} == {11}
    assert "other: further report split, other examples scored by the same trained models" in said
    assert "Method & Accuracy & other, accuracy & Trainable parameters" in printed
    assert "& 0.800 & 0.750 &" in printed
    assert "& 0.700 & -- &" in printed
    assert "Further report split: other examples, in no rank." in printed
    alone = [make(score=0.8, other=None)]
    assert "urther report" not in markdown_table(alone) + latex_table(alone)


def test_a_seed_that_diverged_is_the_floor_there_too_and_one_without_is_none(make: Make) -> None:
    records = [
        make(seed=0, other=0.7),
        make(seed=1, other=0.8),
        make(seed=2, other=None, status="diverged"),
        make(seed=3, other=None),
    ]
    (section,) = sections(records)
    spread = section.rows[0].further["other"]["accuracy"]
    assert (spread.n, spread.mean) == (3, pytest.approx((0.7 + 0.8 + 0.5) / 3))


def test_another_split_of_the_same_name_is_in_no_comparison(make: Make) -> None:
    records = [make(seed=seed, score=0.8, other=0.7 + seed / 100) for seed in range(3)]
    data = sound(make("full", seed=0, other=None))
    data |= {"further_reports": {"other": further(0.9, data_sha256="ef" * 32)}}
    (section,) = sections([*records, as_record(data)])
    assert section.further["other"].data_sha256 == "cd" * 32
    found = {row.label: row.further for row in section.every_row}
    assert found["full"] == {}
    assert found["lora"]["other"]["accuracy"].n == 3


def test_the_pages_show_them(make: Make, tmp_path: Path) -> None:
    records = [make(seed=seed, other=0.75 + seed / 100) for seed in range(3)]
    build_site(records, tmp_path, title="t")
    page = (tmp_path / task_page("rotten_tomatoes")).read_text(encoding="utf-8")
    assert "Further report splits: other examples, scored once by the same trained models" in page
    assert "200 examples, without 3 of which training has a text" in page
    assert "0.760 (" in page
    own = (tmp_path / record_page(records[0])).read_text(encoding="utf-8")
    assert "<h2 id=" in own
    assert "Further report splits</h2>" in own
    assert "<dt>other, scores, accuracy</dt><dd>0.75</dd>" in own
    assert "<dt>other, left out</dt><dd>3</dd>" in own
    assert "predicted" not in own
    build_site([make(other=None)], tmp_path / "before", title="t")
    before = (tmp_path / "before" / task_page("rotten_tomatoes")).read_text(encoding="utf-8")
    assert "Further report splits" not in before

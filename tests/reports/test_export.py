"""Markdown and CSV: complete, and harmless with hostile text."""

from __future__ import annotations

import csv
import io
import re

import pytest

from reports import RecordError, csv_table, markdown_table
from reports.export import escape_markdown

HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1+2", "@SUM(A1)", "\t=1", "＝1", "a\n=1", "\ufeff=1"]


def test_markdown_has_one_line_per_method(make_study):
    lines = markdown_table(make_study()).splitlines()
    assert lines[0].startswith("| Method | Accuracy | Trainable parameters")
    assert lines[2] == (
        "| full ● | 0.815 | 22,713,986 | 100 % | 512 MB | 61.0 s | ×1.00 (0.99–1.02) | – | 90.9 MB |"
    )
    assert len([line for line in lines if line.startswith("|")]) == 11


def test_markdown_names_tasks_when_there_are_several(make_record):
    said = markdown_table([make_record(), make_record(task="imdb"), make_record("head", status="failed")])
    assert "**rotten\\_tomatoes on embedded**" in said
    assert "head (0 of 1 completed)" in said
    with pytest.raises(RecordError, match="no records"):
        markdown_table([])


@pytest.mark.parametrize("hostile", ["a|b", "a\nb", "<script>", "[x](http://e.vil)", "`x`", "**x**", "\\|"])
def test_markdown_cells_cannot_be_broken(make_record, hostile):
    rows = [line for line in markdown_table([make_record(hostile)]).splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert {line.replace("\\\\", "").replace("\\|", "").count("|") for line in rows} == {10}
    assert "<script>" not in rows[2]
    assert not re.search(r"(?<!\\)\]\(", rows[2])
    assert "http://" not in rows[2]


def test_escape_markdown_keeps_plain_text():
    assert escape_markdown("lora (rank=8): 0.5") == "lora (rank=8): 0.5"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_csv_cells_are_no_formulas(make_record, hostile):
    records = [make_record(hostile, task=hostile, model=hostile, metric=hostile, options={hostile: hostile})]
    for row in csv.reader(io.StringIO(csv_table(records))):
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "@", "＝"))
            assert not cell.startswith("-") or cell[1:].replace(".", "").isdigit()


def test_csv_has_raw_numbers(make_study):
    rows = list(csv.DictReader(io.StringIO(csv_table(make_study()))))
    assert len(rows) == 9
    assert rows[0]["method"] == "full"
    assert rows[0]["peak_training_bytes"] == "512000000"
    assert rows[0]["score_sd"] == ""


def test_the_legend_explains_intervals_where_there_are_any(make_study):
    assert "Scores are means over seeds" not in markdown_table(make_study(seeds=2))
    said = markdown_table(make_study(seeds=3))
    assert "95 % interval; a seed that diverged counts as the majority answer." in said
    assert re.search(r"\| full ● \| 0\.8\d\d \(0\.\d{3}–0\.\d{3}\) \|", said)

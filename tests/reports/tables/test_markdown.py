"""Markdown and CSV: complete, and harmless with hostile text."""

from __future__ import annotations

import csv
import io
import json
import re

import pandas as pd
import pytest

from reports import RecordError, csv_table, markdown_table
from reports.site.markdown import markdown_report
from reports.site.parts.board import make_board
from reports.stats.sections import sections
from reports.tables.comparison import compare
from reports.tables.formats import json_table, parquet_table
from reports.tables.latex import escape_latex, latex_table
from reports.tables.markdown import escape_markdown
from reports.tables.published import published_markdown

HOSTILE = ["=cmd|' /C calc'!A0", "+1", "-1+2", "@SUM(A1)", "\t=1", "＝1", "a\n=1", "\ufeff=1"]


def test_markdown_has_one_line_per_method(make_study):
    lines = markdown_table(make_study()).splitlines()
    assert lines[0].startswith("| Method | Accuracy | Trainable parameters")
    assert lines[2] == (
        "| full ◐ | 0.815 | 22,713,986 | 100 % | 512 MB | 61.0 s | ×1.00 (0.98–1.02) | – | 90.9 MB |"
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
    assert (
        "95 % interval over seeds only, where every seed learned something; a seed that diverged counts"
        in said
    )
    assert re.search(r"\| full [●◐] \| 0\.8\d\d \(0\.\d{3}–0\.\d{3}\) \|", said)


def test_json_and_parquet_hold_the_same_numbers_with_their_types(make_study, make_record):
    table = compare([*make_study(), make_record("x", status="failed")])
    found = json.loads(json_table(table))
    assert found[0]["score"] == 0.815
    assert found[0]["peak_training_bytes"] == 512_000_000
    assert found[-1]["score"] is None
    back = pd.read_parquet(io.BytesIO(parquet_table(table)))
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    assert str(back["peak_training_bytes"].dtype) == "Int64"


def test_latex_is_a_booktabs_table_for_each_comparison(make_study, make_record):
    said = latex_table([*make_study(), make_record(task="imdb")])
    assert said.count(r"\toprule") == said.count(r"\bottomrule") == 2
    assert r"rotten\_tomatoes on embedded" in said
    assert r"full$^\circ$ & 0.815 & 22,713,986 & 512 MB & 61.0 s & $\times$1.00 & -- & 90.9 MB \\" in said
    with pytest.raises(RecordError, match="no records"):
        latex_table([])


def test_latex_runs_nothing_foreign():
    assert escape_latex(r"\input{/etc/passwd} 100% $x$ #1 a_b ~^&") == (
        r"\textbackslash{}input\{/etc/passwd\} 100\% \$x\$ \#1 a\_b \textasciitilde{}\textasciicircum{}\&"
    )


def test_the_markdown_report_has_every_comparison_and_one_legend(make_study, make_record):
    said = markdown_report(make_board([*make_study(seeds=3), make_record(task="imdb")], "A | title"))
    assert said.startswith("# A \\| title")
    assert said.count("\n## ") == 4  # over all tasks, their scores, and each task
    assert said.count("on the Pareto front of score") == 1


def test_papers_stand_apart_in_markdown_too(make_record):
    blocks = published_markdown("e2e", sections([make_record(task="e2e", metric="bleu")]))
    assert blocks[0] == "## Published elsewhere: e2e"
    assert "in no rank" in blocks[1]
    assert blocks[2] == (
        "arXiv 2106.09685, table 3. \\* is the paper’s own mark: it took these numbers from elsewhere. "
        "Not measured here: nist, meteor, rouge l, cider."
    )
    assert (
        "| LoRA | GPT-2 medium | 0.704 ± 0.001 | 8.85 ± 0.02 | 0.468 ± 0.002 | 0.718 ± 0.001 | 2.53 ± 0.02 "
        "| 350,000 |" in blocks[3]
    )
    assert published_markdown("imdb", []) == []
    report = markdown_report(make_board([make_record(task="e2e", metric="bleu"), make_record()], "A title"))
    assert report.count("## Published elsewhere") == 1
    assert report.index("e2e on embedded") < report.index("## Published elsewhere")

"""What the terminal says of a record: from where on mixing pays, and which comparisons say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.records.serving_files import read_servings
from runners.cli.options import out
from runners.cli.served_tables import sentences, show

from ...reports.servings import build_serving

PUBLISHED = Path(__file__).parents[3] / "reports" / "leaderboards" / "serving"


def test_break_evens_are_told_size_by_size() -> None:
    said = sentences(build_serving())
    assert any(
        "a mixed batch is faster than task after task from this many distinct tasks on: 1" in one
        for one in said
    )
    assert any("merging a task first pays from this many batches of it in a row on:" in one for one in said)
    assert not any(one.startswith("!") for one in said)


def test_what_cannot_be_trusted_is_said_and_rests_on_nothing() -> None:
    record = build_serving(cell={"control": 1.05})
    (said,) = sentences(record)
    assert said.startswith(
        f"! In {len(record.batches)} of {len(record.batches)} comparisons the base differs"
    )


def test_tables_are_whole_in_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(out, "width", 80)
    records = read_servings(PUBLISHED)
    assert records
    for record in records:
        show(record)
        shown = capsys.readouterr().out
        assert "…" not in shown
        for cell in record.batches:
            assert f"x{cell.mixed.ratio:.2f}" in shown
            assert f"{cell.batch_size} x {cell.sequence_length}" in shown

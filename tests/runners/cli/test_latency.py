"""``paretune latency``'s tables on a narrow terminal, of the records that come with Paretune."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.records.latency_files import read_latencies
from reports.stats.latency import interval
from runners.cli import latency
from runners.cli.options import out

PUBLISHED = Path(__file__).parents[3] / "reports" / "leaderboards" / "latency-small-batch"


def test_intervals_and_names_are_whole_in_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(out, "width", 80)
    records = read_latencies(PUBLISHED)
    assert records
    for record in records:
        latency.show(record)
        shown = capsys.readouterr().out
        assert "…" not in shown
        for entry in record.entries[1:]:
            ends = interval(entry)
            assert f"{entry.ratio:.3f} {ends.low:.3f}-{ends.high:.3f} " in shown
            assert f"{entry.parameters:,}" in shown
            assert entry.label.split()[0] in shown

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.records.origins import Origin, content_key
from reports.tables.serving import arrivals_frame, serving_frame

from ..servings import build_serving, build_servings


@settings(max_examples=20, deadline=None)
@given(
    merges=st.booleans(),
    rows=st.lists(st.integers(1, 32), min_size=1, max_size=3, unique=True),
    tasks=st.lists(st.integers(1, 64), min_size=1, max_size=3, unique=True).map(sorted),
)
def test_a_row_for_every_way_and_batch(merges, rows, tasks):
    record = build_serving(merges=merges, rows=rows, tasks=tasks, lengths=(16,), arriving=False)
    found = serving_frame([record])
    ways = ["base again", "one task", "mixed", "in turn"] + ["merged", "merged in turn"] * merges
    assert len(found) == len(rows) * len(tasks) * len(ways)
    assert set(found["way"]) == set(ways)
    rate = found["rows_per_second"] * found["latency_ms_p50"] / found["batch_size"]
    assert rate.to_numpy() == pytest.approx(1e3)
    assert (found["low"] < found["ratio_low"]).all()
    assert found["trusted"].all()


def test_numbers_are_those_of_the_record():
    records = build_servings()
    ada = Origin("self-reported", "ada")
    found = serving_frame(records, {content_key(records[0]): ada})
    assert found["submitter"].dropna().unique().tolist() == ["ada"]
    row = found.query("method == 'lora' and way == 'mixed' and batch_size == 8 and tasks == 16").iloc[0]
    (batch,) = (
        b for b in records[0].batches if (b.batch_size, b.tasks) == (8, 16) and b.sequence_length == 16
    )
    assert row["ratio"] == batch.mixed.ratio
    assert row["to_in_turn"] == batch.mixed_to_in_turn.ratio
    assert row["memory_bytes"] == records[0].stored[2].memory_bytes
    assert found.query("way == 'in turn'")["to_in_turn"].isna().all()
    assert found.query("method == 'houlsby'")["to_merged_in_turn"].isna().all()


def test_arrivals_say_what_is_simulated():
    record = build_serving()
    found = arrivals_frame([record])
    assert found["what"].value_counts().to_dict() == {
        "simulated": 9,
        "simulated, rehearsed": 3,
        "simulated with the times of the rehearsal": 3,
        "measured": 3,
    }
    slow = found.query("way == 'merged in turn' and what == 'simulated'")
    assert slow["ms_p99"].isna().all()
    assert (slow["largest_rate_per_second"] == 90).all()
    assert arrivals_frame([build_serving(arriving=False)]).empty

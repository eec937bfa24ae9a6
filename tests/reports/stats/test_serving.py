"""Where mixing and merging begin to pay, and what one more task takes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.records.serving_schema import ServedBatch
from reports.stats.serving import merging_pays, mixing_pays, rows_per_second, task_memory, ways

from ..servings import batch, build_serving, paired, stored, took


def several(ratios: list[float], begin: int = 1) -> list[ServedBatch]:
    """Batches of more and more distinct tasks, with these ratios of mixed to task after task."""
    return [
        batch(8, 16, begin + number, distinct_tasks=float(begin + number), mixed_to_in_turn=paired(ratio))
        for number, ratio in enumerate(ratios)
    ]


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=6))
def test_the_value_lies_in_its_interval_and_among_what_was_measured(ratios):
    found = mixing_pays(several(ratios), "in turn")
    assert found
    assert 1 <= found.low <= found.value <= found.high
    assert found.high <= len(ratios) or found.high == math.inf
    if found.value < math.inf:  # from there on no ratio is above 1
        assert all(ratio <= 1 for at, ratio in enumerate(ratios, start=1) if at >= found.value + 1e-9)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=6), st.randoms())
def test_the_order_of_batches_does_not_matter(ratios, random):
    batches = several(ratios)
    shuffled = random.sample(batches, len(batches))
    assert mixing_pays(shuffled, "in turn") == mixing_pays(batches, "in turn")


def test_a_crossing_halfway_on_the_logarithm():
    found = mixing_pays(several([2.0, 0.5]), "in turn")
    assert found
    assert found.value == pytest.approx(1.5)
    assert found.low < 1.5 < found.high


def test_nowhere_and_everywhere():
    assert mixing_pays(several([2.0, 2.0]), "in turn").value == math.inf
    everywhere = mixing_pays(several([0.5, 0.25], begin=2), "in turn")
    assert (everywhere.low, everywhere.value, everywhere.high) == (2, 2, 2)


def test_one_task_and_no_merging_say_nothing():
    assert mixing_pays([batch(8, 16, 1)], "in turn") is None
    assert mixing_pays([batch(merges=False)], "merged in turn") is None
    record = build_serving(merges=False)
    assert merging_pays(record, record.batches[0]) is None


@given(one_task=st.floats(1.1, 5), folded=st.floats(0.5, 50))
def test_merging_pays_from_where_both_take_the_same_time(one_task, folded):
    record = build_serving(merged_switch=took(folded), cell={"one_task": one_task}, arriving=False)
    cell = record.batches[0]
    found = merging_pays(record, cell)
    assert found
    assert found.low <= found.value <= found.high
    plain = record.stored[0].switch.ms_p50 + found.value * cell.one_task.latency_ms_p50
    merged = folded + found.value * cell.merged.latency_ms_p50
    assert plain == pytest.approx(merged)


def test_merging_that_saves_nothing_never_pays():
    record = build_serving(cell={"one_task": 0.9})
    assert merging_pays(record, record.batches[0]).value == math.inf


def test_one_more_task_is_the_slope():
    fixed = 1_000_000
    several = tuple(stored(n, memory_bytes=fixed + n * 300_000) for n in (1, 4, 16))
    assert task_memory(build_serving(stored=several)) == pytest.approx(300_000)
    assert task_memory(build_serving(tasks=(4,), arriving=False)) == 298_048


def test_ways_and_rates():
    assert list(ways(batch(merges=False))) == ["one task", "mixed", "in turn"]
    assert list(ways(batch())) == ["one task", "mixed", "in turn", "merged", "merged in turn"]
    assert rows_per_second(batch(8), 4.0) == 2000

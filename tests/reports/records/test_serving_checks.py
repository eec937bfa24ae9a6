"""Records of serving many tasks: what `validate` takes and what it refuses, one sentence a fault."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports import RecordError, write_serving
from reports.records.reading import read_all
from reports.records.serving_checks import serving_faults
from reports.records.serving_files import read_serving, read_servings
from reports.records.serving_schema import ServingRecord
from reports.records.validate import validate
from reports.stats.completeness import together

from ..servings import TENSOR_BYTES, arrivals, build_serving, build_servings

Data = dict[str, Any]


def changed(record: ServingRecord, *changes: tuple[str, Any]) -> ServingRecord:
    """The record with values at dotted places: ``stored.0.tasks``."""
    data = copy.deepcopy(record.model_dump(mode="json"))
    for place, value in changes:
        *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
        inner: Any = data
        for part in way:
            inner = inner[part]
        inner[last] = value
    return ServingRecord.model_validate_json(json.dumps(data), strict=True)


@settings(max_examples=30, deadline=None)
@given(
    merges=st.booleans(),
    mix=st.sampled_from(["uniform", "zipf", "one"]),
    rows=st.lists(st.integers(1, 64), min_size=1, max_size=3, unique=True),
    tasks=st.lists(st.integers(1, 1000), min_size=1, max_size=3, unique=True).map(sorted),
    mixed=st.floats(0.5, 20),
    alone=st.floats(0, 3),
)
def test_what_is_consistent_is_valid(merges, mix, rows, tasks, mixed, alone):
    record = build_serving(
        merges=merges,
        mix=mix,
        rows=rows,
        lengths=(16,),
        tasks=tasks,
        arriving=False,
        cell={"mixed": mixed, "alone": alone},
    )
    assert list(serving_faults(record)) == []


@settings(max_examples=30, deadline=None)
@given(
    at=st.sampled_from(["control", "one_task", "mixed", "in_turn", "merged", "merged_in_turn"]),
    by=st.floats(1.02, 100),
    up=st.booleans(),
)
def test_a_ratio_outside_its_interval_is_found_wherever_it_is(at, by, up):
    record = build_serving()
    ratio = getattr(record.batches[3], at).ratio
    wrong = changed(record, (f"batches.3.{at}.ratio", ratio * by if up else ratio / by))
    assert any(f.startswith(f"$.batches[3].{at}.ratio is") for f in serving_faults(wrong))


FAULTS: dict[str, tuple[list[tuple[str, Any]], str]] = {
    "too many distinct": (
        [("batches.1.distinct_tasks", 1.5)],
        "$.batches[1].distinct_tasks is 1.5, but 1 rows of 4 tasks, mix uniform, have 1 at most",
    ),
    "a pair outside its interval": (
        [("batches.4.mixed_to_in_turn.ratio_low", 0.99)],
        "$.batches[4].mixed_to_in_turn.ratio is",
    ),
    "a pair unlike its ratios": (
        [(f"batches.4.mixed_to_in_turn.{name}", 0.01) for name in ("ratio", "ratio_low", "ratio_high")],
        "$.batches[4].mixed_to_in_turn.ratio is 0.01, but the ratios of the two to the base give",
    ),
    "a median unlike its ratio": (
        [("batches.0.mixed.latency_ms_p50", 500.0), ("batches.0.mixed.latency_ms_p95", 500.0)],
        "$.batches[0].mixed.ratio is 1.05, but its median over the base's is",
    ),
    "a 95th percentile below the median": (
        [("batches.0.mixed.latency_ms_p95", 1e-3)],
        "$.batches[0].mixed.latency_ms_p95 is 0.001, below the median",
    ),
    "an interval wider than the widest": ([("batches.0.widest", 0.001)], "$.batches[0].widest is 0.001"),
    "times that no two ways differ by": (
        [(f"batches.0.mixed_to_in_turn.{name}", 1e9) for name in ("ratio", "ratio_high")],
        "$.batches[0].mixed_to_in_turn has a ratio that no two ways of serving differ by",
    ),
    "no time at all": ([("batches.0.base_ms_p50", 1e-9)], "$.batches[0].base_ms_p50 is 1e-09"),
    "a batch of tasks that nothing holds": (
        [("batches.0.tasks", 3)],
        "$.batches[0].tasks is 3, which $.stored lacks",
    ),
    "a batch that repeats": (
        [("batches.1.tasks", 1)],
        "$.batches[1] repeats the size and the tasks of $.batches[0]",
    ),
    "merged in one place only": (
        [("batches.2.merged", None)],
        "$.batches[2].merged is null, but $.merged_switch is there",
    ),
    "merged everywhere but in one place": (
        [("merged_switch", None)],
        "$.merged_kept_bytes is there, but $.merged_switch is null",
    ),
    "tasks that fall": ([("stored.1.tasks", 1)], "$.stored[1].tasks is 1 after 1"),
    "less memory than tensors": (
        [("stored.2.memory_bytes", 16 * TENSOR_BYTES - 1)],
        "$.stored[2].memory_bytes is",
    ),
    "a time outside its interval": ([("stored.0.add.ms_high", 0.1)], "$.stored[0].add.ms_p50 is 0.52"),
    "a task that takes no time": ([("stored.0.evict.ms_low", 0.0)], "$.stored[0].evict.ms_low is 0"),
    "a ratio to next to nothing": (
        [("batches.0.in_turn.ratio", 5e-324), ("batches.0.in_turn.ratio_low", 5e-324)],
        "$.batches[0].in_turn has a ratio of",
    ),
    "a switch outside its interval": ([("merged_switch.ms_low", 9.0)], "$.merged_switch.ms_p50 is 3.1"),
    "parameters that take no room": ([("base_memory_bytes", 1000)], "$.base_memory_bytes is 1000"),
    "tasks that take no room": ([("task_tensor_bytes", 0)], "$.task_tensor_bytes is 0"),
    "nothing stored": ([("stored", [])], "$.stored is empty"),
    "nothing timed": ([("batches", [])], "$.batches is empty"),
    "percentiles that fall": (
        [("arrivals.simulated.0.waited.ms_p99", 0.5)],
        "$.arrivals.simulated[0].waited has percentiles that fall",
    ),
    "half of a rehearsal's speed": (
        [("arrivals.rehearsed.0.service_ratio", None)],
        "$.arrivals.rehearsed[0] has one of service_ratio and simulated_as_fast, expected both or none",
    ),
    "percentiles of a rehearsal that fall": (
        [("arrivals.rehearsed.1.measured.ms_p50", 1e3)],
        "$.arrivals.rehearsed[1].measured has percentiles that fall",
    ),
    "the limit kept beyond the largest rate": (
        [("arrivals.simulated.0.largest_rate_per_second", 100.0)],
        "$.arrivals.simulated[0].waited keeps the limit at 200 a second, but largest_rate_per_second is 100",
    ),
    "the limit missed below the largest rate": (
        [("arrivals.simulated.0.waited", None)],
        "$.arrivals.simulated[0].waited misses the limit at 200 a second, but largest_rate_per_second is 900",
    ),
    "more in memory than there are": (
        [("arrivals.simulated.0.in_memory", 11)],
        "$.arrivals.simulated[0].in_memory is 11 of 10 tasks",
    ),
    "more in memory than fit": (
        [("arrivals.memory_limit_bytes", 10 * TENSOR_BYTES)],
        "$.arrivals.simulated[1].in_memory is 1000, but their tensors take",
    ),
    "one simulation twice": (
        [("arrivals.simulated.1.tasks", 10), ("arrivals.simulated.1.in_memory", 10)],
        "$.arrivals.simulated[1] repeats the way, tasks and rate of another",
    ),
    "a length that was not timed": (
        [("arrivals.sequence_length", 32)],
        "$.arrivals.sequence_length is 32, and no batch of that length was timed",
    ),
    "batches larger than timed": (
        [("arrivals.largest_batch", 64)],
        "$.arrivals.largest_batch is 64, and the largest that was timed is 8",
    ),
    "no energy": (
        [("energy", {"source": "nvml", "joules_per_1000_requests": {"in turn": -1.0}})],
        '$.energy.joules_per_1000_requests["in turn"] is -1',
    ),
    "energy of nothing": (
        [("energy", {"source": "nvml", "joules_per_1000_requests": {}})],
        "$.energy.joules_per_1000_requests is empty",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_contradiction_is_one_sentence_with_its_path(name: str, tmp_path: Path) -> None:
    changes, sentence = FAULTS[name]
    write_serving(changed(build_serving(), *changes), tmp_path)
    (one,) = validate(tmp_path)
    assert one.kind == "serving"
    assert [fault for fault in one.faults if fault.startswith(sentence)], one.faults
    assert all(fault.startswith("$") and "\n" not in fault for fault in one.faults)
    with pytest.raises(RecordError, match="there is no record to report on"):
        read_all(tmp_path)


@pytest.mark.parametrize("place", ["simulated", "rehearsed"])
def test_a_method_that_does_not_merge_is_served_merged_nowhere(place: str) -> None:
    record = build_serving(merges=False, arrivals=arrivals(), joules={"merged in turn": 3.0})
    found = list(serving_faults(record))
    assert any(f.startswith(f"$.arrivals.{place}[") and "does not merge" in f for f in found)
    assert '$.energy.joules_per_1000_requests["merged in turn"] is there' in " ".join(found)


def test_one_task_for_all_rows_is_one() -> None:
    record = changed(build_serving(mix="one"), ("batches.4.distinct_tasks", 2.0))
    assert any("mix one, have 1 at most" in fault for fault in serving_faults(record))


def test_a_file_is_what_was_written_and_counts_once(tmp_path: Path) -> None:
    records = build_servings()
    paths = [write_serving(record, tmp_path) for record in records]
    assert paths[0].name.startswith("embedded--lora--uniform--")
    assert paths[0].name.endswith(".serving.json")
    assert read_serving(paths[0]) == records[0]
    assert [one.method for one in read_servings(tmp_path)] == ["houlsby", "ia3", "lora"]
    again = tmp_path / "again.serving.json"
    again.write_bytes(paths[0].read_bytes())
    with pytest.raises(RecordError, match="repeats the record of"):
        read_servings(tmp_path)
    found = read_all(tmp_path)
    assert [one.method for one in found.servings.values()] == ["houlsby", "ia3", "lora"]
    assert [reason.split(" ")[0] for reason in found.left_out.values()] == ["repeats"]
    assert any("repeats the record of" in fault for fault in together(validate(tmp_path)).faults)


def test_another_version_and_an_unknown_field_are_refused(tmp_path: Path) -> None:
    path = write_serving(build_serving(), tmp_path)
    data = json.loads(path.read_text())
    for change, sentence in (({"schema_version": 2}, "$.schema_version is 2"), ({"more": 1}, "$.more")):
        path.write_text(json.dumps(data | change))
        (one,) = validate(path)
        assert one.serving is None
        assert one.faults[0].startswith(sentence)


def test_a_base_that_differs_from_itself_is_a_caution(tmp_path: Path) -> None:
    write_serving(build_serving(cell={"control": 1.04, "widest": 0.02}, rows=(8,), lengths=(16,)), tmp_path)
    checked = validate(tmp_path)
    assert checked[0].faults == []
    cautions = together(checked).cautions
    assert len(cautions) == 3
    assert "$.batches[0].control: the base against itself excludes 1" in cautions[0]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    path=st.sampled_from(["stored", "stored.0", "batches.0.mixed", "arrivals", "energy", "options", "mix"]),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3),
        max_leaves=6,
    ),
)
def test_anything_is_told_in_sentences(tmp_path_factory, path, value):
    data: Data = build_serving(rows=(8,), lengths=(16,)).model_dump(mode="json")
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    inner: Any = data
    for part in way:
        inner = inner[part]
    inner[last] = value
    file = tmp_path_factory.mktemp("any") / "a.serving.json"
    file.write_text(json.dumps(data))
    (one,) = validate(file)
    assert all("\n" not in fault and fault.startswith("$") for fault in one.faults)

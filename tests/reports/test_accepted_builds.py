"""What ``validate`` accepts, ``report`` builds: records mutated through the whole range of the schema."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from reports import RecordError, build_site, write_latency, write_record, write_serving
from reports.records.bounds import check_values
from reports.records.checks import record_faults
from reports.records.consistency import arithmetic_faults
from reports.records.latency_schema import LatencyRecord
from reports.records.reading import read_all
from reports.records.schema import Record
from reports.records.validate import validate

from .conftest import build_record
from .servings import build_serving
from .sound import as_record, sound
from .stats.test_intrinsic import study
from .stats.test_latency import record as timed

WHOLE = (0, 1, 2, 3, 2**31, 2**53, -1)
FLOATS = (0.0, 5e-324, 1e-300, 1e-12, 0.5, 1.0, 1.0000001, 1e12, 1e300, 1.7e308, -1.0, -1e300)
TEXTS = ("", "x", "index", "0" * 64, "x" * 300, "lоra", "a/b", "..", "nan")
METRICS = ("accuracy", "f1", "matthews_correlation", "pearson", "loss")
UNITS = ("fraction", "correlation")


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of everything in a JSON document that holds nothing."""
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, (*path, index))]
    return [path]


def replaced(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(data))
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    return copy


def other(value: Any, draw: DataObject) -> Any:
    """A value of the same kind, or none."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.draw(st.one_of(st.sampled_from(WHOLE), st.none()))
    if isinstance(value, float):
        return draw.draw(st.one_of(st.sampled_from(FLOATS), st.none()))
    if isinstance(value, str):
        return draw.draw(st.one_of(st.sampled_from(TEXTS), st.none()))
    return draw.draw(st.sampled_from([None, [], {}, 0, 0.5, "x"]))


def accepted(path: Path) -> bool:
    return not any(one.faults for one in validate(path))


def mutated(record: Record, folder: Path, draw: DataObject, times: int) -> None:
    """Write a record after as many changes as are accepted of those that are tried."""
    data = sound(record)
    for _ in range(times):
        places = leaves({key: data[key] for key in data if key not in ("trial_id", "schema_version")})
        place = draw.draw(st.sampled_from(places))
        inner: Any = data
        for part in place:
            inner = inner[part]
        try:
            tried = sound(as_record(replaced(data, place, other(inner, draw))))
            check_values(tried)
        except (ValueError, TypeError):
            continue
        candidate = as_record(tried)
        if not (list(record_faults(candidate)) or list(arithmetic_faults(candidate))):
            data = tried
    write_record(as_record(data), folder)


SETTINGS = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@SETTINGS
@given(st.data(), st.integers(1, 3), st.integers(1, 2), st.integers(1, 4))
def test_trials_at_the_ends_of_their_ranges(draw: DataObject, methods: int, tasks: int, seeds: int) -> None:
    metric, unit = draw.draw(st.sampled_from(METRICS)), draw.draw(st.sampled_from(UNITS))
    scores = st.sampled_from([0.0, 1e-9, 0.5, 0.8, 1.0])
    higher = draw.draw(st.booleans())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for method in ("lora", "full", "head")[:methods]:
            for task in ("a", "b")[:tasks]:
                for seed in range(seeds):
                    record = build_record(
                        *(method,),
                        task=task,
                        seed=seed,
                        score=draw.draw(scores),
                        metric=metric,
                        unit=unit,
                        higher_is_better=higher,
                        status=draw.draw(st.sampled_from(["completed"] * 4 + ["diverged", "failed"])),
                        method_parameters=draw.draw(st.sampled_from([0, 1, 73_728])),
                        tree_clean=draw.draw(st.sampled_from([True, True, None, False])),
                    )
                    mutated(record, folder / "records", draw, times=3)
        _builds(folder)


@SETTINGS
@given(st.data())
def test_searches_for_d90_at_the_ends_of_their_ranges(draw: DataObject) -> None:
    scores = st.sampled_from([0.0, 0.45, 0.5, 0.6, 0.72, 1.0])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for record in study({d: draw.draw(scores) for d in (1, 2, 64, 2**20)}):
            mutated(record, folder / "records", draw, times=3)
        _builds(folder)


@SETTINGS
@given(st.data(), st.integers(1, 30))
def test_latencies_at_the_ends_of_their_ranges(draw: DataObject, lengths: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(lengths):
            data: Any = timed(1 + number % 3, 2 ** (number % 15) + number).model_dump(mode="json")
            path = write_latency(LatencyRecord.model_validate_json(json.dumps(data)), folder)
            for _ in range(3):
                places = leaves({key: value for key, value in data.items() if key != "schema_version"})
                at = draw.draw(st.sampled_from(places))
                inner = data
                for part in at:
                    inner = inner[part]
                tried = replaced(data, at, other(inner, draw))
                path.write_text(json.dumps(tried))
                data = tried if accepted(path) else data
                path.write_text(json.dumps(data))
        _builds(folder)


@SETTINGS
@given(st.data(), st.integers(1, 3))
def test_servings_at_the_ends_of_their_ranges(draw: DataObject, methods: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for method in ("lora", "ia3", "houlsby")[:methods]:
            joules = draw.draw(st.sampled_from([None, {"mixed": 2.0, "in turn": 3.0}]))
            record = build_serving(method, merges=method == "lora", joules=joules, lengths=(16,))
            data: Any = record.model_dump(mode="json")
            path = write_serving(record, folder)
            for _ in range(10):
                places = leaves({key: value for key, value in data.items() if key != "schema_version"})
                at = draw.draw(st.sampled_from(places))
                inner = data
                for part in at:
                    inner = inner[part]
                tried = replaced(data, at, other(inner, draw))
                path.write_text(json.dumps(tried))
                data = tried if accepted(path) else data
                path.write_text(json.dumps(data))
        _builds(folder)


@pytest.mark.parametrize("lengths", [1, 2, 30, 120])
def test_any_number_of_lengths_has_a_figure(lengths: int, tmp_path: Path) -> None:
    found = [timed(1, 1 + number) for number in range(lengths)]
    assert (build_site([], tmp_path, latencies=found)).exists()


@pytest.mark.parametrize(("methods", "sizes"), [(1, 1), (3, 12), (12, 2)])
def test_any_number_of_methods_and_sizes_has_a_figure(methods: int, sizes: int, tmp_path: Path) -> None:
    lengths = [16 * (1 + number) for number in range(sizes)]
    found = [build_serving(f"m{number}", lengths=lengths) for number in range(methods)]
    assert (build_site([], tmp_path, servings=found)).exists()


def _builds(folder: Path) -> None:
    try:
        found = read_all(folder)
    except RecordError:  # nothing was accepted
        return
    page = build_site(
        list(found.trials.values()),
        folder / "site",
        latencies=list(found.latencies.values()),
        servings=list(found.servings.values()),
        origins=found.origins,
    )
    assert page.exists()
    again = read_all(folder)  # and the site is no source of records
    kinds = ("trials", "latencies", "servings")
    assert all(getattr(again, kind) == getattr(found, kind) for kind in kinds)

"""The published schema takes what the models take, and says of every field what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from reports.records.files import find
from reports.records.latency_files import read_latency
from reports.records.schema_json import latency_schema, record_schema, serving_schema
from reports.records.store import read_record
from tests.reports.conftest import build_record
from tests.reports.servings import build_servings

PUBLISHED = Path(__file__).parents[3] / "reports" / "leaderboards"


@pytest.mark.parametrize(
    "schema", [record_schema(), latency_schema(), serving_schema()], ids=["record", "latency", "serving"]
)
def test_a_schema_is_one_and_refuses_what_it_does_not_know(schema):
    Draft202012Validator.check_schema(schema)
    assert not Draft202012Validator(schema).is_valid({})
    for part in (schema, *schema["$defs"].values()):
        assert part["additionalProperties"] is False


def test_published_records_are_of_it():
    files = find(PUBLISHED)
    by_folder = {path.parent: path for path in files.trials}  # one of each study
    assert len(by_folder) > 5
    assert files.latencies
    takes = Draft202012Validator(record_schema())
    for path in by_folder.values():
        takes.validate(json.loads(read_record(path).model_dump_json()))
    takes = Draft202012Validator(latency_schema())
    for path in {path.parent: path for path in files.latencies}.values():
        takes.validate(json.loads(read_latency(path).model_dump_json()))


def test_records_of_serving_are_of_it():
    takes = Draft202012Validator(serving_schema())
    for record in build_servings(joules={"mixed": 2.5, "in turn": 4.0}):
        takes.validate(json.loads(record.model_dump_json()))
    assert not takes.is_valid(json.loads(record.model_dump_json()) | {"more": 1})


def test_a_field_too_many_and_a_wrong_type_are_refused():
    record = json.loads(build_record().model_dump_json())
    takes = Draft202012Validator(record_schema())
    takes.validate(record)
    assert not takes.is_valid(record | {"more": 1})
    assert not takes.is_valid(record | {"wall_seconds": "long"})
    assert not takes.is_valid(record | {"schema_version": 5})

"""Equal parts of records are one object, and nobody can tell but by the memory that they take."""

from __future__ import annotations

from reports.records.schema import Record
from reports.records.shared import shared


def test_equal_parts_of_two_records_are_one_object(make_record) -> None:
    first, second = (Record.model_validate_json(make_record(seed=seed).model_dump_json()) for seed in (0, 1))
    for part in ("model", "task", "parameters", "environment"):
        assert getattr(first, part) is getattr(second, part), part
    assert first.scores is not second.scores


def test_parts_that_differ_stay_apart(make_record) -> None:
    first = make_record(task="cola").task
    second = first.model_copy(update={"version": first.version + 1})
    assert shared(second) is second
    assert shared(first) == first != second


def test_what_is_shared_is_written_as_it_was(make_record) -> None:
    text = make_record().model_dump_json()
    assert Record.model_validate_json(text).model_dump_json() == text

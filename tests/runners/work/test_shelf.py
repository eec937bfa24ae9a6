"""The folder of records: nothing in it stops a study, and nothing that is put there is lost."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from reports import read_records, write_record
from reports.records.schema import Record
from runners.plan import study
from runners.plan.errors import SpecError
from runners.plan.parts import Part
from runners.work import execute, shelf
from runners.work.execute import How
from runners.work.shelf import Shelf, UnwrittenError


@pytest.fixture(scope="module")
def made(tiny_model: str, glue_folder: str) -> study.Study:
    return study.parse_study(
        {
            "name": "small",
            "models": [tiny_model],
            "tasks": ["cola"],
            "methods": ["head", "bitfit"],
            "data": glue_folder,
            "protocol": {"steps": 2, "evaluate_every": 2, "batch_size": 4},
            "costs": "none",
        }
    )


@pytest.fixture(scope="module")
def records(made: study.Study, tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return execute.run_study(made, tmp_path_factory.mktemp("records"), [])


def full_disk(monkeypatch: pytest.MonkeyPatch, writes: list[bool]) -> None:
    """Let the disk be full at every write for which the list says so, and free once it is empty."""

    def write(record: Record, folder: Path) -> Path:
        if writes and writes.pop(0):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_record(record, folder)

    monkeypatch.setattr(shelf, "write_record", write)


def test_a_record_that_cannot_be_written_is_printed_and_written_with_the_next(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    full_disk(monkeypatch, [True])
    board = Shelf(tmp_path, said.append)
    board.put(records[0])
    assert "No space left" in said[0]
    assert Record.model_validate_json(said[1]) == records[0]
    board.put(records[1])
    board.settle()
    assert {r.trial_id for r in read_records(tmp_path)} == {r.trial_id for r in records}


def test_at_the_end_what_is_not_written_is_an_error(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_disk(monkeypatch, [True] * 10)
    board = Shelf(tmp_path, lambda line: None)
    board.put(records[0])
    with pytest.raises(UnwrittenError, match="1 of the records could not be written"):
        board.settle()


BROKEN = {
    "half a record": lambda text: text[: len(text) // 2],
    "of a version to come": lambda text: json.dumps(json.loads(text) | {"schema_version": 99}),
    "nothing": lambda text: "",
    "a list": lambda text: "[]",
    "of another trial than it says": lambda text: text.replace('"seed": 0', '"seed": 5', 1),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_named_and_stops_its_own_trial_alone(
    kind: str, made: study.Study, records: list[Record], tmp_path: Path
) -> None:
    path = write_record(records[0], tmp_path)
    path.write_text(BROKEN[kind](path.read_text()))
    (tmp_path / "package.json").write_text('{"name": "of somebody else"}')
    before, said = path.read_bytes(), list[str]()
    (done,) = execute.run_study(made, tmp_path, [], how=How(say=said.append))
    assert done.trial_id == records[1].trial_id
    assert done.scores == records[1].scores
    assert path.read_bytes() == before
    assert len(said) == 2
    assert [str(path) in line for line in sorted(said, key=lambda line: "package" in line)] == [True, False]
    assert all("move it out of the folder" in line for line in said)
    path.unlink()
    assert len(execute.run_study(made, tmp_path, [])) == 2


def test_a_copy_of_a_record_is_named(made: study.Study, records: list[Record], tmp_path: Path) -> None:
    path = write_record(records[0], tmp_path)
    write_record(records[1], tmp_path)
    (tmp_path / "copy.json").write_bytes(path.read_bytes())
    said: list[str] = []
    assert execute.run_study(made, tmp_path, [], how=How(say=said.append)) == records
    assert len(said) == 1
    assert "repeats the trial of" in said[0]


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_a_wrong_folder_is_found_before_the_first_trial(kind: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    wrong = tmp_path / "taken" if kind == "a file" else tmp_path / "taken" / "out"
    with pytest.raises(SpecError, match=r"cannot be written to .*taken"):
        shelf.check_room(wrong, 3)


def test_a_full_disk_is_found_before_the_first_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(SpecError, match="about 192 kB for 3 records"):
        shelf.check_room(tmp_path, 3)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    for name in (".a.json.1.tmp", "search/.b.json.2.tmp", ".unfinished/.c.pt.3.tmp", "models/.d.4.tmp/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("half")
    (tmp_path / "models" / "kept").mkdir()
    with shelf.sole_owner(tmp_path):
        left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {".lock", "search", ".unfinished", "models", "models/kept"}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is refused is refused at once."""
    monkeypatch.setattr(shelf, "_PATIENCE", 0.05)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (Part(1, 2), Part(2, 2), True),
        (Part(1, 2), Part(1, 2), False),
        (Part(1, 2), Part(2, 3), False),
        (Part(1, 2), None, False),
        (None, Part(1, 2), False),
        (None, None, False),
    ],
)
def test_parts_work_in_one_folder_each_once_and_not_beside_the_whole(
    first: Part | None, second: Part | None, together: bool, tmp_path: Path, impatient: None
) -> None:
    begun = shelf.sole_owner(tmp_path, 1, second)
    with shelf.sole_owner(tmp_path, 1, first):
        if together:
            with begun:
                pass
        else:
            with pytest.raises(SpecError, match=r"at work in .*wait for it"), begun:
                pass
    with shelf.sole_owner(tmp_path, 1, second):  # whoever was refused, or refused, left no lock
        pass
    with shelf.sole_owner(tmp_path, 1, first):
        pass


def test_what_a_running_part_is_writing_is_left_alone(tmp_path: Path, impatient: None) -> None:
    half = tmp_path / ".a.json.1.tmp"
    with shelf.sole_owner(tmp_path, 1, Part(1, 2)):
        half.write_text("half")
        with shelf.sole_owner(tmp_path, 1, Part(2, 2)):
            assert half.exists()
    with shelf.sole_owner(tmp_path, 1, Part(2, 2)):
        assert not half.exists()


def test_room_is_left_as_it_was(tmp_path: Path) -> None:
    shelf.check_room(tmp_path / "new", 3)
    assert list((tmp_path / "new").iterdir()) == []


def test_read_record_of_a_trial_has_no_gap_where_no_costs_were_asked(records: list[Record]) -> None:
    assert [record.gaps for record in records] == [{}, {}]
    assert [record.costs_from for record in records] == [None, None]

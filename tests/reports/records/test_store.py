"""Records on disk: round trip, atomicity, and one clear sentence for every fault."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import SCHEMA_VERSION, RecordError, read_record, read_records, write_record
from reports.records.store import read_searches

HISTORIC = Path(__file__).parents[2] / "historic_results"


def test_round_trip_and_name(make_record, tmp_path):
    record = make_record(options={"rank": 8, "target": ["query", "value"]}, seed=3)
    path = write_record(record, tmp_path / "new" / "folder")
    assert read_record(path) == record
    assert path.name == f"rotten_tomatoes--lora--seed3--{record.trial_id[:12]}.json"
    assert list(path.parent.iterdir()) == [path]


def test_same_trial_replaces_its_file(make_record, tmp_path):
    write_record(make_record(score=0.1), tmp_path)
    path = write_record(make_record(score=0.9), tmp_path)
    assert read_record(path).scores.report == {"accuracy": 0.9}
    assert len(read_records(tmp_path)) == 1


def test_crash_while_writing_leaves_the_old_file(make_record, tmp_path, monkeypatch):
    path = write_record(make_record(score=0.5), tmp_path)
    before = path.read_bytes()

    def crash(*_):
        raise OSError("power cut")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="power cut"):
        write_record(make_record(score=0.9), tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_are_ignored(make_record, tmp_path):
    record = make_record()
    path = write_record(record, tmp_path)
    (tmp_path / f".{path.name}.0123.tmp").write_text('{"half":')
    (tmp_path / ".hidden.json").write_text("{")
    assert read_records(tmp_path) == [record]


def test_reading_is_recursive_ordered_and_takes_several_sources(make_record, tmp_path):
    for seed in (2, 0, 1):
        write_record(make_record(seed=seed), tmp_path / "deep" / str(seed))
    single = write_record(make_record("head"), tmp_path / "other")
    found = read_records(tmp_path / "deep")
    assert [record.spec["seed"] for record in found] == [0, 1, 2]
    assert len(read_records([tmp_path, single])) == 4
    assert read_records(str(single))[0].spec["method"] == "head"


def as_search(record):
    """The same trial as one of a search: scored on the selection split alone."""
    scores = record.scores.model_copy(update={"report": {}, "majority": {}})
    spec = {**record.spec, "search": True}
    return record.model_copy(update={"scores": scores, "spec": spec, "trial_id": "5e" * 32})


def test_trials_of_searches_are_kept_apart(make_record, tmp_path):
    record = make_record()
    searching = as_search(record)
    write_record(record, tmp_path)
    path = write_record(searching, tmp_path / "search")
    assert path.name == "rotten_tomatoes--lora--seed0--5e5e5e5e5e5e.search.json"
    assert read_record(path) == searching
    assert read_records(tmp_path) == read_records([tmp_path, path]) == [record]
    assert read_searches(tmp_path) == [searching]
    (path.parent / f".{path.name}").write_text("{")
    assert read_searches(tmp_path) == [searching]
    plain = path.rename(tmp_path / "plain.json")
    with pytest.raises(RecordError, match=r"plain\.json: this is a trial of a search"):
        read_records(tmp_path)
    assert read_record(plain) == searching


def test_a_fixed_and_a_tuned_trial_of_one_spec_are_two(make_record, tmp_path):
    fixed, tuned = make_record(), make_record(tuning=True)
    assert fixed.trial_id == tuned.trial_id
    paths = [write_record(record, tmp_path) for record in (fixed, tuned)]
    assert paths[1].name == paths[0].name.replace(".json", "--tuned.json")
    assert read_records(tmp_path) == [tuned, fixed]
    write_record(tuned, tmp_path / "again")
    with pytest.raises(RecordError, match="a trial counts once"):
        read_records(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("tuning.trials", 4, r"\$\.tuning\.history has 3 entries, but \$\.tuning\.trials is 4"),
        ("tuning.chosen", {}, r"\$\.tuning\.chosen has other names"),
        ("tuning.history", [{"values": {"rank": 1}, "score": 0, "status": "failed"}] * 3, r"history\[0\]"),
        ("tuning.split", "report", r"\$\.tuning\.split: "),
        ("spec.search", True, r"\$\.scores\.report has values, but"),
    ],
)
def test_a_search_that_does_not_add_up_is_refused(make_record, tmp_path, path, value, message):
    data = make_record(tuning=True).model_dump(mode="json")
    _set(data, path, value)
    file = tmp_path / "some.json"
    file.write_text(json.dumps(data))
    with pytest.raises(RecordError, match=message):
        read_record(file)


def test_a_trial_of_a_search_is_not_itself_tuned(make_record, tmp_path):
    tuned = make_record(tuning=True)
    path = write_record(as_search(tuned), tmp_path)
    with pytest.raises(RecordError, match=r"\$\.tuning is there"):
        read_record(path)


def test_duplicate_trials_are_refused(make_record, tmp_path):
    path = write_record(make_record(), tmp_path / "a")
    write_record(make_record(), tmp_path / "b")
    with pytest.raises(RecordError, match=r"b/.*trial_id repeats that of .*a/") as caught:
        read_records(tmp_path)
    assert str(path) in str(caught.value)


def test_hostile_names_stay_in_the_folder(make_record, tmp_path):
    path = write_record(make_record("../../x", task="/etc/\x00passwd" + "y" * 400), tmp_path)
    assert path.parent == tmp_path
    assert len(path.name) < 200


@pytest.mark.parametrize("place", ["spec", "protocol"])
def test_writing_nan_is_refused(make_record, tmp_path, place):
    record = make_record()
    target = record.spec if place == "spec" else record.spec["protocol"]
    target["odd"] = float("nan")
    with pytest.raises(RecordError, match=r"\$\.spec.*odd is nan"):
        write_record(record, tmp_path)
    assert list(tmp_path.iterdir()) == []


def _set(data, path, value):
    *parents, last = path.split(".")
    for key in parents:
        data = data[key]
    data[last] = value


FAULTS = [
    ("schema_version", 7, r"\$\.schema_version is 7"),
    ("schema_version", "1", r"\$\.schema_version is '1'"),
    ("schema_version", True, r"\$\.schema_version is True"),
    ("trial_id", 5, r"\$\.trial_id: "),
    ("parameters.head", "770", r"\$\.parameters\.head: "),
    ("parameters.head", -1, r"\$\.parameters\.head: "),
    ("parameters.head", 771, r"\$\.parameters\.trainable is "),
    ("parameters.base", 10**30, r"\$\.parameters\.base is an integer beyond"),
    ("surprise", 1, r"\$\.surprise: "),
    ("scores.report.accuracy", float("nan"), r"\$\.scores\.report\.accuracy is nan"),
    ("scores.report.accuracy", float("inf"), r"\$\.scores\.report\.accuracy is inf"),
    ("scores.report.accuracy", 81.5, r"\$\.scores\.report\.accuracy is 81.5, outside 0 to 1"),
    ("scores.report", {}, r"\$\.scores\.report has no value"),
    ("scores", None, r"\$\.scores is null, but the trial is marked completed"),
    ("task.main_metric", "bleu", r"\$\.task\.main_metric is 'bleu'"),
    ("status", "great", r"\$\.status: "),
    ("status", "failed", r"\$\.message is empty"),
    ("spec.method", None, r"\$\.spec\.method is None, expected str"),
    ("spec", {}, r"\$\.spec\.model is missing"),
    ("spec.seed", True, r"\$\.spec\.seed is True, expected int"),
    ("study", "\ud800", r"\$\.study holds text that is not valid Unicode"),
]


@pytest.mark.parametrize(("path", "value", "message"), FAULTS)
def test_faults_name_file_and_path_in_one_sentence(make_record, tmp_path, path, value, message):
    file = tmp_path / "some.json"
    data = make_record().model_dump(mode="json")
    _set(data, path, value)
    file.write_text(json.dumps(data))
    with pytest.raises(RecordError, match=message) as caught:
        read_record(file)
    said = str(caught.value)
    assert said.startswith(f"{file}: ")
    assert said.endswith(".")
    assert "\n" not in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"9" * 10_000,
        b'{"a":' * 60 + b"1" + b"}" * 60,
    ],
    ids=range(8),
)
def test_files_that_are_no_records(tmp_path, content):
    file = tmp_path / "some.json"
    file.write_bytes(content)
    with pytest.raises(RecordError, match=r"some\.json: \$"):
        read_record(file)


def test_giant_file_and_missing_file(tmp_path):
    file = tmp_path / "some.json"
    file.write_bytes(b" " * 4_000_001)
    with pytest.raises(RecordError, match="larger than"):
        read_record(file)
    with pytest.raises(RecordError, match="no such file or folder"):
        read_records(tmp_path / "absent")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_any_json_is_read_or_refused_properly(tmp_path_factory, value):
    file = tmp_path_factory.mktemp("any") / "some.json"
    file.write_text(json.dumps(value))
    with pytest.raises(RecordError):
        read_record(file)


def test_upgrades_are_applied_in_turn(make_record, tmp_path):
    record = make_record()
    old = record.model_dump(mode="json")
    old["schema_version"] = SCHEMA_VERSION - 2
    old["trial"] = old.pop("trial_id")
    old.pop("wall_seconds")
    file = tmp_path / "old.json"
    file.write_text(json.dumps(old))
    upgrades = {
        SCHEMA_VERSION - 2: lambda data: {("trial_id" if key == "trial" else key): data[key] for key in data},
        SCHEMA_VERSION - 1: lambda data: {**data, "wall_seconds": record.wall_seconds},
    }
    assert read_record(file, upgrades=upgrades) == record
    with pytest.raises(RecordError, match=f"schema_version is {SCHEMA_VERSION - 2}"):
        read_record(file, upgrades={})


def test_a_record_of_every_older_version_is_still_read():
    for version in range(1, SCHEMA_VERSION):
        path = HISTORIC / f"record-{version}.json"
        assert json.loads(path.read_text())["schema_version"] == version
        record = read_record(path)
        assert record.schema_version == SCHEMA_VERSION
        assert record.status == "completed"


def test_version_1_knew_nothing_of_the_split_of_memory_nor_of_floors():
    record = read_record(HISTORIC / "record-1.json")
    assert record.memory.peak_training_bytes > 0
    assert record.memory.activations_bytes is None
    assert record.latency.merge_logit_difference is None
    assert (record.compute, record.serving) == (None, None)


def test_version_2_knew_nothing_of_searches():
    record = read_record(HISTORIC / "record-2.json")
    assert record.compute is not None
    assert record.tuning is None

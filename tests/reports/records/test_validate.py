"""Files of strangers: every fault of every file in one sentence, and what only shows in several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import RecordError
from reports.records.identity import spec_hash
from reports.records.store import read_record
from reports.records.validate import Findings, validate
from reports.stats.completeness import together as together_of

from ..sound import sound, spoiled

HISTORIC = Path(__file__).parents[2] / "historic_results"
BOARD = Path(__file__).parents[3] / "reports" / "leaderboards" / "rotten-tomatoes"


def check(source, **options):
    """What `paretune validate` does: each by itself, then all beside each other."""
    found = validate(source, **options)
    return found, together_of(found)


def _write(folder, name, data):
    (folder / name).write_text(json.dumps(data))
    return folder / name


def test_the_published_records_are_valid():
    checked, together = check([BOARD, HISTORIC / "record-1.json"])
    assert [one.faults for one in checked] == [[]] * 10
    twice = read_record(HISTORIC / "record-1.json").trial_id
    (fault,) = together.faults
    assert "record-1.json" not in fault or "counts once" in fault
    assert twice in fault


def test_every_fault_is_told(make_record, tmp_path):
    data = spoiled(sound(make_record()), "trial_id", "0" * 64)
    file = _write(tmp_path, "a.json", spoiled(data, "wall_seconds", 0.0))
    (one,), together = check(file)
    assert (one.file, one.kind, len(one.faults)) == (str(file), "trial", 2)
    assert together == Findings()
    typed = spoiled(spoiled(data, "parameters.head", "770"), "surprise", 1)
    (one,), _ = check(_write(tmp_path, "a.json", typed))
    assert [fault.split(":")[0] for fault in one.faults] == ["$.parameters.head", "$.surprise"]


def test_faults_are_bounded(make_record, tmp_path):
    data = sound(make_record()) | {f"x{number}": 1 for number in range(500)}
    (one,), _ = check(_write(tmp_path, "a.json", data))
    assert len(one.faults) == 50


def test_a_caution_is_no_fault(make_record, tmp_path):
    _write(tmp_path, "a.json", sound(make_record(tree_clean=False)))
    (one,), together = check(tmp_path)
    assert one.faults == []
    assert one.cautions[0].startswith("$.environment.tree_clean is false")
    assert together.cautions[0].startswith("lora on rotten_tomatoes on embedded is not ranked: measured from")


def test_incomplete_cells_are_told(make_record, tmp_path):
    for seed in range(3):
        _write(tmp_path, f"a{seed}.json", sound(make_record(seed=seed)))
    _write(tmp_path, "b.json", sound(make_record("head", seed=1)))
    _, together = check(tmp_path)
    assert together.cautions[0] == (
        "$.spec.seed: head on rotten_tomatoes on embedded has 1 seed and lacks 0 and 2, which other rows "
        "have, so its cell is not complete"
    )
    assert together.cautions[1].endswith("is not ranked: 1 of the 3 seeds that the protocol asks for")


def test_records_that_disagree_on_the_task(make_record, tmp_path):
    _write(tmp_path, "a.json", sound(make_record()))
    _write(tmp_path, "b.json", sound(make_record("head", metric="f1")))
    checked, together = check(tmp_path)
    assert [one.faults for one in checked] == [[], []]
    assert together.faults == []
    assert any("is not ranked: another version of the task, or other metrics" in c for c in together.cautions)


def test_further_checks_see_sound_records_only(make_record, tmp_path):
    _write(tmp_path, "a.json", sound(make_record()))
    _write(tmp_path, "b.json", sound(make_record("head")) | {"wall_seconds": 0.0})
    (good, bad), _ = check(tmp_path, further=[lambda record: Findings(faults=["$.x is odd"])])
    assert good.faults == ["$.x is odd"]
    assert "$.x is odd" not in bad.faults


def test_trials_of_a_search_are_checked_by_themselves(make_record, tmp_path):
    data = sound(make_record())
    data["spec"]["search"] = True
    data["trial_id"] = spec_hash(data["spec"])
    data["scores"] |= {"report": {}, "majority": {}}
    _write(tmp_path, "a.search.json", data)
    (one,), together = check(tmp_path)
    assert (one.faults, one.cautions, together) == ([], [], Findings())
    (other,), _ = check(_write(tmp_path, "b.json", data))
    assert other.faults[0].startswith("$.spec.search contradicts the file's name")


def test_nothing_to_check(tmp_path):
    with pytest.raises(RecordError, match="there are no records in"):
        validate(tmp_path)
    with pytest.raises(RecordError, match="no such file or folder"):
        validate(tmp_path / "absent")


def test_a_latency_file_is_checked_too(tmp_path):
    file = tmp_path / "a.latency.json"
    file.write_text('{"schema_version": 9}')
    (one,), _ = check(tmp_path)
    assert (one.kind, one.record) == ("latency", None)
    assert one.faults[0].startswith("$.schema_version is 9")


@given(
    path=st.sampled_from(
        ["spec", "spec.seed", "spec.options", "study", "message", "task", "scores", "curve", "environment"]
    ),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3),
        max_leaves=6,
    ),
)
def test_anything_is_told_in_sentences(make_record_once, tmp_path_factory, path, value):
    file = _write(tmp_path_factory.mktemp("any"), "a.json", spoiled(make_record_once, path, value))
    (one,), _ = check(file)
    assert all("\n" not in fault and fault.startswith("$") for fault in one.faults)


@pytest.fixture(scope="module")
def make_record_once():
    from ..conftest import build_record

    return sound(build_record())

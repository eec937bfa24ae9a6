"""What belongs to a trial can be taken from one folder to another, whole."""

from __future__ import annotations

from pathlib import Path

from runners.plan.spec import TrialSpec
from runners.trials import beside


def test_what_lies_beside_a_record_goes_along_and_comes_back(tiny_model: str, tmp_path: Path) -> None:
    spec, other = (TrialSpec(model=tiny_model, task="cola", method="head", seed=seed) for seed in (0, 1))
    here, there = tmp_path / "here", tmp_path / "there"
    assert beside.files(here, spec) == []
    snapshot, method, waiting = beside.places(here, spec)
    content = {snapshot: b"state", method / "a.json": b"{}", method / "empty": b"", waiting / "b": b"b"}
    foreign = beside.places(here, other)[0]
    for path, data in {**content, foreign: b"other"}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert sorted(beside.files(here, spec)) == sorted(content)

    beside.write(there, beside.contents(here, beside.files(here, spec)))
    assert {p: (there / p.relative_to(here)).read_bytes() for p in content} == content
    assert beside.files(there, other) == []

    snapshot_there, method_there, _ = beside.places(there, spec)
    (method_there / "a.json").write_bytes(b"new")
    (method_there / "empty").unlink()
    snapshot_there.unlink()
    beside.replace(here, spec, beside.contents(there, beside.files(there, spec)))
    left = {path: path.read_bytes() for path in beside.files(here, spec)}
    assert left == {method / "a.json": b"new", waiting / "b": b"b"}
    assert foreign.read_bytes() == b"other"
    beside.replace(here, spec, {})
    assert [path for path in here.rglob("*") if path.is_file()] == [foreign]

"""A training that was killed goes on bit by bit as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from reports.records.schema import Record
from runners.plan.spec import TrialSpec
from runners.trials import loop, snapshots, trial
from runners.trials.trial import Keeping, run_trial

KILLED_AT = 8


class Killed(BaseException):
    """Stands for a signal: no part of a trial may catch it."""


@pytest.fixture(scope="module")
def spec(tiny_model: str, glue_folder: str) -> TrialSpec:
    """A trial with dropout, whose best step comes before and after the snapshot."""
    return TrialSpec(
        model=tiny_model,
        task="cola",
        method="lora",
        options={"dropout": 0.1},
        data=glue_folder,
        protocol={"steps": 12, "evaluate_every": 3, "batch_size": 8, "learning_rate": 0.05},
        costs=None,
    )


@pytest.fixture(scope="module")
def alone(spec: TrialSpec) -> Record:
    return run_trial(spec)


def killed(spec: TrialSpec, folder: Path, every: int = 5, after: int = KILLED_AT) -> None:
    """Run the trial with snapshots until it has done so many steps."""
    with pytest.MonkeyPatch.context() as patch:
        count = iter(range(1, 100))
        step = loop.training_step

        def counted(*given: Any, **more: Any) -> Any:
            if next(count) > after:
                raise Killed
            return step(*given, **more)

        patch.setattr(loop, "training_step", counted)
        with pytest.raises(Killed):
            run_trial(spec, keeping=Keeping(folder=folder, checkpoint_every=every))


def same(one: Record, other: Record) -> bool:
    """Whether two records of a trial have the same outcome, to the bit."""
    parts = [(r.scores, r.curve, r.answers, r.training and r.training.examples) for r in (one, other)]
    lengths = [(r.training and (r.training.padding_share, r.training.mean_length)) for r in (one, other)]
    return parts[0] == parts[1] and lengths[0] == lengths[1]


def test_a_killed_training_goes_on_to_the_same_bits(spec: TrialSpec, alone: Record, tmp_path: Path) -> None:
    killed(spec, tmp_path)
    assert trial.snapshot_file(tmp_path, spec).is_file()
    record = run_trial(spec, keeping=Keeping(folder=tmp_path))
    assert record.training is not None, record.message
    assert record.training.resumed_at == (5,)
    assert same(record, alone)


def test_a_trial_of_a_search_goes_on_from_its_rungs_to_the_same_bits(spec: TrialSpec, tmp_path: Path) -> None:
    searching = TrialSpec(**dict(spec) | {"search": True, "halving": True})
    keeping = Keeping(folder=tmp_path)
    whole = run_trial(searching, until=12)
    assert (whole.status, [point.step for point in whole.curve]) == ("completed", [3, 6, 9, 12])
    # The last two find a snapshot that is as far or further, and train nothing.
    for until, reached in ((3, 3), (6, 6), (6, 6), (3, 6)):
        at = run_trial(searching, keeping=keeping, until=until)
        assert at.training is not None, at.message
        assert at.scores is not None
        assert at.training.steps == reached
        assert (at.status, at.message) == ("pruned", f"stopped after step {reached} of 12.")
        assert at.curve == whole.curve[: reached // 3]
        assert at.training.examples == reached * 8
    record = run_trial(searching, keeping=keeping)
    assert record.training is not None, record.message
    assert record.status == "completed"
    assert same(record, whole)
    everyone = TrialSpec(
        **dict(searching) | {"protocol": searching.protocol.model_copy(update={"evaluate_every": 7})}
    )
    assert [point.step for point in run_trial(everyone).curve] == [3, 6, 7, 12]


def test_killed_twice(spec: TrialSpec, alone: Record, tmp_path: Path) -> None:
    killed(spec, tmp_path, every=2, after=4)
    killed(spec, tmp_path, every=2, after=5)
    record = run_trial(spec, keeping=Keeping(folder=tmp_path))
    assert record.training is not None, record.message
    assert record.training.resumed_at == (4, 8)
    assert same(record, alone)


def test_a_snapshot_of_something_else_is_named_and_left_alone(
    spec: TrialSpec, alone: Record, tmp_path: Path
) -> None:
    killed(spec, tmp_path)
    file = trial.snapshot_file(tmp_path, spec)
    other, fewer = (torch.load(file, weights_only=True) for _ in range(2))
    other["of"]["data"] = "other data"
    fewer["of"]["number of trained parameters"] -= 1  # by rules under which less of the same model trains
    for content in (other, fewer, {"of": [1], "state": {}}, None):
        if content is None:
            file.write_bytes(b"half a snapshot")
        else:
            torch.save(content, file)
        before, said = file.read_bytes(), list[str]()
        record = run_trial(spec, keeping=Keeping(folder=tmp_path, say=said.append))
        assert len(said) == 1
        assert "training starts over" in said[0]
        assert same(record, alone)
        assert file.read_bytes() == before


def test_a_full_disk_costs_the_snapshot_alone(
    spec: TrialSpec, alone: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "write_atomically", full)
    said: list[str] = []
    record = run_trial(spec, keeping=Keeping(folder=tmp_path, checkpoint_every=5, say=said.append))
    assert len(said) == 2
    assert "No space left" in said[0]
    assert same(record, alone)

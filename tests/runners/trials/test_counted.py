"""The joules of a training: its steps', all of them, and nobody else's. The counter here counts steps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reports.records.cost_parts import TrainingEnergy
from runners.measure.energy import Meter, Tally
from runners.plan.spec import TrialSpec
from runners.trials import loop, training
from runners.trials.trial import Keeping, run_trial

STEPS, STEP_JOULES, SCORING_JOULES = 6, 2.0, 1000.0


class Counter:
    """Stands for the machine's: it moves with each step and each scoring, and has zeus' two calls."""

    def __init__(self) -> None:
        self.joules, self._begun = 0.0, 0.0

    def begin_window(self, name: str) -> None:
        self._begun = self.joules

    def end_window(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(
            cpu_energy={0: self.joules - self._begun}, gpu_energy={0: self.joules - self._begun}, time=1.0
        )


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    found = Counter()

    def moving(call: Any, joules: float) -> Any:
        def moved(*given: Any, **more: Any) -> Any:
            found.joules += joules
            return call(*given, **more)

        return moved

    monkeypatch.setattr(loop, "training_step", moving(loop.training_step, STEP_JOULES))
    monkeypatch.setattr(loop._Loop, "_evaluate", moving(loop._Loop._evaluate, SCORING_JOULES))
    monkeypatch.setattr(training.Tally, "of", lambda device: Tally(Meter("rapl", found), 0.1))
    return found


@pytest.fixture(scope="module")
def spec(tiny_model: str, glue_folder: str) -> TrialSpec:
    protocol = {"steps": STEPS, "evaluate_every": 2, "batch_size": 8}
    return TrialSpec(
        model=tiny_model, task="cola", method="lora", data=glue_folder, protocol=protocol, costs=None
    )


WHOLE = TrainingEnergy(source="rapl", joules=STEPS * STEP_JOULES)


def test_the_joules_are_those_of_the_steps_and_of_no_scoring(counter: Counter, spec: TrialSpec) -> None:
    assert energy(spec) == WHOLE


@pytest.mark.parametrize(
    ("told", "joules"),
    [
        ([("nvml", 1.0), ("nvml", 2.0)], 3.0),
        ([("rapl", 1.0)], 1.0),
        ([("rapl", 1.0), ("rapl", 1.0)], None),  # twice the same machine
        ([("nvml", 1.0), None], None),
        ([None], None),
    ],
)
def test_processes_add_up_what_all_of_them_know(told: Any, joules: float | None) -> None:
    found = loop.energy(told)
    assert (found and found.joules) == joules


def test_beside_another_trial_nothing_is_told(counter: Counter, spec: TrialSpec) -> None:
    assert energy(spec, side_by_side=2) is None


def test_behind_blocks_that_were_computed_once_nothing_is_told(counter: Counter, spec: TrialSpec) -> None:
    assert energy(TrialSpec(**dict(spec) | {"method": "head", "options": {}})) is None


def test_a_training_that_goes_on_has_the_joules_of_all_its_steps(
    counter: Counter, spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop(patch, after=4)
        with pytest.raises(KeyboardInterrupt):
            run_trial(spec, keeping=Keeping(folder=tmp_path, checkpoint_every=3))
    assert energy(spec, keeping=Keeping(folder=tmp_path)) == WHOLE


def test_one_that_goes_on_by_another_counter_tells_no_part(
    counter: Counter, spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training.Tally, "of", lambda device: Tally(Meter("nvml", counter), 0.1))
        stop(patch, after=4)
        with pytest.raises(KeyboardInterrupt):
            run_trial(spec, keeping=Keeping(folder=tmp_path, checkpoint_every=3))
    assert energy(spec, keeping=Keeping(folder=tmp_path)) is None


def test_what_a_node_of_a_cluster_tells_has_no_joules(counter: Counter, spec: TrialSpec) -> None:
    assert energy(spec, side_by_side=None) is None


def test_one_that_goes_on_where_nothing_counts_tells_no_part(
    counter: Counter, spec: TrialSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training.Tally, "of", lambda device: Tally())
        stop(patch, after=4)
        with pytest.raises(KeyboardInterrupt):
            run_trial(spec, keeping=Keeping(folder=tmp_path, checkpoint_every=3))
    assert energy(spec, keeping=Keeping(folder=tmp_path)) is None


def energy(spec: TrialSpec, **how: Any) -> TrainingEnergy | None:
    record = run_trial(spec, **how)
    assert record.training is not None, record.message
    return record.training.energy


def stop(patch: pytest.MonkeyPatch, after: int) -> None:
    """Let the training be interrupted behind so many steps."""
    step, seen = loop.training_step, iter(range(1, 100))

    def stopping(*given: Any, **more: Any) -> Any:
        if next(seen) > after:
            raise KeyboardInterrupt
        return step(*given, **more)

    patch.setattr(loop, "training_step", stopping)

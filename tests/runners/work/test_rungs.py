"""Searches over trials whose scores a script tells: the budget, the order, what fails, what is lost.

The records are copies of a real one, with the curve of the script. Everything that decides is real.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reports.records.schema import CurvePoint, Record, Tuning
from reports.records.store import read_searches
from reports.records.validate import validate
from runners.plan import study
from runners.plan.halving import brackets, rungs, steps_in_all
from runners.plan.spec import TrialSpec
from runners.plan.study import Study
from runners.trials.jobs import Job, Listener
from runners.trials.trial import run_trial
from runners.work import search

STEPS, BATCH = 12, 8
RUNGS = rungs(STEPS)

Script = Callable[[TrialSpec, int], float | str | None]
"""What a trial scores after a step; a word is the status with which it fails on the way there."""


def content(model: str, data: str, trials: int, methods: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "models": [model],
        "tasks": ["cola"],
        "methods": methods,
        "data": data,
        "protocol": {"steps": STEPS, "evaluate_every": 100, "batch_size": BATCH},
        "costs": "none",
        "tuning": {"trials": trials, **more},
    }


@pytest.fixture(scope="module")
def make(tiny_model: str, glue_folder: str) -> Callable[..., Study]:
    def made(trials: int, methods: list[Any], **more: Any) -> Study:
        return study.parse_study(content(tiny_model, glue_folder, trials, methods, **more))

    return made


@pytest.fixture(scope="module")
def template(make: Callable[..., Study]) -> Record:
    return run_trial(make(2, ["lora"]).searches[0].default)


class Scripted:
    """Gives jobs back in any order, with the scores of a script; counts the steps that it would have trained.

    Args:
        template: what the records are like.
        script: what trials score.
        order: decides which job is done next.
    """

    alone = True

    def __init__(self, template: Record, script: Script, order: int = 0) -> None:
        self.template, self.script, self.random = template, script, random.Random(order)
        self.waiting: list[tuple[Job, Listener]] = []
        self.reached: dict[str, int] = {}
        self.steps: dict[str, int] = {}
        self.begun: list[str] = []

    def submit(self, job: Job, listener: Listener) -> None:
        self.waiting.append((job, listener))

    def next(self) -> tuple[Job, Record]:
        job, listener = self.waiting.pop(self.random.randrange(len(self.waiting)))
        listener.started()
        return job, self.record(job)

    def record(self, job: Job) -> Record:
        spec, until, before = job.spec, job.until, self.reached.get(job.spec.trial_id, 0)
        assert until is not None
        self.begun += [] if before else [spec.trial_id]
        self.steps[spec.method] = self.steps.get(spec.method, 0) + until - before
        self.reached[spec.trial_id] = until
        told = {"trial_id": spec.trial_id, "spec": spec.model_dump(mode="json")}
        at = [step for step in (RUNGS if spec.halving else (STEPS,)) if step <= until]
        scores = [(step, self.script(spec, step)) for step in at]
        lost = next(((step, s) for step, s in scores if isinstance(s, str)), None)
        if lost is not None:
            ended = {"status": lost[1], "message": "no luck", "scores": None, "curve": (), "training": None}
            return self.template.model_copy(update={**told, **ended})
        values = [(step, s) for step, s in scores if not isinstance(s, str)]
        known = [(s, -step) for step, s in values if s is not None]
        best, where = max(known, default=(None, -at[0]))
        assert self.template.scores is not None
        assert self.template.training is not None
        training = {"steps": until, "examples": until * BATCH, "resumed_at": (before,) if before else ()}
        rate = self.template.training.seconds
        training["examples_per_second"] = until * BATCH / rate
        done = until == STEPS
        return self.template.model_copy(
            update={
                **told,
                "status": "completed" if done else "pruned",
                "message": None if done else f"stopped after step {until} of {STEPS}.",
                "scores": self.template.scores.model_copy(
                    update={"selection": {"matthews_correlation": best}, "best_step": -where}
                ),
                "curve": tuple(
                    CurvePoint(step=step, train_loss=0.5, selection={"matthews_correlation": s})
                    for step, s in values
                ),
                "training": self.template.training.model_copy(update=training),
            }
        )


def drawn(spec: TrialSpec, step: int) -> float | str | None:
    """A score that depends on nothing but the setting and the step; some fail, some are undefined."""
    luck = random.Random(f"{spec.protocol.learning_rate} {dict(spec.options)} {spec.method}")
    fate, at = luck.random(), luck.choice(RUNGS)
    if fate < 0.3 and step >= at:
        return ("failed", "diverged", "out_of_memory")[int(fate * 10)]
    scores = [luck.choice([None, *(n / 10 for n in range(-3, 8))]) for _ in RUNGS]
    return scores[RUNGS.index(step)]


def never_fails(spec: TrialSpec, step: int) -> float | None:
    score = drawn(spec, step)
    return 0.1 if isinstance(score, str) else score


def told(found: Study) -> list[Tuning]:
    """What the searches found, in order, without the times."""
    by_method = {spec.method: found.tunings[spec.trial_id] for spec in found.specs}
    return [tuning.model_copy(update={"seconds": 0.0}) for tuning in by_method.values()]


METHODS = ["full", "lora"]


@pytest.mark.parametrize(("trials", "seeds"), [(2, 1), (3, 1), (5, 1), (5, 2), (8, 1), (15, 1)])
def test_every_method_is_given_the_same_examples_whatever_it_scores(
    trials: int, seeds: int, make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    for halving in (True, False):
        executor = Scripted(template, never_fails)
        found = search.run_searches(
            make(trials, METHODS, halving=halving, seeds=seeds),
            tmp_path / str(halving),
            [],
            executor=executor,
        )
        planned = steps_in_all(brackets(trials, STEPS, halving=halving))
        assert [tuning.examples for tuning in told(found)] == [planned * BATCH * seeds] * 2
        for tuning in told(found):
            assert len(tuning.history) == tuning.trials == trials
            assert sum(step.steps or 0 for step in tuning.history) == planned
            assert tuning.rungs == ((RUNGS[:1] if trials == 2 else RUNGS[:-1]) if halving else ())
        assert {*executor.steps.values()} == {planned * seeds}


@pytest.mark.parametrize("seeds", [1, 2])
def test_what_is_found_does_not_depend_on_which_trial_is_done_first(
    seeds: int, make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    parsed = make(9, METHODS, seeds=seeds)
    ways = []
    for order in range(3):
        folder = tmp_path / str(order)
        found = search.run_searches(parsed, folder, [], executor=Scripted(template, drawn, order))
        records = sorted(read_searches(folder), key=lambda record: record.trial_id)
        ways.append((found.specs, told(found), [(r.trial_id, r.status, r.message, r.curve) for r in records]))
        assert not [fault for one in validate(folder) for fault in one.faults]
    assert all(way == ways[0] for way in ways)
    assert {step.status for tuning in ways[0][1] for step in tuning.history} >= {"completed", "pruned"}


@pytest.mark.parametrize("seeds", [1, 2])
def test_from_any_part_of_its_records_a_search_ends_alike(
    seeds: int, make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    parsed = make(7, METHODS, seeds=seeds)
    whole = search.run_searches(parsed, tmp_path, [], executor=Scripted(template, drawn))
    files = sorted((tmp_path / search.FOLDER).iterdir())
    contents = {file: file.read_bytes() for file in files}
    for seed in range(4):
        for file, told_ in contents.items():
            file.write_bytes(told_)
        lost = random.Random(seed).sample(files, len(files) // 2 if seed else 0)
        for file in lost:
            file.unlink()
        executor = Scripted(template, drawn)
        again = search.run_searches(parsed, tmp_path, [], executor=executor)
        assert told(again) == told(whole)
        assert again.specs == whole.specs
        assert len({*executor.begun}) == len(lost)
        assert {file.name for file in files} == {f.name for f in (tmp_path / search.FOLDER).iterdir()}


def ladder(spec: TrialSpec, step: int) -> float:
    """The higher the rate the better, and better with each step."""
    return min(1.0, (spec.protocol.learning_rate or 0.0) * 10 + step / 1000)


def places(tuning: Tuning) -> list[tuple[str, int | None]]:
    """Status and steps of settings, by their score under :func:`ladder`, the best first."""
    order = sorted(tuning.history, key=lambda step: -step.values["learning_rate"])
    return [(step.status, step.steps) for step in order]


def test_the_better_half_goes_on_and_the_rest_has_a_reason(
    make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    found = search.run_searches(make(4, ["full"]), tmp_path, [], executor=Scripted(template, ladder))
    (tuning,) = told(found)
    assert places(tuning) == [("completed", 12), ("pruned", 6), ("pruned", 3), ("pruned", 3)]
    assert tuning.chosen == max((step.values for step in tuning.history), key=lambda v: v["learning_rate"])
    assert sorted(record.message or "" for record in read_searches(tmp_path)) == [
        "",
        "stopped after step 3 of 12: number 3 of 4 settings.",
        "stopped after step 3 of 12: number 4 of 4 settings.",
        "stopped after step 6 of 12: number 2 of 2 settings.",
    ]


def test_a_setting_is_as_good_as_its_seeds_are_on_average(
    make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    """The best rate of the first seed is the worst of the second; with one of them it would be chosen."""

    def script(spec: TrialSpec, step: int) -> float:
        score = ladder(spec, step)
        return score if spec.seed == 1000 else 2 * ladder(spec, STEPS) * (score < 0.02)

    found = search.run_searches(make(4, ["full"], seeds=2), tmp_path, [], executor=Scripted(template, script))
    (tuning,) = told(found)
    for step in tuning.history:
        assert len(step.scores) == tuning.seeds == 2
        assert step.score == pytest.approx(sum(step.scores) / 2)
    assert (
        tuning.chosen
        == max(
            (step for step in tuning.history if step.status == "completed"), key=lambda step: step.score
        ).values
    )
    assert len(read_searches(tmp_path)) == 8
    assert not [fault for one in validate(tmp_path) for fault in one.faults]


def test_a_setting_fails_as_one_of_its_seeds_does(
    make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    rates = [spec.protocol.learning_rate for spec in (make(4, ["full"]).searches[0].default,)]

    def script(spec: TrialSpec, step: int) -> float | str:
        lost = spec.seed == 1001 and spec.protocol.learning_rate in rates
        return "diverged" if lost else ladder(spec, step)

    found = search.run_searches(make(4, ["full"], seeds=2), tmp_path, [], executor=Scripted(template, script))
    (tuning,) = told(found)
    assert (tuning.history[0].status, tuning.history[0].score) == ("diverged", None)
    assert tuning.chosen != tuning.history[0].values
    others = [one for one in read_searches(tmp_path) if one.spec["protocol"]["learning_rate"] in rates]
    assert sorted((one.status, one.message) for one in others) == [
        ("diverged", "no luck"),
        ("pruned", "stopped after step 3 of 12: another seed of its setting diverged."),
    ]


def test_among_equals_the_earlier_goes_on(
    make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    equal = Scripted(template, lambda spec, step: 0.5)
    (tuning,) = told(search.run_searches(make(4, ["full"]), tmp_path, [], executor=equal))
    assert [step.steps for step in tuning.history] == [12, 6, 3, 3]
    undefined = Scripted(template, lambda spec, step: None if spec.protocol.learning_rate == first else -0.1)
    first = tuning.chosen["learning_rate"]
    (tuning,) = told(search.run_searches(make(4, ["full"]), tmp_path / "other", [], executor=undefined))
    assert [step.steps for step in tuning.history] == [3, 12, 6, 3]
    assert tuning.chosen == tuning.history[1].values


@pytest.mark.parametrize("how", ["failed", "diverged", "out_of_memory"])
@pytest.mark.parametrize("rung", RUNGS)
def test_what_fails_takes_no_place_and_its_own_is_not_given_away(
    how: str, rung: int, make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    """The best setting of four fails on the way to a rung."""
    parsed = make(4, ["full"])
    (tuning,) = told(search.run_searches(parsed, tmp_path / "a", [], executor=Scripted(template, ladder)))
    best = tuning.chosen["learning_rate"]

    def fails(spec: TrialSpec, step: int) -> float | str:
        return how if spec.protocol.learning_rate == best and step >= rung else ladder(spec, step)

    executor = Scripted(template, fails)
    found = search.run_searches(parsed, tmp_path / "b", [], executor=executor)
    (tuning,) = told(found)
    after = {
        3: [(how, None), ("completed", 12), ("pruned", 6), ("pruned", 3)],
        6: [(how, None), ("completed", 12), ("pruned", 3), ("pruned", 3)],
        12: [(how, None), ("pruned", 6), ("pruned", 3), ("pruned", 3)],
    }[rung]
    assert places(tuning) == after
    # Where none was trained whole, the best of those that got furthest is chosen.
    longest = max(tuning.history, key=lambda step: step.steps or 0)
    assert tuning.chosen == longest.values
    again = Scripted(template, fails)
    assert told(search.run_searches(parsed, tmp_path / "b", [], executor=again)) == [tuning]
    assert again.begun == []
    retried = search.run_searches(parsed, tmp_path / "b", [], executor=Scripted(template, ladder), retry=True)
    if how != "diverged":  # which is a result
        assert places(told(retried)[0])[0] == ("completed", 12)


def test_the_sampler_knows_the_bracket_before(
    make: Callable[..., Study], template: Record, tmp_path: Path
) -> None:
    """Four settings at random, the default among them; then others where others did well."""
    parsed = make(16, ["full"])

    def rates(name: str, script: Script) -> list[float]:
        found = search.run_searches(parsed, tmp_path / name, [], executor=Scripted(template, script))
        return [math.log(step.values["learning_rate"]) for step in told(found)[0].history]

    high, low = rates("high", ladder), rates("low", lambda spec, step: 1 - ladder(spec, step))
    assert high[:4] == low[:4]
    assert sum(high[4:]) / 12 > sum(low[4:]) / 12


def test_two_searches_may_share_a_trial(make: Callable[..., Study], template: Record, tmp_path: Path) -> None:
    """One search stops it, another has it go on: each finds what it finds alone."""
    fixed = {"method": "parallel", "protocol": {"learning_rate": 0.001}}
    parsed = make(6, [fixed | {"options": {"scale": 2.0}}, fixed | {"options": {"bottleneck": 16}}])
    executor = Scripted(template, never_fails, order=1)
    found = search.run_searches(parsed, tmp_path / "both", [], executor=executor)
    for index, one in enumerate(parsed.searches):
        alone = dataclasses.replace(parsed, searches=(one,))
        other = search.run_searches(
            alone, tmp_path / str(index), [], executor=Scripted(template, never_fails)
        )
        (tuning,) = told(other)
        assert tuning in [t.model_copy(update={"seconds": 0.0}) for t in found.tunings.values()]
    tried = [
        {one.trials_at(step.values)[0].trial_id for step in t.history}
        for one, t in zip(parsed.searches, found.tunings.values(), strict=True)
    ]
    assert tried[0] & tried[1]

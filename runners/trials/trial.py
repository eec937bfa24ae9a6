"""One trial: a spec goes in, a record comes out.

    load -> adapt -> measure memory -> train -> score -> keep the record -> measure costs -> amend it

Each stage is one function in a file of its own; a trial that ends early keeps what it has reached. What
outlives a trial goes through its :class:`Keeping`: the record as soon as the score is known, the trained
method, the snapshots that a killed training goes on from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from accelerate import Accelerator

import methods
from methods import Adapted
from reports.records.cost_parts import Forgetting, Memory
from reports.records.schema import (
    Answers,
    CurvePoint,
    Environment,
    FurtherReport,
    ModelInfo,
    Parameters,
    Record,
    Scores,
    Status,
    TaskInfo,
    Training,
)
from runners import device, environment, processes
from runners.failures import describe
from runners.measure import step_memory
from runners.plan.spec import TrialSpec
from runners.trials import adapting, costing, forgetting, further, kept, kinds, loading, loop, training
from runners.trials.loop import Progress, Watch
from runners.trials.snapshots import FOLDER as SNAPSHOTS
from runners.trials.snapshots import Say, Snapshots
from tasks import cache


@dataclass(frozen=True)
class Keeping:
    """What of a trial outlives it; by default nothing but the record that is returned."""

    record: Callable[[Record], object] = lambda record: None
    """Is given the record when the score is known, before the costs are measured."""
    folder: Path | None = None
    """Of the study's records: beside them lie snapshots and trained methods."""
    checkpoint_every: int | None = None
    """Steps between two snapshots of the training; None makes none."""
    models: bool = False
    """Whether the trained method is kept."""
    say: Say = lambda line: None
    """Shows one line to the user."""


def run_trial(
    spec: TrialSpec,
    *,
    study: str = "",
    watch: Watch | None = None,
    costs_from: str | None = None,
    keeping: Keeping | None = None,
    costs: bool = True,
    until: int | None = None,
    side_by_side: int | None = 1,
) -> Record:
    """Train one method on one task with one seed and measure it.

    Never raises for what happens inside the trial: a loss that is not finite gives a record with the
    status ``diverged``, running out of memory ``out_of_memory``, any other error ``failed``, each with
    its message and with the parts that were reached. A cost that cannot be measured is a gap of a completed
    trial. What ends the trial in one process ends it in all, which return the record of the first.

    A trial of a search scores the selection split alone and measures no cost: the reported split is not even
    read into tokens. Stopped before its end it has the status ``pruned``, and its snapshot is kept.

    Args:
        spec: what to run.
        study: the name of the study it belongs to, for the record.
        watch: is told of progress; the outcome does not depend on it.
        costs_from: the trial whose record has the costs of this setting; None to measure them.
        keeping: what is kept beside the record that is returned.
        costs: whether the costs are measured now; else they are gaps of the record.
        until: the step after which a trial of a search stops; None for the last.
        side_by_side: how many trials this machine trains at once, this one among them, for the record; None
            where that is not known.
    """
    accelerator = device.accelerator()
    watch, keeping = watch or (lambda progress: None), keeping or Keeping()
    where = environment.describe(accelerator, side_by_side)
    parts = _Parts(spec, study, where, costs_from, costs)
    try:
        with processes.together():
            ready = _train_and_score(spec, accelerator, parts, watch, keeping, until)
            record = parts.record("pruned" if parts.stopped else "completed", parts.stopped)
            if ready is not None:
                scored = costing.awaiting(record, spec, costs_from)
                keeping.record(scored)
                if keeping.models and keeping.folder:
                    digest = kept.keep(ready.adapted, kept.place(keeping.folder, spec), keeping.say)
                    scored = scored.model_copy(update={"checkpoint_sha256": digest})
                    keeping.record(scored)
                elif keeping.folder and not costs and scored.gaps and ready.adapted.method.mergeable:
                    # Its rounding is a cost, and the only one that depends on what was trained.
                    kept.keep(ready.adapted, kept.waiting(keeping.folder, spec), keeping.say)
                if costs:
                    watch(Progress("costs", ready.trained.steps, ready.trained.steps))
                    scored = costing.measure(scored, spec, accelerator, ready.adapted)
                record = scored.model_copy(update={"wall_seconds": parts.seconds})
    except loop.DivergenceError as error:
        record = parts.record("diverged", str(error))
    except Exception as error:
        status: Status = "out_of_memory" if device.is_out_of_memory(error) else "failed"
        said = str(error) if isinstance(error, processes.PeerError) else describe(error)
        record = parts.record(status, said)
    finally:
        device.free(accelerator.device)
    return processes.by_first(lambda: record)


@dataclass
class _Parts:
    """The parts of a record, filled in as a trial reaches them."""

    spec: TrialSpec
    study: str
    environment: Environment
    costs_from: str | None = None
    costs: bool = True
    """Whether they are measured in this trial."""
    model: ModelInfo | None = None
    task: TaskInfo | None = None
    parameters: Parameters | None = None
    scores: Scores | None = None
    answers: Answers | None = None
    further: dict[str, FurtherReport] = field(default_factory=dict)
    curve: tuple[CurvePoint, ...] = ()
    training: Training | None = None
    memory: Memory | None = None
    recalled: float = 0.0
    forgetting: Forgetting | None = None
    gaps: dict[str, str] = field(default_factory=dict)
    """Why that could not be measured."""
    stopped: str | None = None
    """Where a trial of a search stopped, if before its end."""
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    started: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Since the trial began, and those that earlier trials of the process spared it."""
        return time.perf_counter() - self.started + self.recalled

    def record(self, status: Status = "completed", message: str | None = None) -> Record:
        """What was reached, as a record without costs after training."""
        return Record(
            trial_id=self.spec.trial_id,
            study=self.study,
            spec=self.spec.model_dump(mode="json"),
            status=status,
            message=message,
            model=self.model,
            task=self.task,
            parameters=self.parameters,
            scores=self.scores,
            answers=self.answers,
            further_reports=self.further,
            curve=self.curve,
            training=self.training,
            memory=self.memory,
            forgetting=self.forgetting,
            checkpoint_bytes=None,
            latency=None,
            compute=None,
            serving=None,
            tuning=None,
            costs_from=self.costs_from,
            gaps=self.gaps if status == "completed" else {},
            method_origin=methods.origin(self.spec.method),
            environment=self.environment,
            started_at=self.started_at,
            wall_seconds=self.seconds,
        )


@dataclass(frozen=True)
class _Ready:
    """A trained model that is scored."""

    adapted: Adapted
    trained: loop.Trained


def _train_and_score(
    spec: TrialSpec,
    accelerator: Accelerator,
    parts: _Parts,
    watch: Watch,
    keeping: Keeping,
    until: int | None,
) -> _Ready | None:
    """The stages up to the score, in order; the model where costs are still to be measured or kept."""
    watch(Progress("loading"))
    loaded = loading.load(spec)
    parts.task = loaded.info
    adapted = adapting.adapt(spec, loaded.task)
    parts.model = adapting.describe_model(spec, adapted)
    parts.parameters = adapting.describe_parameters(adapted)
    adapted.model.to(accelerator.device)

    kind = kinds.of(spec)(spec, accelerator, adapted)
    parts.task = loaded.info.model_copy(update={"sizes": kind.sizes, "truncated": kind.truncated()})
    for line in (*cache.complaints(), *adapting.complaints(spec.model, adapted)):
        keeping.say(line)
    hashes = [loaded.data.sha256, *(split.sha256 for split in loaded.data.further.values())]
    processes.check_same("data", " ".join(hashes))
    processes.check_same("model", parts.model.model_dump_json())
    kind.set_out()

    if parts.costs and spec.costs is not None and not spec.search and parts.costs_from is None:
        watch(Progress("memory"))
        longest = kind.longest(processes.largest_share(spec.protocol.batch_size))
        parts.memory = step_memory.measure(spec.protocol, accelerator, adapted, kind.as_trained(), longest)

    snapshots = _snapshots(spec, parts, keeping)
    alone = parts.environment.side_by_side == 1
    fitted = training.train(spec, accelerator, adapted, kind, watch, snapshots, until, alone=alone)
    parts.curve, parts.training = tuple(fitted.curve), fitted.to_record()
    parts.recalled = fitted.recalled_seconds
    if spec.search:
        if fitted.steps < fitted.whole:
            parts.stopped = f"stopped after step {fitted.steps} of {fitted.whole}."
        parts.scores = Scores(selection=fitted.best, report={}, majority={}, best_step=fitted.best_step)
        return None

    watch(Progress("scoring", fitted.steps, fitted.steps))
    parts.task = parts.task.model_copy(update={"truncated": kind.truncated(reported=True)})
    found = kind.report()
    parts.answers = found.answers
    parts.scores = Scores(
        selection=fitted.best, report=found.score, majority=found.majority, best_step=fitted.best_step
    )
    parts.further = further.report(kind, loaded.data.further)
    if forgetting.asked(spec):
        try:
            parts.forgetting = forgetting.measure(spec, adapted)
        except Exception as error:  # the score is there
            parts.gaps = {"forgetting": describe(error)}
    return _Ready(adapted, fitted)


def _snapshots(spec: TrialSpec, parts: _Parts, keeping: Keeping) -> Snapshots | None:
    """Where this trial's training goes on from, if anything of it outlives the process."""
    if keeping.folder is None:
        return None
    return Snapshots(
        file=snapshot_file(keeping.folder, spec),
        every=keeping.checkpoint_every,
        of={
            "trial": spec.trial_id,
            "data": parts.task.data_sha256 if parts.task else None,
            "revision of the model": parts.model.revision if parts.model else None,
            "number of processes": processes.count(),
            "number of trained parameters": parts.parameters.trainable if parts.parameters else None,
        },
        say=keeping.say,
    )


def lost(spec: TrialSpec, message: str, *, study: str = "", costs_from: str | None = None) -> Record:
    """The record of a trial whose process was ended from outside, twice.

    Args:
        spec: the trial.
        message: what happened, in one sentence.
        study: the name of the study it belongs to.
        costs_from: as for :func:`run_trial`.
    """
    where = environment.describe(device.accelerator())
    return _Parts(spec, study, where, costs_from).record("failed", message)


def forget(spec: TrialSpec, folder: Path) -> None:
    """Remove the snapshot of a trial that has its record."""
    if device.is_first_process():
        snapshot_file(folder, spec).unlink(missing_ok=True)


def snapshot_file(folder: Path, spec: TrialSpec) -> Path:
    """Where the last snapshot of a trial's training lies."""
    return folder / SNAPSHOTS / f"{spec.trial_id[:16]}.pt"

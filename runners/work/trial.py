"""One trial: a spec goes in, a record comes out. Nothing else is read or written that outlives it.

    load -> adapt -> measure memory -> train -> score -> measure costs

Each stage is one function in a file of its own; a trial that ends early keeps what it has reached.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from accelerate import Accelerator

from reports.records.schema import (
    Answers,
    CurvePoint,
    Memory,
    ModelInfo,
    Parameters,
    Record,
    Scores,
    Status,
    TaskInfo,
    Training,
)
from runners import device, environment
from runners.measure import costs, step_memory
from runners.measure.costs import Costs
from runners.plan.spec import TrialSpec
from runners.work import adapting, batches, loading, scoring, training
from runners.work.training import Progress, Watch


def run_trial(spec: TrialSpec, *, study: str = "", watch: Watch | None = None) -> Record:
    """Train one method on one task with one seed and measure it.

    Never raises for what happens inside the trial: a loss that is not finite gives a record with the
    status ``diverged``, running out of memory ``out_of_memory``, any other error ``failed``, each with
    its message and with the parts that were reached.

    A trial of a search scores the selection split alone and measures no cost: the reported split is not even
    read into tokens.

    Args:
        spec: what to run.
        study: the name of the study it belongs to, for the record.
        watch: is told of progress; the outcome does not depend on it.
    """
    accelerator = device.accelerator()
    parts = _Parts()
    started_at, started = datetime.now(UTC), time.perf_counter()
    status: Status = "completed"
    message: str | None = None
    try:
        _run(spec, accelerator, parts, watch or (lambda progress: None))
    except training.DivergenceError as error:
        status, message = "diverged", str(error)
    except Exception as error:
        status = "out_of_memory" if device.is_out_of_memory(error) else "failed"
        message = _describe(error)
    finally:
        device.free(accelerator.device)
    return Record(
        trial_id=spec.trial_id,
        study=study,
        spec=spec.model_dump(mode="json"),
        status=status,
        message=message,
        model=parts.model,
        task=parts.task,
        parameters=parts.parameters,
        scores=parts.scores,
        answers=parts.answers,
        curve=parts.curve,
        training=parts.training,
        memory=parts.memory,
        checkpoint_bytes=parts.costs.checkpoint_bytes if parts.costs else None,
        latency=parts.costs.latency if parts.costs else None,
        compute=parts.costs.compute if parts.costs else None,
        serving=parts.costs.serving if parts.costs else None,
        tuning=None,
        environment=environment.describe(accelerator),
        started_at=started_at.isoformat(timespec="seconds"),
        wall_seconds=time.perf_counter() - started,
    )


@dataclass
class _Parts:
    """The parts of a record, filled in as a trial reaches them."""

    model: ModelInfo | None = None
    task: TaskInfo | None = None
    parameters: Parameters | None = None
    scores: Scores | None = None
    answers: Answers | None = None
    curve: tuple[CurvePoint, ...] = ()
    training: Training | None = None
    memory: Memory | None = None
    costs: Costs | None = None


def _run(spec: TrialSpec, accelerator: Accelerator, parts: _Parts, watch: Watch) -> None:
    """The stages, in order."""
    protocol = spec.protocol
    watch(Progress("loading"))
    loaded = loading.load(spec)
    task, parts.task = loaded.task, loaded.info

    adapted = adapting.adapt(spec, task)
    parts.model = adapting.describe_model(spec, adapted)
    parts.parameters = adapting.describe_parameters(adapted)
    model = adapted.model.to(accelerator.device)

    splits = loading.splits(spec, loaded, adapted)
    parts.task = loaded.info.model_copy(update={"sizes": splits.sizes})
    if task.problem_type == "regression":
        adapting.start_at_mean(adapted, splits.train.labels())

    if not (spec.search or protocol.score_only):
        watch(Progress("memory"))
        size = max(1, protocol.batch_size // accelerator.num_processes)
        longest = batches.longest(splits.train, batches.tokenizer(spec.model), size)
        parts.memory = step_memory.measure(protocol, accelerator, adapted, longest)

    fitted = training.train(spec, task, accelerator, adapted, splits, watch)
    parts.curve, parts.training = tuple(fitted.curve), fitted.to_record()
    if spec.search:
        parts.scores = Scores(selection=fitted.best, report={}, majority={}, best_step=fitted.best_step)
        return

    watch(Progress("scoring", fitted.steps, fitted.steps))
    reported = loading.reported(spec, adapted)
    found = scoring.report(spec, task, accelerator, model, splits.train, reported)
    parts.answers = found.answers
    parts.scores = Scores(
        selection=fitted.best, report=found.score, majority=found.majority, best_step=fitted.best_step
    )
    if protocol.score_only:
        return

    watch(Progress("costs", fitted.steps, fitted.steps))
    if accelerator.is_main_process:
        length = min(protocol.latency_length, adapted.max_input_length or protocol.latency_length)
        one = batches.one_input(reported, length)
        parts.costs = costs.measure(spec, task, accelerator, adapted, one, fitted.steps, fitted.mean_length)
    accelerator.wait_for_everyone()


def _describe(error: Exception) -> str:
    """One line: type, message, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}{place}"

"""One trial: a spec goes in, a record comes out. Nothing else is read or written that outlives it."""

from __future__ import annotations

import functools
import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

import methods
import tasks
from methods import Adapted
from reports.schema import (
    Memory,
    MetricInfo,
    ModelInfo,
    Parameters,
    Record,
    Scores,
    SplitSizes,
    Status,
    TaskInfo,
    Training,
)
from runners import batches, costs, device, environment, memory, models, training
from runners.batches import Encoded
from runners.costs import Costs
from runners.spec import TrialSpec
from runners.training import Progress, Score
from tasks.spec import TaskData, TaskSpec

Watch = Callable[[Progress], None]

SCORING_BATCH = 64
"""Examples per batch without gradients; it moves no score, only time."""


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
    curve: tuple[Any, ...] = ()
    training: Training | None = None
    memory: Memory | None = None
    costs: Costs | None = None


def _run(spec: TrialSpec, accelerator: Accelerator, parts: _Parts, watch: Watch) -> None:
    task, protocol = tasks.get(spec.task), spec.protocol
    watch(Progress("loading"))
    data = batches.load(spec.task, spec.data)
    parts.task = describe_task(task, data)

    adapted = build(spec, task)
    parts.model = ModelInfo(
        name=spec.model, architecture=adapted.model.config.model_type, revision=models.revision(spec.model)
    )
    parts.parameters = describe_parameters(adapted)
    model = adapted.model.to(accelerator.device)

    limit = min(protocol.max_length, adapted.max_input_length or protocol.max_length)
    encode = functools.partial(batches.encode, spec.model, spec.task, spec.data, max_length=limit)
    train, selection = encode(split="train"), encode(split="selection")
    train = _subset(train, protocol.train_examples, spec.seed)
    selection = _first(selection, protocol.scored_examples)
    reported = min(data.sizes["report"], protocol.scored_examples or data.sizes["report"])
    sizes = SplitSizes(train=len(train), selection=len(selection), report=reported)
    parts.task = parts.task.model_copy(update={"sizes": sizes})
    tokenizer = models.tokenizer(spec.model)
    if task.problem_type == "regression":
        start_at_mean(adapted, train.labels())

    if not (spec.search or protocol.score_only):
        watch(Progress("memory"))
        parts.memory = _training_memory(spec, accelerator, adapted, batches.Collator(tokenizer), train)

    device.seed_everything(spec.seed)
    steps = protocol.steps or batches.steps_of(protocol.epochs, len(train), protocol.batch_size)
    loader = batches.training_loader(train, tokenizer, protocol.batch_size, steps, spec.seed)
    selection_loader = accelerator.prepare(batches.scoring_loader(selection, tokenizer, SCORING_BATCH))
    sign = 1 if task.main_metric.higher_is_better else -1

    def main_metric(score: Score) -> float:
        value = score[task.main_metric.name]
        return -math.inf if value is None else sign * value

    fitted = training.fit(
        accelerator,
        model,
        adapted.trained(),
        loader,
        steps,
        protocol,
        evaluate=lambda: training.score(accelerator, model, selection_loader, task),
        main_metric=main_metric,
        watch=watch,
    )
    parts.curve = tuple(fitted.curve)
    parts.training = Training(
        steps=steps,
        examples=fitted.examples,
        seconds=fitted.seconds,
        examples_per_second=fitted.examples / fitted.seconds,
        evaluation_seconds=fitted.evaluation_seconds,
        padding_share=fitted.padding_share,
    )
    if spec.search:
        parts.scores = Scores(selection=fitted.best, report={}, majority={}, best_step=fitted.best_step)
        return
    watch(Progress("scoring", steps, steps))
    report = _first(encode(split="report"), protocol.scored_examples)
    report_loader = accelerator.prepare(batches.scoring_loader(report, tokenizer, SCORING_BATCH))
    majority = tasks.majority(task, train.labels(), report.labels())
    parts.scores = Scores(
        selection=fitted.best,
        report=training.score(accelerator, model, report_loader, task),
        majority={name: value if math.isfinite(value) else None for name, value in majority.items()},
        best_step=fitted.best_step,
    )
    if protocol.score_only:
        return
    watch(Progress("costs", steps, steps))
    if accelerator.is_main_process:
        parts.costs = costs.measure(spec, task, accelerator, adapted, fitted, report)
    accelerator.wait_for_everyone()


def build(spec: TrialSpec, task: TaskSpec) -> Adapted:
    """Load the model under a fresh head and put the method in.

    The head depends on the seed alone, so that with one seed every method starts from the same head.
    """
    device.seed_everything(spec.seed)
    model = models.classifier(spec.model, task)
    device.seed_everything(spec.seed)
    return methods.apply(model, spec.method, **spec.options)


def start_at_mean(adapted: Adapted, labels: np.ndarray) -> None:
    """Let a fresh regression head predict the mean of the training labels at step 0.

    From zero, a short run spends its steps on the mean: with LoRA's 120 steps on STS-B the selection split's
    Pearson is 0.11, from the mean 0.78. Heads without a bias, and those that a checkpoint brought, stay.
    """
    for name, parameter in adapted.head.items():
        if name.endswith("bias") and parameter.shape == (1,) and not parameter.any():
            with torch.no_grad():
                parameter.fill_(float(labels.mean()))


def describe_task(task: TaskSpec, data: TaskData) -> TaskInfo:
    """The record's part on the task and its data."""
    return TaskInfo(
        name=task.name,
        version=task.version,
        main_metric=task.main_metric.name,
        metrics=tuple(
            MetricInfo(name=m.name, higher_is_better=m.higher_is_better, unit=m.unit) for m in task.metrics
        ),
        source=data.source,
        license=task.license,
        sizes=SplitSizes(**data.sizes),
        dropped_train_examples=data.dropped_train_examples,
        data_sha256=data.sha256,
    )


def describe_parameters(adapted: Adapted) -> Parameters:
    """The record's part on parameters, counted on the live model."""
    counts = adapted.parameter_counts()
    return Parameters(
        **counts,
        stored=adapted.stored_count(),
        trainable_share=counts["method"] / counts["base"],
        parts=adapted.parts(),
    )


def _subset(split: Encoded, count: int | None, seed: int) -> Encoded:
    """A random part of a split; with one seed, smaller parts lie inside larger ones."""
    if count is None or count >= len(split):
        return split
    chosen = np.random.default_rng(seed).permutation(len(split))[:count]
    return Encoded([split.rows[i] for i in chosen], [split.lengths[i] for i in chosen])


def _first(split: Encoded, count: int | None) -> Encoded:
    """The first examples of a split that is in hash order: the same ones for every trial."""
    return split if count is None else Encoded(split.rows[:count], split.lengths[:count])


def _training_memory(
    spec: TrialSpec, accelerator: Accelerator, adapted: Adapted, collate: batches.Collator, train: Encoded
) -> Memory:
    """Measure two real steps on the longest batch, put the weights back, and measure a forward pass on it.

    It comes before training, so that a trial that does not fit ends at once.
    """
    size = max(1, spec.protocol.batch_size // accelerator.num_processes)
    longest = sorted(range(len(train)), key=lambda i: -train.lengths[i])[:size]
    batch = {
        name: value.to(accelerator.device) for name, value in collate([train[i] for i in longest]).items()
    }
    trained = adapted.trained()
    with _unchanged(trained):
        optimiser = accelerator.prepare(training.optimizer(trained, spec.protocol))
        adapted.model.train()
        step = functools.partial(
            training.training_step, accelerator, adapted.model, optimiser, batch, spec.protocol.gradient_clip
        )
        peak = memory.measure_peak(step, adapted.model, accelerator.device)
    del optimiser, step  # its state is not there at inference
    device.free(accelerator.device)
    batch.pop("labels")
    adapted.model.eval()
    forward = functools.partial(adapted.model, **batch)
    with torch.no_grad():
        inference = memory.measure_peak(forward, adapted.model, accelerator.device, steps=1)
    return peak.to_record(inference, *batch["input_ids"].shape)


@contextmanager
def _unchanged(trained: dict[str, torch.nn.Parameter]) -> Iterator[None]:
    """Give parameters their values back afterwards; the copy lies in host memory."""
    before = {name: p.detach().to("cpu", copy=True) for name, p in trained.items()}
    try:
        yield
    finally:
        for name, parameter in trained.items():
            parameter.data.copy_(before[name])


def _describe(error: Exception) -> str:
    """One line: type, message, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}{place}"
